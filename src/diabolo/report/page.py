"""The report page: one HTML file, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.sparse import issparse

from ..core.errors import DataError, require
from ..core.files import write_atomic
from ..tasks.exhibit import Exhibit
from ..tasks.reduce import Comparison
from . import examples, figures
from .case import Finding
from .exhibits import for_page
from .figures import Key

MAX_MAP_POINTS = 5000
MAX_SPARSE = 2000
"""Sparse rows, which are wide, that are shown with their zeros."""
MAX_SQUARE = 512
"""Values of a code up to which all their products are made."""
MAX_CLASSES = len(figures.PALETTE)
MODEL_KEY, OTHER_KEY = "var(--model)", "var(--other)"
Labels = Sequence[Any] | ndarray | None


def build_page(
    model: Any,
    rows: Any,
    *,
    comparison: Comparison | None = None,
    labels: Labels = None,
    findings: Sequence[Finding] | None = None,
    exhibits: Sequence[Exhibit] = (),
    title: str = "Autoencoder report",
) -> str:
    """The report of a fitted model on some rows, as one HTML document of bounded size (< 5 MB).

    Parameters
    ----------
    model : a fitted estimator: ``reconstruct``, ``transform``, ``score_samples`` (higher is more normal),
        ``history_`` (records of epochs) and ``describe()``: a mapping of which "name", "parameters" (a mapping),
        "parameter_count", "rows" (trained on), "choices" (name, value, why) and "layers" (records) are shown
    rows : array (N, …) or DataFrame, at least one row
    comparison : what `diabolo.tasks.reduce.compare` found
    labels : (N,) classes or numbers that colour the map of codes; without them the error does
    findings : what `diabolo.report.doctor.examine` found; None: it was not asked
    exhibits : sections of a task, as `diabolo.report.exhibits.of_task` gives them

    Raises `DataError` for no rows or labels of another length, `MissingExtra` without matplotlib and Jinja.
    The same input gives the same bytes.
    """
    if isinstance(rows, list | tuple):
        rows = np.asarray(rows)
    if issparse(rows):
        rows = examples.take(
            rows, np.unique(np.linspace(0, rows.shape[0] - 1, min(rows.shape[0], MAX_SPARSE)).astype(int))
        )
    if not len(rows):
        raise DataError("there are no rows to report on; give at least one.")
    if labels is not None and len(labels) != len(rows):
        raise DataError(f"there are {len(labels)} labels for {len(rows)} rows; give one for each row.")
    errors = -np.asarray(model.score_samples(rows), dtype=float).reshape(-1)
    chosen = examples.choose(errors)
    recon = model.reconstruct(examples.take(rows, np.concatenate(list(chosen.values()))))
    about = model.describe()
    return _render(
        title=title,
        headline=_headline(comparison, errors),
        facts=_facts(model, about, comparison, len(rows)),
        about=about,
        parameters=_mapping(about.get("parameters")),
        examples=examples.show(rows, recon, chosen, errors),
        training=_training(list(model.history_)),
        latent=_latent_map(model, rows, errors, labels),
        errors=_errors(errors, comparison),
        comparison=comparison,
        baselines=_baselines(comparison),
        findings=findings,
        exhibits=for_page(exhibits),
        shapes=_table(about.get("layers")),
        version=version("diabolo"),
    )


def write_report(
    model: Any,
    rows: Any,
    path: str | Path,
    *,
    comparison: Comparison | None = None,
    labels: Labels = None,
    findings: Sequence[Finding] | None = None,
    exhibits: Sequence[Exhibit] = (),
    title: str = "Autoencoder report",
) -> Path:
    """`build_page` into a file that appears whole or not at all; returns its path."""
    page = build_page(
        model, rows, comparison=comparison, labels=labels, findings=findings, exhibits=exhibits, title=title
    )
    target = Path(path)
    write_atomic(target, lambda file: file.write(page.encode()))
    return target


def _render(**values: Any) -> str:
    jinja = require("jinja2", "report", "the report")
    environment = jinja.Environment(
        loader=jinja.PackageLoader("diabolo.report", ""),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, measure=measure)
    environment.tests["number"] = lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    return str(environment.get_template("page.html").render(palette_ramp=figures.RAMP, **values))


def number(value: Any) -> str:
    """A value as a reader wants it.

    >>> [number(v) for v in (12345, 0.00012345, 1234.5, (8, 8, 1), None, "relu", {"lr": 0.1})]
    ['12,345', '0.0001234', '1,234', '8 × 8 × 1', '—', 'relu', 'lr = 0.1']
    """
    if value is None:
        return "—"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        short = float(value)
        return f"{short:,.0f}" if 1000 <= abs(short) < 1e9 else f"{short:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {number(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        whole = all(isinstance(item, int) for item in value)
        return (" × " if whole else ", ").join(number(item) for item in value)
    return str(value)


def measure(value: float | None) -> str:
    """A measured value with four significant digits, so that columns line up.

    >>> [measure(v) for v in (0.594, 13.87, 12345.6, 0, None)]
    ['0.5940', '13.87', '12,346', '0', '—']
    """
    if value is None:
        return "—"
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    if not 1e-4 <= abs(value) < 1e9:
        return f"{value:.3e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.4g}"


def _headline(comparison: Comparison | None, errors: ndarray) -> str:
    if comparison is None:
        return f"Mean error of a row: {measure(float(errors.mean()))}"
    return comparison.verdict[:1].upper() + comparison.verdict[1:]


def _facts(model: Any, about: Mapping[str, Any], comparison: Comparison | None, rows: int) -> list[tuple[str, str]]:
    """The figures under the headline: (name, value)."""
    size = comparison.n_components if comparison else getattr(model, "n_components_", None)
    seconds = sum(float(entry.get("seconds") or 0) for entry in model.history_)
    facts = [
        ("values in the code", size),
        ("values in a row", comparison.features if comparison else None),
        ("parameters", about.get("parameter_count")),
        ("training rows", about.get("rows")),
        ("rows in this report", rows),
        ("epochs", len(model.history_) or None),
        ("training time", f"{seconds:.3g} s" if 0 < seconds < 120 else f"{seconds / 60:.3g} min" if seconds else None),
    ]
    return [(name, number(value)) for name, value in facts if value is not None]


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _table(records: Sequence[Mapping[str, Any]] | None) -> tuple[list[str], list[list[Any]]]:
    """Records as a header and rows."""
    listed = list(records or ())
    names = list(dict.fromkeys(str(key) for record in listed for key in record))
    return names, [[record.get(name) for name in names] for record in listed]


def _training(history: list[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Curves, their legend and the terms of the best epoch; None if nothing was trained."""
    if not history:
        return None
    validated = [i for i, entry in enumerate(history) if (entry.get("validation") or {}).get("loss") is not None]
    keys = [Key("training", MODEL_KEY)]
    best = len(history) - 1
    if validated:
        keys.append(Key("validation", OTHER_KEY))
        best = min(validated, key=lambda i: history[i]["validation"]["loss"])
    train, validation = history[best]["train"], history[best].get("validation") or {}
    return {
        "svg": figures.curves(history),
        "keys": keys,
        "best": best + 1,
        "validated": bool(validated),
        "terms": [(name, train.get(name), validation.get(name)) for name in train],
        "stages": any(a.get("stage", 0) != b.get("stage", 0) for a, b in pairwise(history)),
    }


