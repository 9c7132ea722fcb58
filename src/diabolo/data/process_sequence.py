"""Sequences of any length: padded for the networks, cut again on the way back."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..core import Batch, Processor, Spec, register
from ..core.errors import DataError

END, UNKNOWN, FIRST = 0, 1, 2
"""Indices of tokens: the end of a sequence, one that was not there at fit, and the first known one."""


@register("processor", "sequence")
class SequenceProcessor(Processor):
    """Series of real values, or sequences of whole numbers (tokens), of unequal length.

        [(T_i, C) …] ──standardise, pad──▶ x (N, T, C), lengths ──collate──▶ Batch with mask = scored (N, T)

    Rows: a list of arrays (T_i, C) or (T_i,), or an array (N, T, C) or (N, T) in which trailing steps of NaN alone are
    padding. They come back in the form given at fit. Every channel is standardised by its mean and spread over the
    real steps of the fit rows. T is the longest row at fit; longer ones are refused.

    A *list* of rows of whole numbers is sequences of tokens. They become indices, and each sequence is closed by an
    end token that the decoder learns to give, so that a code alone says how long its row is. Tokens not there at fit
    share one index. Of real values the code says nothing of the length: where it is not known (`inverse_transform`)
    rows have all T steps.

    Raises `DataError` naming row and step for NaN or infinity in a real step, for rows without steps, of other
    channels, or too long.

    >>> rows = [np.array([0.0, 2.0]), np.array([4.0])]
    >>> series = SequenceProcessor().fit(rows)
    >>> batch = series.collate(series.encode(rows))
    >>> series.shape, batch.mask.tolist()
    ((2, 1), [[True, True], [True, False]])
    >>> tokens = SequenceProcessor().fit([[7, 5], [7]])
    >>> tokens.encode([[5, 7], [9]])["x"].tolist()
    [[2, 3, 0], [1, 0, 0]]
    """

    def __init__(self) -> None:
        self.steps, self.flat, self.ragged = 0, True, False
        self.mean = self.scale = np.zeros(0, np.float32)
        self.tokens: ndarray | None = None

    def fit(self, rows: Any) -> Self:
        """Learn the longest row, and each channel's mean and spread, or the vocabulary."""
        self.ragged = isinstance(rows, list | tuple) or _holds_objects(rows)
        if _are_tokens(rows):
            sequences = [np.asarray(row) for row in rows]
            self.tokens = np.unique(np.concatenate(sequences))
            self.steps = max(len(row) for row in sequences) + 1
            return self
        arrays, self.flat = _arrays(rows)
        self.steps = max(len(row) for row in arrays)
        every = np.concatenate(arrays).astype(np.float64)
        spread = every.std(0)
        self.mean = every.mean(0).astype(np.float32)
        self.scale = np.where(spread > 0, spread, 1.0).astype(np.float32)
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows as ``x`` (N, T, C) float32, or (N, T) long for tokens, and ``lengths`` (N,) long."""
        if self.tokens is not None:
            return self._encode_tokens(rows)
        arrays, flat = _arrays(rows)
        channels = arrays[0].shape[1]
        if channels != len(self.mean) or flat != self.flat:
            raise DataError(f"steps have {channels} channels, but the model is expecting {len(self.mean)}.")
        lengths = np.array([len(row) for row in arrays])
        self._check_lengths(lengths)
        mask = np.arange(self.steps) < lengths[:, None]
        x = np.zeros((len(arrays), self.steps, channels), np.float32)
        x[mask] = (np.concatenate(arrays) - self.mean) / self.scale
        if not np.isfinite(x).all():
            raise DataError("Input X holds a value too large for dtype('float32') after standardisation.")
        return {"x": torch.from_numpy(x), "lengths": torch.from_numpy(lengths)}

    def _encode_tokens(self, rows: Any) -> dict[str, Tensor]:
        known: ndarray = self.tokens  # type: ignore[assignment]
        sequences = [np.asarray(row) for row in rows]
        for number, row in enumerate(sequences):
            if row.ndim != 1 or not len(row) or row.dtype.kind not in "iu":
                raise DataError(f"row {number} is no sequence of whole numbers (tokens), as those at fit were.")
        lengths = np.array([len(row) + 1 for row in sequences])
        self._check_lengths(lengths)
        every = np.concatenate(sequences)
        place = np.searchsorted(known, every).clip(max=len(known) - 1)
        index = np.where(known[place] == every, place + FIRST, UNKNOWN)
        x = np.full((len(sequences), self.steps), END)
        x[np.arange(self.steps) < lengths[:, None] - 1] = index
        return {"x": torch.from_numpy(x), "lengths": torch.from_numpy(lengths)}

    def _check_lengths(self, lengths: ndarray) -> None:
        if (lengths > self.steps).any():
            end = 0 if self.tokens is None else 1
            raise DataError(
                f"row {int(lengths.argmax())} has {lengths.max() - end} steps, but the model is expecting at most "
                f"{self.steps - end}, the longest at fit; cut it, or fit with rows as long."
            )

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"]
        mask = torch.arange(self.steps) < tensors["lengths"][:, None]
        return Batch(x, x, mask=mask, scored=mask)

    def invert(self, data: Tensor) -> Any:
        """Data (N, T, C), steps of NaN after the end, or probabilities of tokens (N, T, V), as rows as at fit."""
        values = data.detach().cpu().float().numpy()
        if self.tokens is not None:
            return self._invert_tokens(values)
        rows = values.reshape(len(values), self.steps, -1) * self.scale + self.mean
        rows = rows[..., 0] if self.flat else rows
        if not self.ragged:
            return rows
        return [row[:length] for row, length in zip(rows, _lengths(values), strict=True)]

    def _invert_tokens(self, values: ndarray) -> list[list[int]]:
        known: ndarray = self.tokens  # type: ignore[assignment]
        index = values
        if values.ndim == 3:
            padded = np.isnan(values).any(-1)
            chances = np.nan_to_num(values)
            chances[..., UNKNOWN] = -1.0
            index = np.where(padded, END, chances.argmax(-1))
        ended = np.concatenate([index == END, np.ones((len(index), 1), bool)], 1).argmax(1)
        return [
            known[(row[:end] - FIRST).astype(int).clip(min=0)].tolist() for row, end in zip(index, ended, strict=True)
        ]

    def defaults(self) -> dict[str, Spec]:
        if self.tokens is None:
            return {"loss": Spec("squared"), "network": Spec("recurrent")}
        size = len(self.tokens) + FIRST
        return {"loss": Spec("categorical", classes=size), "network": Spec("recurrent", vocabulary=size)}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.steps, len(self.mean)) if self.tokens is None else (self.steps,)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.shape

    def state(self) -> dict[str, Any]:
        return {
            "steps": self.steps, "flat": self.flat, "ragged": self.ragged, "mean": self.mean.tolist(),
            "scale": self.scale.tolist(), "tokens": None if self.tokens is None else self.tokens.tolist(),
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls()
        made.steps, made.flat, made.ragged = state["steps"], state["flat"], state["ragged"]
        made.mean, made.scale = (np.asarray(state[name], dtype=np.float32) for name in ("mean", "scale"))
        made.tokens = None if state["tokens"] is None else np.asarray(state["tokens"])
        return made


def is_ragged(rows: Any) -> bool:
    """Whether rows are a list of sequences of unequal length, which no array can hold.

    >>> is_ragged([[1.0, 2.0], [3.0]]), is_ragged([[1.0], [2.0]])
    (True, False)
    """
    if not isinstance(rows, list | tuple) and not _holds_objects(rows):
        return False
    if getattr(rows, "ndim", 1) != 1 or not len(rows) or type(rows[0]) not in (list, tuple, np.ndarray):
        return False
    return all(type(row) in (list, tuple, np.ndarray) for row in rows) and len({len(row) for row in rows}) > 1


def _are_tokens(rows: Any) -> bool:
    """Whether rows are a list of sequences of whole numbers; an array of them is series of numbers."""
    if not isinstance(rows, list | tuple) or not len(rows):
        return False
    kinds = [np.asarray(row) for row in rows]
    return all(row.ndim == 1 and row.dtype.kind in "iu" and len(row) for row in kinds)


def _arrays(rows: Any) -> tuple[list[ndarray], bool]:
    """Every row (T_i, C) float, padding cut off and checked, and whether channels were left out."""
    if isinstance(rows, Tensor):
        rows = rows.detach().cpu().numpy()
    try:
        if isinstance(rows, list | tuple) or _holds_objects(rows):
            found = [np.asarray(row, dtype=np.float64) for row in rows]
        else:
            found = list(np.asarray(rows, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise DataError(f"Input X holds something that is no sequence of numbers: {error}.") from error
    if not found:
        raise DataError("there are no sequences: X is empty.")
    shapes = {row.shape[1:] for row in found}
    if len(shapes) != 1 or found[0].ndim not in (1, 2):
        raise DataError(
            "sequences must all be (T_i,) or all be (T_i, C) with the same C; got steps of shape "
            f"{', '.join(str(shape) for shape in sorted(shapes, key=str))}."
        )
    flat = found[0].ndim == 1
    rows_ = [row[:, None] if flat else row for row in found]
    return [_real(row, number) for number, row in enumerate(rows_)], flat


def _real(row: ndarray, number: int) -> ndarray:
    """The steps of a row before its padding."""
    length = int(_lengths(row[None])[0]) if len(row) else 0
    if not length or not row.shape[1]:
        raise DataError(f"row {number} has no steps; leave it out.")
    real = row[:length]
    bad = ~np.isfinite(real)
    if bad.any():
        step, value = int(bad.any(1).argmax()), real[bad][0]
        what = "NaN" if np.isnan(value) else "infinity"
        raise DataError(
            f"Input X contains {what} at row {number}, step {step}; fill it (only steps at the end may be NaN alone)."
        )
    return real


def _lengths(rows: ndarray) -> ndarray:
    """Steps up to the last that is not NaN alone."""
    there = ~np.isnan(rows).all(-1)
    return np.where(there.any(1), rows.shape[1] - there[:, ::-1].argmax(1), 0)


def _holds_objects(rows: Any) -> bool:
    return getattr(getattr(rows, "dtype", None), "kind", "") == "O"
