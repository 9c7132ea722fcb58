"""Encoder and decoder of one architecture, side by side."""
