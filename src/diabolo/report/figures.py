"""Figures of the report: inline SVG whose colours are CSS variables, so they follow light and dark.

    Figure ──matplotlib──▶ SVG with stand-in colours ──tidy──▶ <svg> with var(--ink) …

The same data give the same bytes: no dates, fixed hash salt, ids that no second figure can share.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import require
from ..core.metrics import Interval

ROLES = {"ink": "#010101", "muted": "#020202", "line": "#030303", "model": "#040404", "other": "#050505"}
"""Stand-in colours -> CSS variables of the page."""
PALETTE = ("#4f8fcb", "#dd7f3b", "#4fa56f", "#c65b6b", "#8f78c4", "#a98a3d", "#3fa3a8", "#c673ab", "#7d8b99", "#93a63a")
"""Mid-tones that stand out from white and from black, for classes."""
RAMP = ("#6f8fb5", "#b08aa8", "#e0692f")
"""Low to high, readable on white and on black."""
MAX_VECTOR_POINTS = 2000
INK, MUTED, LINE, MODEL, OTHER = ROLES.values()
LOG_SPREAD = 100


@dataclass(frozen=True)
class Key:
    """One entry of a legend: a name and the CSS colour that stands for it."""

    name: str
    colour: str


@contextmanager
def _style() -> Iterator[Any]:
    """Matplotlib with the report's style; nothing global changes."""
    matplotlib = require("matplotlib", "report", "the report")
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "diabolo",
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": LINE,
        "axes.labelcolor": MUTED,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.formatter.useoffset": False,
        "axes.unicode_minus": False,
        "grid.color": LINE,
        "grid.linewidth": 0.6,
        "xtick.color": LINE,
        "ytick.color": LINE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "lines.linewidth": 1.6,
        "lines.solid_capstyle": "round",
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(style)
        yield require("matplotlib.figure", "report", "the report").Figure


def _axes(make: Any, width: float = 4.2, height: float = 2.8, layout: str | None = "constrained") -> tuple[Any, Any]:
    figure = make(figsize=(width, height), layout=layout)
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    return figure, axes


def _svg(figure: Any, name: str, alt: str, css: str = "figure") -> str:
    """The figure as one <svg> element with an accessible name."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return tidy(buffer.getvalue(), name, alt, css)


def tidy(svg: str, name: str, alt: str, css: str = "figure") -> str:
    """Matplotlib's SVG made fit for a page: CSS colours and fonts, no prologue, no ids but those in use.

    >>> tidy('<?xml?><svg width="9pt" viewBox="0 0 9 9"><g id="a" style="fill: #010101"/></svg>', "f", "dots")
    '<svg class="figure" role="img" aria-label="dots" viewBox="0 0 9 9"><g style="fill: var(--ink)"/></svg>'
    """
    view = re.search(r'viewBox="[^"]*"', svg)
    body = re.sub(r"^.*?<svg[^>]*>", "", svg, count=1, flags=re.DOTALL).strip()
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(href="|url\()#', rf"\g<1>#{name}-", body)
    body = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", body)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    for role, colour in ROLES.items():
        body = body.replace(colour, f"var(--{role})")
    body = re.sub(r"\s*\n\s*", "\n", re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL))
    label = escape(alt, quote=True)
    return f'<svg class="{css}" role="img" aria-label="{label}" {view[0] if view else ""}>{body}'


def curves(history: Sequence[Mapping[str, Any]]) -> str:
    """Training and validation loss by epoch, on a log scale where all values are positive."""
    train = np.array([entry["train"]["loss"] for entry in history], dtype=float)
    validation = np.array([(entry.get("validation") or {}).get("loss", np.nan) for entry in history], dtype=float)
    epochs = np.arange(1, len(train) + 1)
    dot = "o" if len(train) == 1 else None
    with _style() as make:
        figure, axes = _axes(make)
        axes.grid(axis="y")
        axes.plot(epochs, train, color=MODEL, marker=dot)
        if np.isfinite(validation).any():
            axes.plot(epochs, validation, color=OTHER, marker=dot)
            best = int(np.nanargmin(validation))
            axes.plot(epochs[best], validation[best], "o", color=OTHER, markersize=5)
        if np.nanmin(np.concatenate([train, validation])) > 0:
            _log(axes, "y")
        for index in range(1, len(history)):
            if history[index].get("stage", 0) != history[index - 1].get("stage", 0):
                axes.axvline(index + 0.5, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)))
        axes.margins(x=0.02)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(xlabel="epoch", ylabel="loss per row")
        return _svg(figure, "curves", f"Training and validation loss over {len(train)} epochs.")


def histogram(errors: Mapping[str, ndarray]) -> str:
    """Distribution of the error of single rows; of the first series filled, of a second as a line."""
    pooled = np.concatenate([values[np.isfinite(values)] for values in errors.values()])
    low, high = np.quantile(pooled, [0.001, 0.999])
    log = bool(low > 0 and high / low > LOG_SPREAD)
    if high <= low:
        low, high = low - 0.5, high + 0.5
    edges = np.geomspace(low, high, 49) if log else np.linspace(low, high, 49)
    with _style() as make:
        figure, axes = _axes(make)
        axes.grid(axis="y")
        for colour, values in zip((MODEL, OTHER), errors.values(), strict=False):
            counts = np.histogram(np.clip(values, low, high), edges)[0]
            axes.stairs(counts, edges, fill=True, color=colour, alpha=0.18, linewidth=0)
            axes.stairs(counts, edges, color=colour, linewidth=1.4)
        if log:
            _log(axes, "x")
        axes.set(xlabel="error of a row", ylabel="rows", xlim=(low, high), ylim=(0, None))
        return _svg(figure, "histogram", f"Distribution of the error of single rows: {' and '.join(errors)}.")


def bars(values: Mapping[str, Interval]) -> str:
    """Mean errors as bars from zero with their intervals; the first is the model's."""
    with _style() as make:
        figure, axes = _axes(make, height=0.62 + 0.42 * len(values))
        axes.grid(axis="x")
        for place, (name, value) in enumerate(values.items()):
            colour = MODEL if place == 0 else OTHER
            axes.barh(place, value.value, height=0.46, color=colour, alpha=0.35 if place else 0.75)
            axes.plot([value.low, value.high], [place, place], color=INK, linewidth=1.2, solid_capstyle="butt")
            axes.plot([value.low, value.high], [place, place], "|", color=INK, markersize=7)
            axes.text(0, place - 0.37, name, color=INK, fontsize=9, va="center")
        axes.set(yticks=[], ylim=(len(values) - 0.5, -0.6), xlabel="mean squared error of a row, held out")
        axes.set_xlim(0, max(max(v.high for v in values.values()) * 1.04, 1e-12))
        axes.spines["left"].set_visible(False)
        summary = ", ".join(f"{name} {value}" for name, value in values.items())
        return _svg(figure, "bars", f"Mean squared error of held-out rows: {summary}.")