def _latent_map(model: Any, rows: Any, errors: ndarray, labels: Labels) -> dict[str, Any]:
    """Codes on their first two principal axes."""
    index = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MAX_MAP_POINTS)).astype(int))
    codes = np.asarray(model.transform(examples.take(rows, index)), dtype=float).reshape(len(index), -1)
    points, shares = _principal_axes(codes)
    colours, keys, by = _colours(None if labels is None else np.asarray(labels)[index], errors[index])
    names = [
        f"{rank} axis · {100 * share:.0f} % of the variance"
        for rank, share in zip(("first", "second"), shares, strict=False)
    ]
    if len(names) == 1:
        points, names = np.column_stack([points[:, 0], errors[index]]), [*names, "error of a row"]
    alt = f"Map of {len(index):,} codes on two axes, coloured by {by}."
    return {
        "svg": figures.scatter(points, colours, names[0], names[1], alt),
        "keys": keys,
        "by": by,
        "shown": len(index),
        "rows": len(rows),
        "size": codes.shape[1],
    }


def _principal_axes(codes: ndarray) -> tuple[ndarray, ndarray]:
    """Codes (N, D) on at most two principal axes, signs fixed, and the share of variance of each."""
    centred = codes - codes.mean(0)
    wide = centred.shape[1] > max(MAX_SQUARE, len(centred))  # a code at every pixel of a picture: by products of rows
    values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    if wide:
        axes = centred.T @ axes
        axes = axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-300)
    axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1, 1)
    shares = np.clip(values[::-1][:2], 0, None) / max(float(values.sum()), 1e-300)
    return centred @ axes, shares


