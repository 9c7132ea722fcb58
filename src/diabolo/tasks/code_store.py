"""Codes, or bits, that are searched: what is kept of them, and the k nearest by each kind of search."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ..core.errors import DataError, UsageError, out_of_range
from . import approximate, faiss_arrays, hashing
from .nearest import Exact, Found

KINDS, METRICS, GRAPHS = ("exact", "hnsw", "ivf-pq", "binary"), ("cosine", "euclidean"), ("hnsw", "ivf-pq")
USUAL_BITS, HASHED = 64, 20_000
"""Bits where none are asked for, at most; codes that a rotation is learnt from."""
SAVED = "faiss."
"""How the arrays of FAISS's index are called."""
PROBES, SHARE, JUDGED = 512, 10, 10
"""Codes that the effort is decided by, one in ten of the new ones at most, and how many neighbours they must find."""
UNTRIED = 64
"""The effort where there are too few codes to decide."""


@dataclass
class CodeStore:
    """The codes of an index in ``arrays`` ("codes" or "bits", "mean" and "turn"), what was decided in ``facts``.

    ``kind``, ``metric``, ``bits``, ``recall``: those of `SearchIndex`. ``repeatable``: graphs are built by one thread.
    FAISS's own index is a cache: it is made of the codes when it is first needed, and lengthened when there are more.

    >>> store = CodeStore({}, {}, "exact", "euclidean")
    >>> store.add(np.array([[0.0], [1.0], [5.0]], np.float32))
    >>> [part.tolist() for part in store.like(np.array([1]), 2)]
    [[[1.0, 4.0]], [[0, 2]]]
    """

    arrays: dict[str, ndarray]
    facts: dict[str, Any]
    kind: str
    metric: str
    bits: int | None = None
    recall: float = 0.98
    repeatable: bool = True
    graph: Any = field(default=None, repr=False)
    order: ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    exact: Exact | None = field(default=None, repr=False)

    def check(self) -> None:
        """Raise `UsageError` for parameters out of range, `MissingExtra` where FAISS is needed and not there."""
        for name, value, known in (("kind", self.kind, KINDS), ("metric", self.metric, METRICS)):
            if value not in known:
                raise out_of_range(name, " or ".join(map(repr, known)), value)
        if self.bits is not None and (not isinstance(self.bits, int) or isinstance(self.bits, bool) or self.bits < 1):
            raise out_of_range("bits", "an int of at least 1, or None", self.bits)
        if not (isinstance(self.recall, int | float) and 0 < self.recall <= 1):
            raise out_of_range("recall", "a share in (0, 1]", self.recall)
        if self.kind != "exact":
            approximate.faiss()

    def __len__(self) -> int:
        return len(self.arrays.get("bits", self.arrays.get("codes", ())))

    # keeping ------------------------------------------------------------------------------------------------

    def learn(self, codes: Float[ndarray, "n d"]) -> None:
        """Note how wide codes are; learn how they become bits. Raises `UsageError` for more bits than values."""
        most = self.facts["values"] = codes.shape[1]
        if self.kind != "binary":
            return
        plain = hashing.is_binary(codes)
        if (self.bits or 1) > most or (plain and self.bits not in (None, most)):
            raise out_of_range("bits", f"{'' if plain else 'at most '}{most}, the values of a code, or None", self.bits)
        self.facts["bits"] = self.bits or (most if plain else min(most, USUAL_BITS))
        if not plain:
            some = codes[np.random.default_rng(0).permutation(len(codes))[:HASHED]]
            mean, turn = hashing.itq(some.astype(np.float64), self.facts["bits"])
            self.arrays.update(mean=mean, turn=turn)

    def add(self, codes: Float[ndarray, "n d"]) -> None:
        """Keep more codes, after those that are there."""
        if "values" not in self.facts:
            self.learn(codes)
        name, values = ("bits", self.as_bits(codes)) if self.kind == "binary" else ("codes", codes)
        held = self.arrays.get(name)
        self.arrays[name] = values if held is None else np.concatenate([held, values])
        self.exact = None

    def as_bits(self, codes: Float[ndarray, "n d"]) -> ndarray:
        """Bits of codes, 8 a byte."""
        return hashing.packed((codes - self.arrays["mean"]) @ self.arrays["turn"] if "turn" in self.arrays else codes)

    # searching ----------------------------------------------------------------------------------------------

    def nearest(self, codes: Float[ndarray, "q d"], k: int) -> Found:
        """Distances and numbers of the k nearest; fewer, where there are fewer."""
        if self.kind == "binary":
            return self._by_bits(self.as_bits(codes), k)
        return self._by_codes(codes, k)

    def like(self, numbers: ndarray, k: int) -> Found:
        """Distances and numbers of the k nearest to codes of these numbers, without themselves."""
        total = len(self._filled())
        if ((numbers < 0) | (numbers >= total)).any():
            raise out_of_range("row", f"from 0 to {total - 1}, the rows of this index", numbers.tolist())
        if total == 1:
            raise DataError("the index holds one row alone; there is nothing beside it.")
        if self.kind == "binary":
            return without(self._by_bits(self.arrays["bits"][numbers], k + 1), numbers)
        return without(self._by_codes(self.arrays["codes"][numbers], k + 1), numbers)

    def recall_at(self, codes: Float[ndarray, "q d"], k: int) -> float:
        """Share of the k nearest to codes that is found, against exact search; what is as near counts as found."""
        if self.kind == "binary":
            raise UsageError("an index of bits keeps no codes, so there is no exact search to hold it against.")
        truth = self.by_force().search(codes, min(k, len(self._filled())))
        return float(found_of(self.nearest(codes, k), truth).mean())

    def by_force(self) -> Exact:
        """Exact search over the codes."""
        if self.exact is None:
            self.exact = Exact(self.arrays["codes"], self.metric)
        return self.exact

    def _filled(self) -> CodeStore:
        if not len(self):
            raise DataError("the index holds no rows; add some first.")
        return self

    def _by_bits(self, bits: ndarray, k: int) -> Found:
        return approximate.nearest_bits(self.arrays["bits"], bits, min(k, len(self)))

    def _by_codes(self, codes: ndarray, k: int) -> Found:
        k = min(k, len(self))
        if self.kind == "exact":
            return self.by_force().search(codes, k)
        return self._by_graph(self.built(), int(self.facts["effort"]), codes, k)

    def _by_graph(self, graph: Any, effort: int, codes: ndarray, k: int) -> Found:
        return approximate.search(graph, self.kind, effort, self.arrays["codes"], self.order, self.metric, codes, k)

    # FAISS's part -------------------------------------------------------------------------------------------

    def built(self) -> Any:
        """FAISS's index of all codes: made again of saved arrays, begun, lengthened, as need be."""
        codes = self.arrays["codes"]
        if self.graph is None:
            saved = {name.removeprefix(SAVED): held for name, held in self.arrays.items() if name.startswith(SAVED)}
            self._restore(codes, saved) if saved else self._begin(codes)
        if len(self.order) < len(codes):
            self._lengthen(np.arange(len(self.order), len(codes)))
        return self.graph

    def _begin(self, codes: ndarray) -> None:
        self.graph, self.order = approximate.started(self.kind, codes, self.metric), np.zeros(0, np.int64)
        self.facts["effort"] = UNTRIED

    def _restore(self, codes: ndarray, saved: dict[str, ndarray]) -> None:
        order = faiss_arrays.order_of(saved, len(codes))
        empty = approximate.graph(codes.shape[1]) if self.kind == "hnsw" else None
        rows = approximate.as_searched(codes[order], self.metric)
        self.graph, self.order = faiss_arrays.from_arrays(self.kind, empty, saved, rows), order
        self.unseal()

    def _lengthen(self, new: ndarray) -> None:
        """Add rows; some of them last of all, for before that they are queries like any, and say how far to look."""
        count = min(PROBES, len(new) // SHARE)
        probes = np.unique(np.linspace(0, len(new) - 1, count).astype(np.int64)) if count else np.zeros(0, np.int64)
        for part in (np.delete(new, probes), new[probes]):
            if len(part) and len(part) == count and len(self.order) > JUDGED:
                self._decide(part)
            approximate.add(self.graph, self.arrays["codes"][part], self.metric, repeatable=self.repeatable)
            self.order = np.concatenate([self.order, part])

    def _decide(self, probes: ndarray) -> None:
        """The least effort that finds enough neighbours of codes that are not in the graph, by one standard error."""
        codes = self.arrays["codes"]
        truth = Exact(codes[self.order], self.metric).search(codes[probes], JUDGED)
        for effort in approximate.LADDER[self.kind]:
            found = found_of(self._by_graph(self.graph, effort, codes[probes], JUDGED), truth).mean(1)
            if found.mean() - found.std() / len(found) ** 0.5 >= self.recall:
                break
        self.facts.update(effort=max(effort, self.facts.get("tried", 0)), tried=effort, recall=float(found.mean()))

    def seal(self) -> None:
        """Put what FAISS's index has learnt among the arrays, to be saved."""
        if self.kind in GRAPHS and len(self):
            found = {**faiss_arrays.to_arrays(self.kind, self.built()), "order": self.order}
            self.arrays.update({f"{SAVED}{name}": held for name, held in found.items()})

    def unseal(self) -> None:
        """Take it away, where FAISS's index itself is at hand."""
        if self.graph is not None:
            for name in [name for name in self.arrays if name.startswith(SAVED)]:
                del self.arrays[name]


def without(found: Found, numbers: ndarray) -> Found:
    """Neighbours without the rows themselves; where a row is not among its own, without the farthest.

    >>> without((np.array([[0.0, 2.0]]), np.array([[7, 3]])), np.array([7]))[1].tolist()
    [[3]]
    """
    own = found[1] == numbers[:, None]
    own[~own.any(1), -1] = True
    shape = (len(numbers), found[1].shape[1] - 1)
    return found[0][~own].reshape(shape), found[1][~own].reshape(shape)


def found_of(found: Found, truth: Found) -> ndarray:
    """Which neighbours (Q, k) are as near as the last true one."""
    near: ndarray = found[0] <= truth[0][:, -1:]
    return near
