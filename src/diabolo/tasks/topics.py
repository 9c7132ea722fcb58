"""Topics of texts: what they are about, how coherent that is, and what each text is of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix, vstack
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..core import register
from ..core.errors import UsageError, out_of_range
from ..data import Source
from ..data import open as open_source
from ..estimators.base import BaseAutoencoder
from ..estimators.from_disk import pieces
from ..estimators.topics import TopicModel
from ..train import Trainer
from .base import Assessment, TaskModel
from .coherence import diversity, npmi
from .exhibit import Exhibit, Strip

SHOWN, PICTURED, SCALE = 90, 200, 4
"""Letters of a typical text, texts in the picture of shares, and pixels a cell of it."""


@register("task", "topics")
class TopicFinder(TransformerMixin, TaskModel):
    """What a collection of texts is about: a topic model, and how good its topics are.

        texts ──▶ TopicModel ──▶ words of each topic ──▶ coherence (NPMI over the texts), diversity
                       └──▶ shares of the topics in each text

    Parameters
    ----------
    autoencoder : a `TopicModel`, or None: one of 20 topics.
    top : int >= 2, words of a topic that are shown and judged.
    trainer, random_state : as in `Autoencoder`.

    Attributes after ``fit``: ``topic_words_`` (K lists of ``top`` words), ``coherence_`` (K,) in [−1, 1],
    ``diversity_`` in (0, 1], ``topic_shares_`` (K,), what part of the texts each topic makes up. Rows: as `TopicModel`.

    Raises `UsageError` for another autoencoder or a ``top`` out of range, `DataError` for rows that are no counts.

    Reference: Srivastava & Sutton (2017), "Autoencoding variational inference for topic models"; Bouma (2009),
    "Normalized (pointwise) mutual information in collocation extraction".

    >>> from diabolo import TopicFinder, TopicModel, Trainer
    >>> texts = ["the moon and the rocket", "a rocket to the moon", "apple pie recipe", "bake an apple pie"] * 10
    >>> found = TopicFinder(TopicModel(2), top=3, trainer=Trainer(epochs=2), random_state=0).fit(texts)
    >>> len(found.topic_words_), found.coherence_.shape, found.topics_of(texts).shape
    (2, (2,), (40, 2))
    """

    _usual: ClassVar[str] = "topic-model"

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        top: int = 10,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.top, self.trainer, self.random_state = autoencoder, top, trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the topic model and judge its topics on the same texts; y is not looked at."""
        self._begin()
        X = open_source(X) if isinstance(X, str | Path) else X
        self._member("topics", self._base(), X)
        self.arrays_["coherence"] = self.coherence(X)
        self.arrays_["shares"] = self.topics_of(X).mean(0)
        return self

    def _begin(self) -> None:
        super()._begin()
        if not isinstance(self.autoencoder, TopicModel | None):
            raise out_of_range("autoencoder", "a TopicModel (model 'topic-model'), or None", self.autoencoder)
        if not isinstance(self.top, int | np.integer) or self.top < 2:
            raise out_of_range("top", "an int of at least 2", self.top)

    def _default(self) -> BaseAutoencoder:
        return TopicModel()

    @property
    def model(self) -> TopicModel:
        """The fitted topic model."""
        check_is_fitted(self, "models_")
        return self.autoencoder_  # type: ignore[return-value]

    # topics -------------------------------------------------------------------------------------------------

    def topics(self, top: int | None = None) -> list[list[tuple[str, float]]]:
        """The words each topic is most about, and how much; see `TopicModel.topics`."""
        return self.model.topics(self.top if top is None else top)

    @property
    def topic_words_(self) -> list[list[str]]:
        """The ``top`` words of each topic."""
        return [[word for word, _ in topic] for topic in self.topics()]

    @property
    def coherence_(self) -> np.ndarray:
        """NPMI of each topic's words over the texts given to `fit` (K,)."""
        return self._kept("coherence")

    @property
    def diversity_(self) -> float:
        """Share of different words among all topics' words."""
        return diversity(self.topic_words_)

    @property
    def topic_shares_(self) -> np.ndarray:
        """Mean share of each topic in the texts given to `fit` (K,), summing to 1."""
        return self._kept("shares")

    def coherence(self, X: Any) -> np.ndarray:
        """NPMI of each topic's words (K,) by how often they stand together in these texts."""
        return npmi(self._columns(), self._counts(X))

    # texts --------------------------------------------------------------------------------------------------

    def topics_of(self, X: Any) -> np.ndarray:
        """Shares of the topics in each text (N, K), rows summing to 1."""
        return self.model.topics_of(X)

    def predict(self, X: Any) -> np.ndarray:
        """The topic that has the largest share of each text (N,), 0 to K - 1."""
        return self.topics_of(X).argmax(1)

    def transform(self, X: Any) -> np.ndarray:
        """Codes of texts (N, K): what the shares are the softmax of."""
        return self.model.transform(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the code's columns: z0, z1 …"""
        return self.model.get_feature_names_out()

    # judging and showing ------------------------------------------------------------------------------------

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Coherence and diversity beside latent Dirichlet allocation and NMF, of the same bags."""
        from .judge_topics import judged

        return judged(self, learn, held, seed)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """The topics with their words and a typical text each, and a picture of the shares in some texts."""
        shares = self.topics_of(source)
        return [self._table(source, shares), _picture(shares, seed)]

    def _table(self, source: Source, shares: np.ndarray) -> Exhibit:
        told = source.rows if source.modality == "text" else None
        rows = []
        for k in np.argsort(-shares.mean(0), kind="stable"):
            best = int(shares[:, k].argmax())
            example = "" if told is None else _short(str(told[best]))
            cells = (
                str(k),
                f"{shares[:, k].mean():.1%}",
                f"{self.coherence_[k]:+.2f}",
                ", ".join(self.topic_words_[k]),
            )
            rows.append((*cells, f"{shares[best, k]:.0%} {example}"))
        columns = ("topic", "share", "NPMI", "words", "the text with most of it")
        text = (
            f"Mean NPMI {np.nanmean(self.coherence_):.3f} (1: the words of a topic always stand together, 0: as chance "
            f"has it), diversity {self.diversity_:.2f} (1: no word is in two topics). Shares are of these "
            f"{len(shares):,} texts."
        )
        return Exhibit("Topics", text, columns=columns, rows=tuple(rows))

    def _columns(self) -> list[list[int]]:
        order = np.argsort(-self.model.topic_word_, 1, kind="stable")
        columns: list[list[int]] = order[:, : self.top].tolist()
        return columns

    def _counts(self, X: Any) -> csr_matrix:
        if not isinstance(X, Source):
            return self.model.counts(X)
        return vstack([self.model.counts(piece) for piece in pieces(X)]).tocsr()

    def _kept(self, name: str) -> np.ndarray:
        check_is_fitted(self, "models_")
        if name not in self.arrays_:
            raise UsageError("this model was planned and not fitted; fit it first.")
        return self.arrays_[name]


def _short(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def _picture(shares: np.ndarray, seed: int) -> Exhibit:
    """Shares of the topics in some texts, texts sorted by their largest topic: a row a topic, darker for more."""
    some = np.random.default_rng(seed).permutation(len(shares))[:PICTURED]
    chosen = shares[some]
    main = chosen.argmax(1)
    sorted_ = chosen[np.lexsort((-chosen.max(1), main))].T
    grey = (255 * (1 - np.sqrt(sorted_))).astype(np.uint8)
    tall = max(SCALE, SCALE * len(some) // (2 * len(grey)))
    picture = grey.repeat(tall, 0).repeat(SCALE, 1)
    text = (
        "A column is a text, a row a topic, dark where the topic has a large share. Texts of one topic each give steps "
        "along the diagonal; grey everywhere means that topics say little about single texts."
    )
    return Exhibit("Topics of single texts", text, strips=(Strip(f"{len(some)} texts", (picture,)),))
