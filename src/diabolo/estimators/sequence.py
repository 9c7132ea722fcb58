"""The autoencoder of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Processor, register
from ..core.interfaces import Shape
from ..data import SequenceProcessor, is_frame, kind_of
from ..train import Trainer
from .base import BaseAutoencoder
from .composed import compose
from .recipe import Recipe
from .rows import bare


@register("model", "sequence")
class SequenceAutoencoder(BaseAutoencoder):
    """Sequences of any length to one code each and back (Srivastava et al. 2015, "Unsupervised learning of video
    representations using LSTMs"; Sutskever et al. 2014, "Sequence to sequence learning with neural networks").

        x_1 … x_T ──encoder, real steps only──▶ code ──decoder, told the code alone──▶ recon_1 … recon_T

    ``fit`` takes a list of arrays (T_i, C) or (T_i,); an array (N, T, C) or (N, T), whose trailing steps of NaN alone
    are padding (rows of an ordinary table are series of one channel); or a list of lists of whole numbers, which are
    tokens. `reconstruct` gives rows of the lengths given; `inverse_transform` rows of the longest length at fit,
    tokens up to the end the code tells. Padding never moves or costs anything.

    Parameters
    ----------
    n_components : int >= 1 or "auto"; values of a code.
    network : "recurrent" or "transformer", a text or Spec with parameters.
    loss, penalties, corruption : parts by name, Spec or instance. "auto": squared error of standardised channels, or
        the likelihood of tokens.
    trainer, random_state : as `Autoencoder`.

    >>> import numpy as np
    >>> from diabolo import SequenceAutoencoder, Trainer
    >>> X = [np.sin(np.arange(length) / 3) for length in (5, 9, 7, 9)]
    >>> model = SequenceAutoencoder(2, trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> model.transform(X).shape, [len(row) for row in model.reconstruct(X)]
    ((4, 2), [5, 9, 7, 9])
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "recurrent",
        loss: Any = "auto",
        penalties: Sequence[Any] = (),
        corruption: Any = None,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.loss = n_components, network, loss
        self.penalties, self.corruption = penalties, corruption
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=(), loss=self.loss,
            penalties=self.penalties, corruption=self.corruption,
        )  # fmt: skip

    def _rows(self, X: Any, fitting: bool) -> Any:
        if isinstance(X, list | tuple) and len(X) and kind_of(X) is None and np.ndim(X[0]) > 0:
            return X
        rows = super()._rows(X, fitting)
        if kind_of(bare(rows)) is not None:
            return rows
        rows = bare(rows)
        return rows.to_numpy() if is_frame(rows) else rows

    def _reader(self, rows: Any) -> Processor:
        return SequenceProcessor() if kind_of(bare(rows)) is None else super()._reader(rows)
