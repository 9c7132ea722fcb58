"""The variational autoencoder of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..blocks.row_sums import Library
from ..core import Spec, register
from ..core.errors import out_of_range
from ..core.interfaces import Shape
from ..data import Source
from ..train import Trainer
from .composed import compose
from .likelihood import LogLikelihood
from .recipe import Recipe


@register("model", "count-vae")
class CountVAE(LogLikelihood):
    """Variational autoencoder of counts that vary more than their mean, as the reads of genes in single cells do.

        log(1 + x) ──encoder──▶ q(z | x) ──▶ z ──decoder──▶ softmax ──× library──▶ μ,    x ~ NB(μ, θ)
                                                    library = Σ x of the row

    The decoder is told how much was counted in a row and gives proportions alone, so the code need not hold it; θ, the
    inverse dispersion, is learned for every column. The likelihood is in nats, given the library size. Samples and
    rows made from codes have the median library of the training rows; so has `normalized`, unless it is told another.

    Parameters
    ----------
    n_components : int >= 1 or "auto"; values of a code.
    network, hidden, prior, trainer, random_state : as in `VAE`.
    dispersion : "entry" (θ for every column), "shared", or a number above 0.
    zero_inflated : bool; whether zeros may also come from drop-out, with a probability π the decoder gives; then
        μ = library · share / (1 − π), because the library was counted after drop-out (scVI leaves the division out).
    beta : weight of the KL divergence, a number >= 0 or a schedule.

    Raises `DataError` for negative data.

    Reference: Lopez, Regier, Cole, Jordan & Yosef (2018), "Deep generative modeling for single-cell transcriptomics",
    Nature Methods 15 (scVI), equations 1–4, with the observed library size.

    >>> import numpy as np
    >>> from diabolo import CountVAE, Trainer
    >>> X = np.random.default_rng(0).poisson(3.0, size=(64, 5))
    >>> CountVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X).transform(X).shape
    (64, 2)
    """

    def __init__(
        self,
        n_components: int | str = 10,
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        prior: Any = "normal",
        dispersion: str | float = "entry",
        zero_inflated: bool = False,
        beta: Any = 1.0,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.prior = n_components, network, hidden, prior
        self.dispersion, self.zero_inflated, self.beta = dispersion, zero_inflated, beta
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        loss = Spec("negative-binomial", dispersion=self.dispersion, zero_inflated=self.zero_inflated)
        recipe = compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=loss, bottleneck="gaussian", prior=self.prior, penalties=[Spec("kl", weight=self.beta)],
        )  # fmt: skip
        recipe.module.decoder = Library(recipe.module.decoder, paired=self.zero_inflated)  # type: ignore[arg-type]
        return recipe

    def normalized(self, X: Any, library: float | None = None) -> np.ndarray:
        """What would be counted on average in every row, had ``library`` been counted in all: float32, as X.

        Denoised, and free of how deep a row was sequenced: the decoder's proportions times the library. None: the
        median library of the training rows, for which `inverse_transform` of codes gives the same.

        Raises `UsageError` for a library that is not above 0.
        """
        if library is not None and not library > 0:
            raise out_of_range("library", "a number above 0, or None", library)
        rows: np.ndarray = np.asarray(self.inverse_transform(self.transform(X)), np.float32)
        if library is None:
            return rows
        decoder: Any = self.module_.decoder
        return rows * np.float32(library / float(decoder.typical.exp()))

    def _rows(self, X: Any, fitting: bool) -> Any:
        """Rows as counts, whatever kind they look like; sparse ones are written out."""
        if isinstance(X, Source) and issparse(X.rows):
            X = replace(X, rows=X.rows.toarray())
        rows = super()._rows(X.toarray() if issparse(X) else X, fitting)
        if not fitting:
            return rows
        held = rows.rows if isinstance(rows, Source) else rows
        return Source(np.asarray(held), "counts")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags
