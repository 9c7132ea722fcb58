"""What every part must answer. Parts implement these; nothing else is assumed of them.

Classes here are abstract; a concrete method is never overridden. Features are channel-last,
``(B, *positions, D)``, so one bottleneck serves tables, images, text, sound and video.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from .batch import Batch, Latent, Output
from .registry import Spec
from .schedules import Schedule, scheduled
from .sparse import dense, is_sparse

if TYPE_CHECKING:
    from .module import AutoencoderModule

Shape = tuple[int, ...]


class Encoder(nn.Module, ABC):
    """Data (B, *S) to features (B, *P, F); a pyramid returns a tuple, coarse to fine."""

    @abstractmethod
    def forward(
        self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Tensor | tuple[Tensor, ...]: ...


class Decoder(nn.Module, ABC):
    """Latent (B, *P, D) to the parameters of p(x | z); ``batch`` is there for teacher forcing and masks."""

    @abstractmethod
    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor: ...


class TakesSparse(ABC):  # noqa: B024
    """A part that works on sparse rows (torch CSR) as they are; every other one is given them dense."""


class Centred(ABC):
    """An encoder or decoder that can start at the data's mean: its first or last bias takes it."""

    @abstractmethod
    def centre(self, value: Tensor) -> None: ...


class Corrects(ABC):  # noqa: B024
    """A decoder that adds to what the encoder was given: it is shown the data in the encoder's units."""


class Uncompressed(ABC):  # noqa: B024
    """An encoder with a way around every narrowing: whatever is not kept from it can be copied."""


class Network(ABC):
    """An architecture: makes an encoder and its decoder for any shape."""

    @abstractmethod
    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        """Encoder of data ``shape`` to ``features``, decoder of ``code`` values to ``out_shape``."""


