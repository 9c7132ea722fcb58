"""Texts as tokens: cut by a tokenizer that learns from the rows themselves, closed by an end token, and back."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core import Batch, Processor, Spec, register
from ..core.errors import out_of_range, unknown
from .process_sequence import END, FIRST, UNKNOWN
from .texts import checked_texts
from .tokenize import TOKENIZERS, Tokenizer

COMMON, MOST = 95, 512
"""Rows keep as many tokens as 95 of 100 rows have, at most 512, unless the longest is hardly longer."""
HARDLY = 1.5
DEFAULT_VOCABULARY = 8000


@register("processor", "text")
class TextProcessor(Processor):
    """Texts (N,) of str as rows of tokens of one length, each closed by an end token, and back.

        "a text" ──tokenizer──▶ 17 4 230 ──end, pad──▶ x (N, T) int32, lengths ──collate──▶ Batch, mask = scored

    Index 0 ends a text (and pads), 1 stands for what was not there at fit, tokens start at 2. The decoder learns to
    give the end, so a code alone says how long its text is. Bytes are what "bpe" and "unigram" are made of: any
    character and the empty text come back as they were. ``notices`` tells how many rows were cut.

    Parameters
    ----------
    tokens : "bpe" (byte pairs), "unigram" (of bytes too), "words" (letters and digits, or one sign; blanks are not
        kept) or "characters".
    vocabulary : int, most tokens: at least 300 for bpe and unigram, which begin with all 256 bytes, else at least 3.
    length : int >= 1, most tokens of a row; longer rows are cut. None: what 95 of 100 rows need, at most 512.

    Raises `UsageError` for parameters out of range, `DataError` naming the row for what is no text.

    Reference: Sennrich, Haddow & Birch (2016), "Neural machine translation of rare words with subword units";
    Kudo (2018), "Subword regularization" (unigram).

    >>> texts = TextProcessor(tokens="characters").fit(["abba", "ab"])
    >>> tensors = texts.encode(["ab", "", "abc"])
    >>> tensors["x"].tolist(), tensors["lengths"].tolist()
    ([[2, 3, 0, 0, 0], [0, 0, 0, 0, 0], [2, 3, 1, 0, 0]], [3, 1, 4])
    >>> texts.invert(tensors["x"])
    ['ab', '', 'ab�']
    """

    def __init__(self, tokens: str = "bpe", vocabulary: int = DEFAULT_VOCABULARY, length: int | None = None) -> None:
        if tokens not in TOKENIZERS:
            raise unknown("tokens", tokens, TOKENIZERS)
        least = TOKENIZERS[tokens].least
        if not isinstance(vocabulary, int) or isinstance(vocabulary, bool) or vocabulary < least:
            raise out_of_range("vocabulary", f"an int of at least {least} for {tokens!r}", vocabulary)
        if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
            raise out_of_range("length", "an int of at least 1, or None", length)
        self.tokens, self.vocabulary, self.length = tokens, vocabulary, length
        self.tokenizer: Tokenizer = TOKENIZERS[tokens]()
        self.steps = 0
        self.notices: list[str] = []

    def fit(self, rows: Any) -> Self:
        """Learn the tokens and, where it is not given, the length of rows."""
        texts = checked_texts(rows)
        self.tokenizer.learn(texts, self.vocabulary - FIRST)
        lengths = np.array([len(row) for row in self.tokenizer.split(texts)])
        most = max(1, int(lengths.max())) if self.length is None else self.length
        if self.length is None:
            usual = max(1, int(np.ceil(np.percentile(lengths, COMMON))))
            most = min(MOST, most if most <= HARDLY * usual else usual)
        self.steps = most + 1
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows as ``x`` (N, T) int32 and ``lengths`` (N,) long, the end token counted."""
        most = self.steps - 1
        found = self.tokenizer.split(checked_texts(rows))
        whole = np.array([len(row) for row in found])
        cut = int((whole > most).sum())
        self.notices = []
        if cut:
            self.notices.append(
                f"{cut} of {len(found)} texts have more than {most} tokens and were cut; "
                f"the longest has {whole.max()}: 'text(length={whole.max()})' keeps all"
            )
        lengths = np.minimum(whole, most)
        x = np.full((len(found), self.steps), END, np.int32)
        every = np.concatenate([np.asarray(row[:most], np.int32) for row in found])
        x[np.arange(self.steps) < lengths[:, None]] = every + FIRST
        return {"x": torch.from_numpy(x), "lengths": torch.from_numpy(lengths + 1)}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"].long()
        mask = torch.arange(self.steps) < tensors["lengths"][:, None]
        return Batch(x, x, mask=mask, scored=mask)

    def invert(self, data: Tensor) -> list[str]:
        """Texts from indices (N, T) or probabilities of tokens (N, T, V), up to the first end; NaN ends a text too.

        An unknown token is never the likeliest; where an index says it, it comes back as U+FFFD.
        """
        index = chosen_tokens(data)
        ended = np.concatenate([index == END, np.ones((len(index), 1), bool)], 1).argmax(1)
        return self.tokenizer.join([(row[:end] - FIRST).tolist() for row, end in zip(index, ended, strict=True)])

    def defaults(self) -> dict[str, Spec]:
        size = self.tokenizer.size + FIRST
        return {"loss": Spec("categorical", classes=size), "network": Spec("recurrent", vocabulary=size, width=128)}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.steps,)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return (self.steps,)

    def state(self) -> dict[str, Any]:
        given = {"tokens": self.tokens, "vocabulary": self.vocabulary, "length": self.length}
        return {**given, "steps": self.steps, "tokenizer": self.tokenizer.state()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(state["tokens"], state["vocabulary"], state["length"])
        made.steps = state["steps"]
        made.tokenizer.load(state["tokenizer"])
        return made


def chosen_tokens(data: Tensor) -> np.ndarray:
    """Indices (N, T) of tokens: the likeliest known ones of probabilities (N, T, V); NaN is the end."""
    values = data.detach().cpu()
    if values.ndim == 2:
        return values.nan_to_num(END).numpy().astype(np.int64) if values.is_floating_point() else values.numpy()
    padded = values.isnan().any(-1)
    chances = values.nan_to_num(0.0)
    chances[..., UNKNOWN] = -1.0
    return torch.where(padded, END, chances.argmax(-1)).numpy()
