"""Ways to cut a text into tokens and to join them again; each learns its tokens from texts."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, ClassVar

from ..core.errors import require

LOST = "\ufffd"
"""What stands in a text for a token that is not known."""


class Tokenizer(ABC):
    """Texts to lists of token numbers, from 0, -1 for what is not known; and back."""

    least: ClassVar[int] = 3

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of tokens."""

    @abstractmethod
    def learn(self, texts: list[str], most: int) -> None:
        """Take at most so many tokens from texts."""

    @abstractmethod
    def split(self, texts: list[str]) -> list[list[int]]: ...

    @abstractmethod
    def join(self, rows: list[list[int]]) -> list[str]: ...

    @abstractmethod
    def state(self) -> Any:
        """Plain JSON values; `load` is the inverse."""

    @abstractmethod
    def load(self, state: Any) -> None: ...


class _Listed(Tokenizer):
    """The commonest pieces of the texts, of equally common ones the first in order."""

    blank: ClassVar[str]

    def __init__(self) -> None:
        self.known: list[str] = []
        self.places: dict[str, int] = {}

    @abstractmethod
    def pieces(self, text: str) -> list[str]: ...

    @property
    def size(self) -> int:
        return len(self.known)

    def learn(self, texts: list[str], most: int) -> None:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(self.pieces(text))
        self.load([piece for piece, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]])

    def split(self, texts: list[str]) -> list[list[int]]:
        return [[self.places.get(piece, -1) for piece in self.pieces(text)] for text in texts]

    def join(self, rows: list[list[int]]) -> list[str]:
        return [self.blank.join(self.known[n] if 0 <= n < self.size else LOST for n in row) for row in rows]

    def state(self) -> Any:
        return self.known

    def load(self, state: Any) -> None:
        self.known = list(state)
        self.places = {piece: place for place, piece in enumerate(self.known)}


class Characters(_Listed):
    """One token a character."""

    blank = ""

    def pieces(self, text: str) -> list[str]:
        return list(text)


class Words(_Listed):
    """Runs of letters and digits, and every other sign by itself; blanks only part them.

    >>> Words().pieces("It's 20 °C.")
    ['It', "'", 's', '20', '°', 'C', '.']
    """

    blank = " "

    def pieces(self, text: str) -> list[str]:
        return re.findall(r"\w+|[^\w\s]", text)


class _Bytes(Tokenizer):
    """Pieces of UTF-8 bytes, by the package tokenizers: every text can be written in them."""

    least = 300

    def __init__(self) -> None:
        self.made: Any = None

    @property
    def size(self) -> int:
        return int(self.made.get_vocab_size())

    def learn(self, texts: list[str], most: int) -> None:
        package = require("tokenizers", "text", "cutting texts into tokens")
        model, trainer = self.kind(package, most, package.pre_tokenizers.ByteLevel.alphabet())
        made = package.Tokenizer(model)
        made.pre_tokenizer = package.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = package.decoders.ByteLevel()
        made.train_from_iterator(texts, trainer)
        self.made = made

    @abstractmethod
    def kind(self, package: Any, most: int, alphabet: list[str]) -> tuple[Any, Any]:
        """The package's model and its trainer, for at most so many tokens over an alphabet of all bytes."""

    def split(self, texts: list[str]) -> list[list[int]]:
        return [found.ids for found in self.made.encode_batch(texts)]

    def join(self, rows: list[list[int]]) -> list[str]:
        size = self.size
        found: list[str] = self.made.decode_batch([[n for n in row if 0 <= n < size] for row in rows])
        return found

    def state(self) -> Any:
        return json.loads(self.made.to_str())

    def load(self, state: Any) -> None:
        package = require("tokenizers", "text", "cutting texts into tokens")
        self.made = package.Tokenizer.from_str(json.dumps(state))


class BytePairs(_Bytes):
    """Byte-pair encoding: the commonest neighbours become one token, again and again."""

    def kind(self, package: Any, most: int, alphabet: list[str]) -> tuple[Any, Any]:
        trainer = package.trainers.BpeTrainer(
            vocab_size=most, min_frequency=2, initial_alphabet=sorted(alphabet), show_progress=False
        )
        return package.models.BPE(), trainer


class Unigram(_Bytes):
    """A unigram model of pieces, from which the least useful were dropped."""

    def kind(self, package: Any, most: int, alphabet: list[str]) -> tuple[Any, Any]:
        trainer = package.trainers.UnigramTrainer(
            vocab_size=most, initial_alphabet=sorted(alphabet), show_progress=False
        )
        return package.models.Unigram(), trainer


TOKENIZERS: dict[str, type[Any]] = {
    "bpe": BytePairs, "unigram": Unigram, "words": Words, "characters": Characters
}  # fmt: skip