class Bottleneck(nn.Module, ABC):
    """Turns features (B, *P, in_features) into a Latent of (B, *P, out_features)."""

    in_features: int
    out_features: int

    @abstractmethod
    def code(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        """The deterministic representation: for transform, search and export."""

    @abstractmethod
    def forward(self, h: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Latent: ...


class Discrete(ABC):
    """A bottleneck whose code is a tuple of indices at every position, index number i below ``sizes[i]``.

    Where there is one index a position its axis is left out: indices are (B, *P), else (B, *P, len(sizes)).
    """

    sizes: tuple[int, ...]

    @abstractmethod
    def indices(self, h: Tensor) -> Tensor:
        """The indices of features (B, *P, in_features); deterministic."""

    @abstractmethod
    def indices_to_codes(self, indices: Tensor) -> Tensor:
        """Codes (B, *P, out_features) from indices."""

    @abstractmethod
    def codes_to_indices(self, codes: Tensor) -> Tensor:
        """Inverse of `indices_to_codes`."""


class Variational(Bottleneck):
    """A bottleneck that gives a distribution over z: one can ask for the density of a code, and draw any number."""

    @abstractmethod
    def posterior(self, h: Any, mask: Tensor | None = None, cond: Tensor | None = None) -> Distribution:
        """q(z | x) over (B, *P), events of out_features; ``rsample`` of it has a gradient."""


class Prior(nn.Module, ABC):
    """p(z), trained with the model or fitted after it."""

    @abstractmethod
    def forward(self, module: AutoencoderModule, cond: Tensor | None = None) -> Distribution: ...

    def fit(self, codes: Tensor, seed: int = 0) -> bool:
        """Take p(z) from codes (N, *P, D) by an algorithm of its own; False: it has none and is trained by gradient."""
        return False


class FromData(ABC):
    """A part that starts from the data: a codebook at the features' clusters, pseudo-inputs at some rows."""

    @abstractmethod
    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        """Look at some training rows, before the first step of training."""


class Sized(ABC):
    """A part that must know how many rows there are to learn from."""

    @abstractmethod
    def size(self, rows: int) -> None:
        """Take the number of training rows, before the first step of training."""


class ReconstructionLoss(nn.Module, ABC):
    """What a reconstruction costs, per sample; in nats where it is minus a log-likelihood.

    ``elementwise(recon, target)`` costs every entry; ``link(recon)`` maps the decoder's output into
    data space (the expectation); ``recon_shape(shape)`` says what the decoder must put out. ``support``:
    the range targets must lie in, None for any; ``linear``: the link
    is the identity, so the decoder's output may be shifted and scaled with the data.
    """

    linear: bool = False
    support: ClassVar[tuple[float, float] | None] = None

    @abstractmethod
    def elementwise(self, recon: Tensor, target: Tensor) -> Tensor: ...

    @abstractmethod
    def link(self, recon: Tensor) -> Tensor: ...

    def recon_shape(self, shape: Shape) -> Shape:
        """Shape of the decoder's output for a target of ``shape``; most losses need one value an entry."""
        return shape

    def start(self, mean: Tensor) -> Tensor | None:
        """The decoder's output for which ``link`` gives the data's mean, or None; sets its last bias."""
        return None

    def measure(self, target: Tensor) -> None:
        """Take the data's own spread as the unit of a learned scale; nothing to do for other losses."""

    def per_sample(self, recon: Tensor, target: Tensor) -> Tensor:
        """``elementwise`` summed over everything but the batch (B,); a loss may fuse the two."""
        return _summed(self.elementwise(recon, target))

    def forward(self, recon: Tensor, target: Tensor, scored: Tensor | None = None) -> Tensor:
        """Cost of each sample (B,), over the entries that are scored."""
        if is_sparse(target):
            return self.over_stored(recon, target, scored)
        return self.per_sample(recon, target) if scored is None else self.over_scored(recon, target, scored)

    def over_stored(self, recon: Tensor, target: Tensor, scored: Tensor | None) -> Tensor:
        """The cost (B,) of a sparse target, ``scored`` None or sparse too; a loss that can reads its entries alone."""
        whole = dense(target)
        return self.per_sample(recon, whole) if scored is None else self.over_scored(recon, whole, dense(scored))

    def over_scored(self, recon: Tensor, target: Tensor, scored: Tensor) -> Tensor:
        """The cost of the scored entries alone (B,); a loss whose entries depend on each other says it its own way."""
        cost = self.elementwise(recon, target)
        return _summed(torch.where(widened(scored, cost), cost, 0.0))


def _summed(cost: Tensor) -> Tensor:
    """Everything but the batch, summed; a target of one value a row may come as (B,)."""
    return cost if cost.ndim == 1 else cost.flatten(1).sum(1)


def widened(scored: Tensor, like: Tensor) -> Tensor:
    """A mask over a prefix of the axes of ``like``, with axes of one added so that it broadcasts.

    >>> widened(torch.ones(2, dtype=torch.bool), torch.zeros(2, 3)).shape
    torch.Size([2, 1])
    """
    return scored.reshape(scored.shape + (1,) * (like.ndim - scored.ndim))


class Penalty(nn.Module, ABC):
    """One more named term of the objective, (B,) or scalar; its weight may follow a schedule."""

    ties_prior: ClassVar[bool] = False
    """Whether paying this term brings the codes to the prior, so that a trained model may be sampled from it."""
    batchwise: ClassVar[bool] = False
    """Whether the term says something of a whole batch (a scalar), so that it is no part of a row's score."""

    def __init__(self, weight: Any = 1.0) -> None:
        super().__init__()
        self.weight: float | Schedule = scheduled(weight)

    @property
    def name(self) -> str:
        """The term's name in logs: the registered name."""
        return str(getattr(type(self), "part_name", type(self).__name__.lower()))

    @abstractmethod
    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor: ...


class SelfTrained(ABC):
    """A part that owns parameters trained on a loss of their own, by an optimiser of their own.

    ``steps``: moves for each move of the autoencoder; ``optimizer`` and ``lr``: as in `Trainer`, lr None: the
    trainer's, at most 1e-3.
    """

    steps: int = 1
    optimizer: str | Spec = "adam"
    lr: float | None = None

    @abstractmethod
    def own_parameters(self) -> Iterable[nn.Parameter]: ...

    @abstractmethod
    def own_loss(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor: ...


class StepHook(ABC):
    """A part that keeps state or a constraint between optimiser steps (unit-norm decoder, codebook …)."""

    @abstractmethod
    def after_step(self, step: int, total: int) -> None:
        """After step number ``step`` (from 0) of the ``total`` planned for the stage."""


class Corruption(ABC):
    """Damages what the encoder sees; never what the decoder must give back.

    It may narrow ``mask`` (what the encoder looks at) and ``scored`` (where the loss counts).
    """

    defines_task: ClassVar[bool] = False
    """Whether the loss means nothing without it, so that validation is corrupted too (by the same draws each time)."""

    @abstractmethod
    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch: ...


class Processor(ABC):
    """The way from a user's rows to tensors and back.

        rows ──encode──▶ tensors in memory ──collate──▶ Batch … recon ──link──▶ data ──invert──▶ rows

    ``encode`` runs once and keeps the compact form (images stay uint8); ``collate`` runs on every
    batch. ``state`` is plain JSON values; `from_state` is its inverse.
    """

    @abstractmethod
    def fit(self, rows: Any) -> Self: ...

    @abstractmethod
    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows as named tensors of equal length, each (N, …)."""

    @abstractmethod
    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        """Some rows of the encoded tensors as a Batch of float tensors."""

    @abstractmethod
    def invert(self, data: Tensor) -> Any:
        """Data-space tensor (N, *T), as ``link`` gives it, back to the user's kind of rows."""

    @abstractmethod
    def defaults(self) -> dict[str, Spec]:
        """What this kind of data asks for on each axis (``loss`` …), unless the user says otherwise."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Shape of one encoder input."""

    @property
    @abstractmethod
    def target_shape(self) -> Shape:
        """Shape of one target."""

    @abstractmethod
    def state(self) -> dict[str, Any]: ...

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Self: ...


class Windowed(ABC):
    """A processor that cuts every row (a recording, a series) into windows: one code a window, not one a row.

    rows ──encode──▶ windows, those of the first row first ──model──▶ windows ──join──▶ rows, overlaps averaged
    """

    @abstractmethod
    def places(self, rows: Any) -> tuple[Any, Any, Any]:
        """Where the windows lie that `encode` cuts: number of the row, begin, end (after the last step); (M,) each.

        Begin and end are in the units of such rows: seconds of a sound, frames of a clip, steps of a series.
        """

    @abstractmethod
    def join(self, windows: Any, rows: Any) -> Any:
        """Windows, as `invert` gives them and in the order `encode` cut ``rows``, on the rows' own axes."""


class Restored(ABC):
    """A processor that keeps less than the rows hold (no phase, no loudness), and takes the rest from the originals."""

    @abstractmethod
    def restore(self, data: Tensor, rows: Any) -> Any:
        """Rows from data (N, *T), as ``link`` gives it, and from the rows that were encoded; NaN at padded steps."""


class OnePass(ABC):
    """A processor that learns what it must know from rows that come in pieces, each seen once."""

    @abstractmethod
    def fit_parts(self, parts: Iterable[Any]) -> Self:
        """What `fit` does, from pieces that together are all rows."""


class Redrawn(ABC):
    """A processor of data that are random themselves: training sees a new draw of every row in every epoch."""

    @abstractmethod
    def redraw(self, batch: Batch) -> Batch:
        """A batch with x and target drawn anew, from torch's global generator."""


class Feed(ABC):
    """Rows as batches, in an order that depends on the seed and the epoch alone."""

    @abstractmethod
    def __len__(self) -> int:
        """Rows in one epoch."""

    @abstractmethod
    def batches(self, size: int, *, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        """Batches of one epoch from batch number ``start``; shuffled by ``seed`` unless it is None."""

    def labelled(self) -> Feed | None:
        """The rows whose label is known, None if there are none; all of them where the feed cannot tell."""
        return self

    @abstractmethod
    def split(self, held: float, seed: int) -> tuple[Feed, Feed | None]:
        """Rows to learn from, and about a share of them held out; None where too few would be held out."""

    def times(self, share: float) -> int:
        """How often each known row must come, for the known rows to be about ``share`` of all."""
        return 1

    def balanced(self, share: float) -> Feed:
        """With the rows whose label is known repeated until they are about ``share`` of all."""
        return self
