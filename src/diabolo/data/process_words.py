"""Texts as bags of words: how often each word is there, whatever the order."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from ..core import Batch, Processor, Spec, register
from ..core.errors import DataError, out_of_range, unknown
from .sparse import SparseRows
from .stop_words import has_content
from .texts import IDEOGRAPHS, checked_texts, without_blanks

WEIGHTS = {"counts": "multinomial", "tf-idf": "squared", "binary": "bernoulli"}
"""How a word counts -> the loss that asks for it."""
UNITS = {"auto": "", "words": "words", "characters": "characters and their pairs", "pairs": "words and pairs of signs"}
"""How a text is cut -> what its pieces are called."""
STOP_WORDS = ("keep", "drop")
LATER = ("max_share", "stop_words")
"""Parameters that models of older versions do not have."""
SIGNS = re.compile(f"({IDEOGRAPHS.pattern}+)")
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
        a third of the letters are Chinese or Japanese, which are written without blanks. "pairs": of those scripts
        the pairs of neighbours alone, nearest to words; of all others the words.
    min_count : int >= 1, texts a word must be in.
    max_share : in (0, 1], most of the texts a word may be in.
    stop_words : "keep", or "drop": English and Chinese function words and all with digits are left out.

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
        max_share: float = 1.0,
        stop_words: str = "keep",
    ) -> None:
        for name, value, least in (("vocabulary", vocabulary, 2), ("min_count", min_count, 1)):
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise out_of_range(name, f"an int of at least {least}", value)
        if weight not in WEIGHTS:
            raise unknown("weight", weight, WEIGHTS)
        if unit not in UNITS:
            raise unknown("unit", unit, UNITS)
        if stop_words not in STOP_WORDS:
            raise unknown("stop_words", stop_words, STOP_WORDS)
        if not (isinstance(max_share, int | float) and 0 < max_share <= 1):
            raise out_of_range("max_share", "a share in (0, 1]", max_share)
        self.vocabulary, self.weight, self.lower = vocabulary, weight, bool(lower)
        self.unit, self.min_count = unit, min_count
        self.max_share, self.stop_words = float(max_share), stop_words
        self.words: list[str] = []
        self.rarity = np.zeros(0, np.float32)
        self.notices: list[str] = []

    def fit(self, rows: Any) -> Self:
        """Learn the vocabulary, and in how many texts each word is."""
        texts = checked_texts(rows)
        if self.unit == "auto":
            self.unit = "characters" if without_blanks(texts) else "words"
        most = self.max_share
        counter = self._counter(max_features=self.vocabulary, min_df=self.min_count, max_df=most)
        try:
            counts = counter.fit_transform(texts)
        except ValueError as error:
            less = "" if most == 1 else f", and in at most {100 * most:g} % of them"
            raise DataError(
                f"no word is in {self.min_count} texts or more{less} ({error}); take a smaller min_count."
            ) from None
        self.words = counter.get_feature_names_out().tolist()
        there = np.bincount(counts.indices, minlength=len(self.words))
        self.rarity = (1 + np.log((1 + len(texts)) / (1 + there))).astype(np.float32)
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows as ``x``, `SparseRows` of counts or weights."""
        texts = checked_texts(rows)
        counts = self._counter(vocabulary=self.words).transform(texts).astype(np.float32)
        self.notices = [f"texts as bags of {len(self.words)} {UNITS[self.unit]}; 'bag-of-words(unit=…)' changes it"]
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

        cut: dict[str, Any] = {"analyzer": "word", "lowercase": self.lower}
        if self.unit == "characters":
            cut.update(analyzer="char", ngram_range=(1, 2))
        if self.unit == "pairs" or self.stop_words == "drop":
            split = CountVectorizer(**cut).build_analyzer()
            cut = {"analyzer": partial(_pieces, split, self.unit == "pairs", self.stop_words == "drop")}
        return CountVectorizer(**cut, **given)

    def cut(self, texts: list[str]) -> list[list[str]]:
        """Every text as its units, in their order, those outside the vocabulary too."""
        analyse = self._counter().build_analyzer()
        return [analyse(text) for text in texts]

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
        kept = {name: getattr(self, name) for name in ("vocabulary", "weight", "lower", "unit", "min_count", *LATER)}
        return {**kept, "words": self.words, "rarity": self.rarity.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        names = ("vocabulary", "weight", "lower", "unit", "min_count", *(name for name in LATER if name in state))
        made = cls(**{name: state[name] for name in names})
        made.words, made.rarity = list(state["words"]), np.asarray(state["rarity"], np.float32)
        return made


def _pieces(split: Callable[[str], list[str]], pairs: bool, drop: bool, text: str) -> list[str]:
    """The units of a text: as ``split`` gives them, or pairs of signs and words between them."""
    found: list[str] = []
    for place, part in enumerate(SIGNS.split(text) if pairs else [text]):
        found += [part[at : at + 2] for at in range(len(part) - 1)] if place % 2 else split(part)
    return [piece for piece in found if has_content(piece)] if drop else found


def _unit_length(rows: csr_matrix) -> csr_matrix:
    """Rows divided by their length; empty ones stay."""
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(1)).ravel())
    counts = np.diff(rows.indptr)
    rows.data /= np.repeat(np.where(norms > 0, norms, 1), counts)
    return rows
