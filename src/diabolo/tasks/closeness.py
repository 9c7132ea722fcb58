"""How close rows lie to real ones: what tells new rows from copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.neighbors import NearestNeighbors

from ..core.errors import require
from ..data import TableProcessor

MOST = 10_000
"""Real rows that distances are measured to, at most."""


class Closeness:
    """Distances to the closest of some real rows: Euclidean, numbers standardised, a category 1 from any other.

    >>> import pandas as pd
    >>> close = Closeness(pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0]}))
    >>> [round(close.ratio(pd.DataFrame({"a": rows})), 3) for rows in ([0.0, 3.0], [4.0, 4.0])]
    [0.0, 1.0]
    """

    def __init__(self, real: Any, seed: int = 0) -> None:
        self._reader = TableProcessor().fit(real)
        chosen = np.random.default_rng(seed).permutation(len(real))[:MOST]
        self._real = self._read(real.iloc[np.sort(chosen)])
        self._search = NearestNeighbors(n_neighbors=1).fit(self._real)

    def _read(self, rows: Any) -> ndarray:
        values = self._reader.encode(rows)["x"].double().numpy()
        wide = [span for kind, span in zip(self._reader.kinds.values(), self._reader.slices.values(), strict=True)
                if kind == "categorical"]  # fmt: skip
        for span in wide:
            values[:, span] /= np.sqrt(2)
        return values

    def distances(self, rows: Any) -> ndarray:
        """Of each row to the closest real one (N,)."""
        return np.asarray(self._search.kneighbors(self._read(rows))[0][:, 0])

    def others(self, rows: Any) -> ndarray:
        """Of some of the real rows to the closest other one (N,)."""
        return np.asarray(self._search.kneighbors(self._read(rows), 2)[0][:, 1])

    def apart(self, count: int = MOST) -> ndarray:
        """Of real rows to the closest other one: what rows have that are real and not copied."""
        some = self._real[:: max(1, len(self._real) // count)]
        return np.asarray(self._search.kneighbors(some, 2)[0][:, 1])

    def ratio(self, rows: Any, held: Any = None) -> float:
        """How far rows are from real ones, in units of how far held-out real rows are (None: real rows from others).

        The smaller of the ratio of means and that of medians, so that neither a few wild rows nor a few copies hide
        in it; NaN where the real rows have no distance.
        """
        return ratio_of(self.distances(rows), self.apart() if held is None else self.distances(held))


def ratio_of(ours: ndarray, real: ndarray) -> float:
    """The smaller of the ratio of means and that of medians, of those that are defined."""
    pairs = [(float(of(ours)), float(of(real))) for of in (np.mean, np.median)]
    return min((mine / theirs for mine, theirs in pairs if theirs > 0), default=float("nan"))


def duplicates(rows: Any, real: Any) -> int:
    """How many rows are a real row, cell by cell."""
    hashed = require("pandas", "table", "comparing rows").util.hash_pandas_object
    same = {name: real[name].dtype for name in real.columns}
    return int(np.isin(hashed(rows[list(real.columns)].astype(same), index=False), hashed(real, index=False)).sum())
