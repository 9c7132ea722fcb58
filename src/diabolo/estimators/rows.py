"""From what a user gives to the rows a processor takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data
from torch import Tensor

from ..core import Batch, Processor, Windowed
from ..core.errors import DataError
from ..core.sparse import is_sparse, rows_at
from ..data import (
    OWN,
    SequenceProcessor,
    Source,
    SparseRows,
    Stored,
    TableProcessor,
    align,
    is_frame,
    is_ragged,
    kind_of,
)
from ..data import open as open_source

LANES = 32
CHUNK = 4096
ENTRIES = 2**23
"""Outputs for sparse rows, which are wide, that are held at a time."""
HIDDEN = ("binary", *OWN)
"""Kinds that the rows alone may not show."""
WINDOWED = ("audio", "video", "series")
"""Kinds of which one row may hold many windows."""


def read_rows(estimator: Any, X: Any, fitting: bool) -> Any:
    """The rows of an array, a frame, a path or a source, checked as scikit-learn asks. Raises `DataError`.

    Rows whose kind does not show (grey levels that mean probabilities) stay a `Source`, for the processor to know.
    """
    X = open_source(X) if isinstance(X, str | Path) else X
    if isinstance(bare(X), Stored):
        return X if isinstance(X, Source) else Source(X)
    rows = _checked(estimator, X, fitting)
    hidden = fitting and isinstance(X, Source) and (X.modality in HIDDEN or X.processor is not None)
    return Source(rows, X.modality, columns=X.columns, processor=X.processor) if hidden else rows


def bare(rows: Any) -> Any:
    """The rows of a `Source`, or what was given."""
    return rows.rows if isinstance(rows, Source) else rows


def chunk_for(tensors: dict[str, Any], width: int) -> int:
    """How many rows to work on at a time; sparse ones come back dense, so that wide ones are taken fewer at a time."""
    sparse = any(isinstance(held, SparseRows) for held in tensors.values())
    return min(CHUNK, max(LANES, ENTRIES // width)) if sparse else CHUNK


def rows_in(tensors: dict[str, Tensor]) -> int:
    """How many rows were encoded: windows, where rows are cut into windows."""
    return len(next(iter(tensors.values())))


def of_windows(processor: Processor, X: Any, y: Any, rows: int) -> Any:
    """Labels of rows as labels of the ``rows`` windows that were cut from them; labels as they are, where none were."""
    if not isinstance(processor, Windowed) or len(y) == rows or len(y) != len(bare(X)):
        return y
    return y[processor.places(bare(X))[0]]


def at_least_two(rows: Any) -> None:
    """Raise `DataError` for fewer rows than anything can be learnt from."""
    count = len(rows) if isinstance(rows, Source) or not issparse(rows) else rows.shape[0]
    if count < 1 or (count < 2 and kind_of(bare(rows)) not in WINDOWED):
        raise DataError(f"an autoencoder learns from at least 2 rows; got {count} (n_samples={count}).")


def _checked(estimator: Any, X: Any, fitting: bool) -> Any:
    if not fitting and _plain(estimator, X):
        return X
    if isinstance(X, Source) and not fitting:
        processor = estimator.processor_
        X = align(X, processor.columns) if isinstance(processor, TableProcessor) else X
    rows = bare(X)
    if kind_of(rows) is not None:
        if fitting and issparse(rows):
            estimator.n_features_in_ = int(rows.shape[1])
        return rows
    if isinstance(X, Source) and X.modality not in ("array", "binary") and not is_frame(rows):
        if fitting:
            estimator.n_features_in_ = int(np.prod(rows.shape[1:]))
        return rows
    if (isinstance(rows, np.ndarray) and rows.ndim > 2) or is_ragged(rows):
        return rows
    if not fitting and isinstance(rows, list | tuple) and isinstance(estimator.processor_, SequenceProcessor):
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


def without_padding(data: Tensor, mask: Tensor | None) -> Tensor:
    """Reconstructed rows with NaN at padded steps, as they stand in data; the processor cuts them off.

    >>> without_padding(torch.ones(1, 3), torch.tensor([[True, True, False]]))
    tensor([[1., 1., nan]])
    """
    if mask is None or mask.shape != data.shape[: mask.ndim]:
        return data
    return data.masked_fill(~mask.reshape(mask.shape + (1,) * (data.ndim - mask.ndim)), torch.nan)


def whole_lanes(batch: Batch) -> Batch:
    """The batch with its last row repeated up to whole vector lanes.

    A sigmoid rounds differently in the last few entries of a tensor: whole lanes keep rows independent of order.
    """
    extra = -len(batch) % LANES
    return batch.map(lambda t: _lengthened(t, extra)) if extra else batch


def _lengthened(t: Tensor, extra: int) -> Tensor:
    if is_sparse(t):
        return rows_at(t, torch.arange(len(t) + extra, device=t.device).clamp_max(len(t) - 1))
    return torch.cat([t, t[-1:].expand(extra, *t.shape[1:])])
