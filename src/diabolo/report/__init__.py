"""One HTML file that shows what a model learnt, and how well."""

from .page import build_page, write_report

__all__ = ["build_page", "write_report"]