def scatter(points: ndarray, colours: Sequence[str], xlabel: str, ylabel: str, alt: str) -> str:
    """Points (N, 2), one colour each; above `MAX_VECTOR_POINTS` they are drawn as pixels."""
    many = len(points) > MAX_VECTOR_POINTS
    size = float(np.clip(9000 / max(len(points), 1), 4, 22))
    with _style() as make:
        figure, axes = _axes(make, 5.4, 4.6)
        figure.set_dpi(200)
        axes.scatter(*points.T, s=size, c=list(colours), alpha=0.8, linewidths=0, rasterized=many)
        axes.set(xlabel=xlabel, ylabel=ylabel, xticks=[], yticks=[])
        axes.margins(0.03)
        return _svg(figure, "latent", alt, "figure wide")


def strip(original: ndarray, recon: ndarray, name: str, alt: str) -> str:
    """One row as a line, its reconstruction as another, the difference as the area between them."""
    place = np.arange(len(original))
    dot = "o" if len(original) <= 32 else None
    with _style() as make:
        figure, axes = _axes(make, 3.0, 1.15, layout=None)
        figure.subplots_adjust(0, 0, 1, 1)
        axes.fill_between(place, original, recon, color=OTHER, alpha=0.4, linewidth=0)
        axes.plot(place, original, color=INK, linewidth=1, marker=dot, markersize=2.4)
        axes.plot(place, recon, color=MODEL, linewidth=1.4, marker=dot, markersize=2.4)
        axes.set_axis_off()
        axes.margins(0.01, 0.08)
        return _svg(figure, name, alt, "strip")


def ramp(values: ndarray) -> list[str]:
    """A colour of `RAMP` for every value; the outermost 2 % on both sides are clipped."""
    colours = require("matplotlib.colors", "report", "the report")
    low, high = np.quantile(values, [0.02, 0.98])
    scaled = np.clip((values - low) / max(high - low, 1e-300), 0, 1)
    shades = colours.LinearSegmentedColormap.from_list("ramp", RAMP)(scaled)
    return [colours.to_hex(shade) for shade in shades]


def _log(axes: Any, which: str) -> None:
    """A log scale with plain numbers at 1, 2 and 5."""
    ticker = require("matplotlib.ticker", "report", "the report")
    axes.set(**{f"{which}scale": "log"})
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5), numticks=7))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(ticker.NullLocator())
