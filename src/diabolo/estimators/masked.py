"""The masked autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Spec, register
from ..core.errors import UsageError
from ..core.interfaces import Shape
from ..train import Trainer
from .base import BaseAutoencoder
from .composed import compose
from .recipe import Recipe


@register("model", "masked")
class MaskedAutoencoder(BaseAutoencoder):
    """Learns from what it hides (He et al. 2022, "Masked autoencoders are scalable vision learners").

        x ──patches, most of them hidden──▶ encoder over the visible ones ──▶ code ──▶ decoder ──▶ the hidden ones

    The loss counts hidden patches alone, in training and in validation. `transform`, `reconstruct` and
    `score_samples` see all patches and count all entries: the code is what the encoder makes of the whole row.
    Rows are pictures, series, or columns of numbers.

    Parameters
    ----------
    n_components : int >= 1 or "auto"; values of a code.
    patch : side of a patch, a tuple of sides, or "auto": about 8 a side of a picture, one a column (up to 64).
    share : of the patches that are hidden, in (0, 1).
    width, depth : of the encoder; the decoder is 2 deep. ``pool`` "mean": one code a row; "none": a code for each
        patch (N, P, D), as He et al. have it.
    loss, trainer, random_state : as `Autoencoder`.

    >>> import numpy as np
    >>> from diabolo import MaskedAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 8, 8)).astype("float32")
    >>> MaskedAutoencoder(2, width=16, depth=1, trainer=Trainer(epochs=2), random_state=0).fit(X).transform(X).shape
    (64, 2)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        patch: int | Sequence[int] | str = "auto",
        share: float = 0.75,
        width: int = 64,
        depth: int = 4,
        pool: str = "mean",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.patch, self.share, self.width, self.depth = n_components, patch, share, width, depth
        self.pool, self.loss, self.trainer, self.random_state = pool, loss, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        columns = Spec.of(self.loss).params.get("columns", ()) if isinstance(self.loss, str | Spec) else ()
        if tuple(shape) != tuple(target_shape) or any(width != 1 for _, width in columns):
            raise UsageError(
                "a masked autoencoder hides numbers; this table has categories or missing cells. Use model "
                "'denoising' with corruption 'masking', or give it the numeric columns, filled."
            )
        return compose(
            shape, target_shape, n_components=self.n_components, hidden=(), loss=self.loss,
            network=Spec("masked", patch=self.patch, width=self.width, depth=self.depth, pool=self.pool,
                         decoder_width=min(self.width, 64)),
            corruption=Spec("patches", share=self.share, patch=self.patch),
        )  # fmt: skip
