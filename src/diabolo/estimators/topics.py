"""The neural topic model: what a collection of texts is about."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..core import Batch, Feed, Processor, Spec, register
from ..core.errors import out_of_range
from ..core.interfaces import Shape
from ..core.sparse import dense
from ..data import BagOfWords, Source
from ..data.process_interactions import InteractionProcessor
from ..data.source import kind_of
from ..data.texts import without_blanks
from ..train import Trainer
from .composed import compose
from .from_disk import sample
from .likelihood import LogLikelihood
from .recipe import Choice, Recipe
from .rows import bare, whole_lanes

VOCABULARY, MOST_SHARE = 2000, 0.5
"""Of the bags of texts where no processor is asked for: the commonest content words, none of them everywhere."""
STEPS, FEWEST, MOST = 3500, 20, 200
"""Steps of training, and the fewest and most epochs they may be."""
BATCHES, SMALL, LARGE = 20, 32, 200
"""Batches of an epoch, and the fewest and most rows of one."""
LONG, LONG_DROPOUT = 20, 0.2
"""Counted words of a text from which noise does good: posts of 79 gain by it, headlines of 6 lose all (runs/LOG.md)."""


@register("model", "topic-model")
class TopicModel(LogLikelihood):
    """Topics of texts: every topic is about some words, every text is of some topics.

        counts ──encoder──▶ q(z | x) ──softmax──▶ θ, shares of K topics ──▶ softmax(BN(θ W) + b) ──▶ words
        −ELBO = −Σ n_w log p(w | θ) + KL(q ‖ p),    p(z) ≈ Dir(α) before the softmax

    ``topics_of`` gives the shares θ (N, K); ``transform`` the codes before the softmax (the posterior's mean), which
    are the better features for what comes next. The order of words is not looked at. Rows are texts, or counts of
    anything: an array or DataFrame (N, V) of at least 0, or a sparse matrix. Texts become bags of the 2,000 commonest
    content words (`BagOfWords`: no function words, no numbers, none in more than half of the texts; of Chinese the
    pairs of neighbouring signs); ``Source(texts, "text", processor=…)`` says it otherwise.

    Parameters
    ----------
    n_components : int >= 1, K. Topics.
    alpha : concentration of the Dirichlet prior, above 0: small ones ask for few topics a text.
    hidden : widths of the encoder's hidden layers, one at least.
    dropout : in [0, 1), of the hidden layers and of the shares. "auto": .2, and a rate of .005, where a text has 20
        counted words or more; 0 and .002 where it has fewer, which noise would drown.
    beta : weight of the KL divergence, a number >= 0 or a schedule.
    trainer, random_state : as in `Autoencoder`.

    Raises `DataError` for negative counts or texts without words, `UsageError` for parameters out of range.

    Reference: Srivastava & Sutton (2017), "Autoencoding variational inference for topic models" (ProdLDA).

    >>> from diabolo import TopicModel, Trainer
    >>> texts = ["the moon and the rocket", "a rocket to the moon", "apple pie recipe", "bake an apple pie"] * 10
    >>> model = TopicModel(2, trainer=Trainer(epochs=2), random_state=0).fit(texts)
    >>> model.topics_of(texts[:3]).shape, sorted(model.vocabulary_)
    ((3, 2), ['apple', 'bake', 'moon', 'pie', 'recipe', 'rocket'])
    """

    def __init__(
        self,
        n_components: int = 20,
        *,
        alpha: float = 1.0,
        hidden: Sequence[int] = (100, 100),
        dropout: float | str = "auto",
        beta: Any = 1.0,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.alpha, self.hidden, self.dropout = n_components, alpha, hidden, dropout
        self.beta, self.trainer, self.random_state = beta, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        recipe = compose(
            shape, target_shape, n_components=self.n_components, hidden=self.hidden,
            network=Spec("topics", dropout=self.dropout), loss="multinomial", bottleneck="gaussian",
            prior=Spec("dirichlet", alpha=self.alpha), penalties=[Spec("kl", weight=self.beta)],
        )  # fmt: skip
        recipe.training = [
            Choice("optimizer", "adam(beta1=0.99)", "much momentum brings topics apart before they settle"),
            Choice(
                "lr", 5e-3 if self.dropout else 2e-3, "as the paper has it, more where noise keeps topics from settling"
            ),
        ]
        return recipe

    def _resolve(self, feed: Feed) -> tuple[Self, list[Choice]]:
        made, choices = super()._resolve(feed)
        if made.dropout == "auto":
            words = float(dense(sample(feed, seed=0).x).sum(1).mean())
            made.dropout = LONG_DROPOUT if words >= LONG else 0.0
            choices.append(
                Choice("dropout", made.dropout, f"texts have {words:.0f} counted words; few are drowned by noise")
            )
        return made, choices

    def _decide_training(self, recipe: Recipe, feed: Feed, trainer: Trainer | None) -> list[Choice]:
        size = int(np.clip(len(feed) // BATCHES, SMALL, LARGE))
        epochs = int(np.clip(ceil(STEPS * size / len(feed)), FEWEST, MOST))
        recipe.training = [
            *recipe.training,
            Choice("batch_size", size, f"{len(feed)} rows; batch norms want many"),
            Choice("epochs", epochs, f"about {STEPS} steps, as topics take time to part"),
        ]
        return super()._decide_training(recipe, feed, trainer)

    # topics -------------------------------------------------------------------------------------------------

    def topics(self, top: int = 10) -> list[list[tuple[str, float]]]:
        """The words each topic is most about, first the most, with their weights.

        A weight is what the topic adds to the word's logit, beyond what topics add on average, times the topic's share
        of the word among all topics.
        Raises `UsageError` for ``top`` below 1.
        """
        if not isinstance(top, int | np.integer) or top < 1:
            raise out_of_range("top", "an int of at least 1", top)
        weights, words = self.topic_word_, self.vocabulary_
        order = np.argsort(-weights, 1, kind="stable")[:, :top]
        return [[(words[w], float(weights[k, w])) for w in row] for k, row in enumerate(order)]

    @property
    def topic_words_(self) -> list[list[str]]:
        """Ten words a topic."""
        return [[word for word, _ in topic] for topic in self.topics()]

    @property
    def topic_word_(self) -> np.ndarray:
        """How much each topic is about each word (K, V), float32."""
        decoder: Any = self._fitted().module_.decoder
        with torch.no_grad():
            abouts: np.ndarray = decoder.abouts().numpy()
        return abouts

    @property
    def vocabulary_(self) -> list[str]:
        """The words, or the names of the columns of counts (x0 … where they have none)."""
        processor = self._fitted().processor_
        if isinstance(processor, BagOfWords):
            return processor.words
        held = vars(self)
        names = held.get("feature_names_in_", held.get("_names") or self.metrics_.get("data", {}).get("columns"))
        width = int(np.prod(processor.shape))
        return [str(name) for name in names] if names is not None else [f"x{place}" for place in range(width)]

    def counts(self, X: Any) -> Any:
        """Texts as the counts of the vocabulary that the model sees, sparse (N, V)."""
        held = self.processor_.encode(bare(self._rows(X, fitting=False)))["x"]
        width = int(np.prod(self.processor_.shape))
        return csr_matrix(held.flatten(1).numpy()) if isinstance(held, torch.Tensor) else held.csr(width)

    # rows and codes -----------------------------------------------------------------------------------------

    def topics_of(self, X: Any) -> np.ndarray:
        """Shares of the topics in each row (N, K), float32, rows summing to 1: the softmax of the codes."""
        return self._apply(X, lambda batch: torch.softmax(self._code(batch), -1))

    def transform(self, X: Any) -> np.ndarray:
        """Codes of rows (N, K), float32."""
        return self._apply(X, self._code)

    def _code(self, batch: Batch) -> Tensor:
        """In whole lanes: a batch norm magnifies how the last digit depends on the number of rows."""
        whole = whole_lanes(batch)
        return self.module_.code(whole.x, whole.mask, whole.cond)[: len(batch)]

    def _rows(self, X: Any, fitting: bool) -> Any:
        """Numbers are counts, whatever kind they look like."""
        rows = super()._rows(X, fitting)
        if not fitting:
            return rows
        self._names = list(X.columns) if isinstance(X, Source) and X.columns else None
        return rows if kind_of(bare(rows)) is not None else Source(np.asarray(bare(rows)), "counts")

    def _reader(self, rows: Any) -> Processor:
        held = bare(rows)
        kind = kind_of(held)
        if (isinstance(rows, Source) and rows.processor is not None) or kind not in ("text", "interactions"):
            return super()._reader(rows)
        if kind == "interactions":
            return InteractionProcessor("counts")
        unit = "pairs" if without_blanks(held) else "words"
        return BagOfWords(VOCABULARY, unit=unit, max_share=MOST_SHARE, stop_words="drop")

    def _fitted(self) -> Self:
        check_is_fitted(self)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