def _colours(labels: ndarray | None, errors: ndarray) -> tuple[list[str], list[Key], str]:
    """A colour for every point, the legend, and what the colour says."""
    if labels is None:
        low, high = np.quantile(errors, [0.02, 0.98])
        return figures.ramp(errors), [Key(number(float(low)), "low"), Key(number(float(high)), "high")], "error"
    names = [str(value) for value in labels.tolist()]
    classes = sorted(set(names), key=lambda name: (len(name), name) if name.isdigit() else (10**6, name))
    if len(classes) > MAX_CLASSES and labels.dtype.kind in "iuf":
        values = labels.astype(float)
        low, high = np.nanquantile(values, [0.02, 0.98])
        filled = np.nan_to_num(values, nan=low)
        return figures.ramp(filled), [Key(number(float(low)), "low"), Key(number(float(high)), "high")], "label"
    shown = (
        sorted(classes, key=lambda name: -names.count(name))[: MAX_CLASSES - 1]
        if len(classes) > MAX_CLASSES
        else classes
    )
    kept = [name for name in classes if name in shown]
    colour = dict(zip(kept, figures.PALETTE, strict=False))
    keys = [Key(name, colour[name]) for name in kept]
    if len(kept) < len(classes):
        keys.append(Key(f"{len(classes) - len(kept)} others", figures.PALETTE[-1]))
    return [colour.get(name, figures.PALETTE[-1]) for name in names], keys, "label"


def _errors(errors: ndarray, comparison: Comparison | None) -> dict[str, Any]:
    """Histogram of the error of single rows: held out against PCA where that is known."""
    if comparison is not None and {"model", "pca"} <= comparison.errors.keys():
        series = {"this model": comparison.errors["model"], "PCA": comparison.errors["pca"]}
        what = f"Squared error of {comparison.rows:,} held-out rows."
        keys = [Key("this model", MODEL_KEY), Key("PCA", OTHER_KEY)]
    else:
        series, keys, what = {"this model": errors}, [], f"Error of the {len(errors):,} rows of this report."
    first = next(iter(series.values()))
    quantiles = [(f"{100 * q:.0f} %", float(np.quantile(first, q))) for q in (0.05, 0.5, 0.95, 0.99)]
    return {"svg": figures.histogram(series), "keys": keys, "what": what, "quantiles": quantiles}


def _baselines(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    pca = f"PCA, {comparison.pca_components} components"
    values = {"this model": comparison.model, pca: comparison.pca, "mean of all rows": comparison.mean}
    scale = max(comparison.pca.value, 1e-300)
    exact = comparison.pca.value <= 1e-9 * max(comparison.mean.value, 1e-300)
    table = [(name, value, None if exact else value.value / scale) for name, value in values.items()]
    return {"svg": figures.bars(values), "table": table}
