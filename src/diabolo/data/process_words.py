"""Texts as bags of words: how often each word is there, whatever the order."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from ..core import Batch, Processor, Spec, register
from ..core.errors import DataError, out_of_range, unknown
from .sparse import SparseRows
from .texts import checked_texts, without_blanks

WEIGHTS = {"counts": "multinomial", "tf-idf": "squared", "binary": "bernoulli"}
"""How a word counts -> the loss that asks for it."""
UNITS = ("auto", "words", "characters")
SHOWN, LIGHTEST = 30, 0.1
"""A bag comes back as its heaviest words, at most 30, none of less than a tenth of the heaviest."""


@register("processor", "bag-of-words")
class BagOfWords(Processor):
    """Texts (N,) of str as weights of the words of a vocabulary; held sparse, dense one batch at a time.

        texts ──count──▶ (offsets, columns, values) ──collate──▶ x (B, V), target (B, V)

    counts  target = n, x = log(1 + n) of unit length       binary  x = target = 1 where the word is there
    tf-idf  x = target = (1 + log n) · (1 + log((1 + N) / (1 + documents with the word))), of unit length

    Back from a batch come the heaviest words, heaviest first, joined by blanks. ``notices`` tells what the units are.

    Parameters
    ----------
    vocabulary : int >= 2, most words: the commonest.
    weight : "counts", "tf-idf" or "binary".
    lower : bool, whether capital letters are made small.
    unit : "words" of two letters or digits or more, "characters" and pairs of neighbours, or "auto": characters where
        a third of the letters are Chinese or Japanese, which are written without blanks.
    min_count : int >= 1, texts a word must be in.

    Raises `UsageError` for parameters out of range, `DataError` where no word is left.

    Reference: Salton & Buckley (1988), "Term-weighting approaches in automatic text retrieval".

    >>> bags = BagOfWords(min_count=1).fit(["red red fish", "blue fish"])
    >>> batch = bags.collate(bags.encode(["red fish red", "no such word"]))
    >>> bags.words, batch.target.tolist()
    (['blue', 'fish', 'red'], [[0.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    >>> bags.invert(batch.target)
    ['red fish', '']
    """

    def __init__(
        self,
        vocabulary: int = 10_000,
        weight: str = "counts",
        lower: bool = True,
        unit: str = "auto",
        min_count: int = 2,
    ) -> None:
        for name, value, least in (("vocabulary", vocabulary, 2), ("min_count", min_count, 1)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise out_of_range(name, f"an int of at least {least}", value)
        if weight not in WEIGHTS:
            raise unknown("weight", weight, WEIGHTS)
        if unit not in UNITS:
            raise unknown("unit", unit, UNITS)
        self.vocabulary, self.weight, self.lower = vocabulary, weight, bool(lower)
        self.unit, self.min_count = unit, min_count
        self.words: list[str] = []
        self.rarity = np.zeros(0, np.float32)
        self.notices: list[str] = []

    def fit(self, rows: Any) -> Self:
        """Learn the vocabulary, and in how many texts each word is."""
        texts = checked_texts(rows)
        if self.unit == "auto":
            self.unit = "characters" if without_blanks(texts) else "words"
        counter = self._counter(max_features=self.vocabulary, min_df=self.min_count)
        try:
            counts = counter.fit_transform(texts)
        except ValueError as error:
            raise DataError(
                f"no word is in {self.min_count} texts or more ({error}); take a smaller min_count."
            ) from None
        self.words = counter.get_feature_names_out().tolist()
        there = np.bincount(counts.indices, minlength=len(self.words))
        self.rarity = (1 + np.log((1 + len(texts)) / (1 + there))).astype(np.float32)
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows as ``x``, `SparseRows` of counts or weights."""
        texts = checked_texts(rows)
        counts = self._counter(vocabulary=self.words).transform(texts).astype(np.float32)
        unit = "words" if self.unit == "words" else "characters and their pairs"
        self.notices = [f"texts as bags of {len(self.words)} {unit}; 'bag-of-words(unit=…)' changes it"]
        empty = int((np.diff(counts.indptr) == 0).sum())
        if empty:
            self.notices.append(f"{empty} of {len(texts)} texts hold no word of the vocabulary: their bags are empty")
        return {"x": SparseRows.of(self._weighted(counts))}  # type: ignore[dict-item]

    def _weighted(self, counts: csr_matrix) -> csr_matrix:
        if self.weight == "binary":
            counts.data[:] = 1
        if self.weight == "tf-idf":
            counts.data = (1 + np.log(counts.data)) * self.rarity[counts.indices]
            counts = _unit_length(counts)
        return counts

    def _counter(self, **given: Any) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer

        cut = {"analyzer": "char", "ngram_range": (1, 2)} if self.unit == "characters" else {"analyzer": "word"}
        return CountVectorizer(lowercase=self.lower, **cut, **given)

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        rows: Any = tensors["x"]
        target = rows.dense(len(self.words))
        if self.weight != "counts":
            return Batch(target, target)
        return Batch(torch.nn.functional.normalize(torch.log1p(target), dim=1), target)

    def invert(self, data: Tensor) -> list[str]:
        """Weights (N, V) as the heaviest words of every row, joined by blanks."""
        values, places = data.detach().cpu().float().topk(min(SHOWN, len(self.words)), 1)
        keep = (values > 0) & (values >= LIGHTEST * values[:, :1])
        words = np.asarray(self.words, object)
        return [" ".join(words[row[kept]]) for row, kept in zip(places.numpy(), keep.numpy(), strict=True)]

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec(WEIGHTS[self.weight])}

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.words),)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return (len(self.words),)

    def state(self) -> dict[str, Any]:
        names = ("vocabulary", "weight", "lower", "unit", "min_count", "words")
        return {**{name: getattr(self, name) for name in names}, "rarity": self.rarity.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        names = ("vocabulary", "weight", "lower", "unit", "min_count")
        made = cls(**{name: state[name] for name in names})
        made.words, made.rarity = list(state["words"]), np.asarray(state["rarity"], np.float32)
        return made


def _unit_length(rows: csr_matrix) -> csr_matrix:
    """Rows divided by their length; empty ones stay."""
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel())
    counts = np.diff(rows.indptr)
    rows.data /= np.repeat(np.where(norms > 0, norms, 1), counts)
    return rows
