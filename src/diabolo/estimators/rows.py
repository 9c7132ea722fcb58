"""From what a user gives to the rows a processor takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import validate_data

from ..core import Batch
from ..core.errors import DataError
from ..data import Source, TableProcessor, align
from ..data import open as open_source

LANES = 32


def read_rows(estimator: Any, X: Any, fitting: bool) -> Any:
    """The rows of an array, a frame, a path or a source, checked as scikit-learn asks. Raises `DataError`.

    Rows whose kind does not show (grey levels that mean probabilities) stay a `Source`, for the processor to know.
    """
    rows = _checked(estimator, X, fitting)
    return Source(rows, "binary") if fitting and isinstance(X, Source) and X.modality == "binary" else rows


def _checked(estimator: Any, X: Any, fitting: bool) -> Any:
    if not fitting and _plain(estimator, X):
        return X
    if isinstance(X, str | Path):
        X = open_source(X)
    if isinstance(X, Source) and not fitting:
        processor = estimator.processor_
        X = align(X, processor.columns) if isinstance(processor, TableProcessor) else X
    rows = X.rows if isinstance(X, Source) else X
    if isinstance(X, Source) and X.modality not in ("array", "binary") and not is_frame(rows):
        if fitting:
            estimator.n_features_in_ = int(np.prod(rows.shape[1:]))
        return rows
    if isinstance(rows, np.ndarray) and rows.ndim > 2:
        return rows
    try:
        if is_frame(rows):
            validate_data(estimator, rows, skip_check_array=True, reset=fitting)
            return rows
        least = 2 if fitting else 1
        kinds = [np.float64, np.float32]
        return validate_data(
            estimator, rows, dtype=kinds, ensure_all_finite=False, reset=fitting, ensure_min_samples=least
        )
    except ValueError as error:
        raise DataError(str(error)) from error


def _plain(estimator: Any, X: Any) -> bool:
    """An array just like the one at fit needs no more checks than the processor's: one row takes microseconds."""
    known = vars(estimator)
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in (np.float32, np.float64)
        and len(X) > 0
        and X.shape[1] == known.get("n_features_in_")
        and "feature_names_in_" not in known
    )


def is_frame(rows: Any) -> bool:
    """Whether the rows are a pandas DataFrame, found without importing pandas."""
    return type(rows).__name__ == "DataFrame"


def whole_lanes(batch: Batch) -> Batch:
    """The batch with its last row repeated up to whole vector lanes.

    A sigmoid rounds differently in the last few entries of a tensor: whole lanes keep rows independent of order.
    """
    extra = -len(batch) % LANES
    return batch.map(lambda t: torch.cat([t, t[-1:].expand(extra, *t.shape[1:])])) if extra else batch
