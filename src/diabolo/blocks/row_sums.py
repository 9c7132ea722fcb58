"""A decoder of counts that is told how much was counted in all."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core import AutoencoderModule, Batch, Centred, Decoder, FromData

SMALLEST = 1e-8
"""A row in which nothing was counted has this library: certain zeros, at almost no cost."""


class Library(Decoder, Centred, FromData):
    """Proportions from the code, times the row's own total: its library size.

        z ──body──▶ logits ──softmax──▶ proportions ──× library──▶ expected counts, as log rates
                                          batch.target ──Σ──▶ library

    How deep a cell was sequenced, or how long a document is, says nothing of its kind; so the code need not hold it.
    Codes that come without a row (samples, ``inverse_transform``) get the median library of the training rows.

    ``paired``: the body puts out (logit of the share, logit of a surplus zero π) for every entry. The library was
    counted after drop-out, so shares are those of what is left of it: μ = share · library / (1 − π). Without the
    division means are too small by 1 − π, and θ and π have to make up for it.

    Reference: Lopez, Regier, Cole, Jordan & Yosef (2018), "Deep generative modeling for single-cell transcriptomics".
    """

    typical: Tensor

    def __init__(self, body: Decoder, paired: bool = False) -> None:
        super().__init__()
        self.body, self.paired = body, paired
        self.register_buffer("typical", torch.zeros(()))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        """Take the median library of some training rows."""
        self.typical.copy_(log_library(batch.target).median())

    def forward(self, z: Float[Tensor, "b d"], batch: Batch | None = None) -> Float[Tensor, " b *t"]:
        out = self.body(z, batch)
        logits = out[..., 0] if self.paired else out
        axes = tuple(range(1, logits.ndim))
        shares = logits - torch.logsumexp(logits, axes, keepdim=True)
        counts = _counts(batch)
        told = counts is not None and counts.shape == logits.shape
        library = log_library(counts) if told and counts is not None else self.typical.expand(len(z))
        rates = shares + library.reshape(-1, *(1 for _ in axes))
        if not self.paired:
            return rates
        surplus = out[..., 1]
        # what drop-out takes away is put back first: (1 - π) μ sums to the library, not μ
        return torch.stack([rates + functional.softplus(surplus), surplus], -1)

    def centre(self, value: Tensor) -> None:
        """As the body does: logits are log rates up to a constant."""
        body: Any = self.body
        if isinstance(body, Centred):
            body.centre(value)


def _counts(batch: Batch | None) -> Tensor | None:
    """The counts of the rows; where the target is not shown, from what the encoder sees, log(1 + counts)."""
    if batch is None:
        return None
    target: Tensor | None = batch.target
    return batch.x.expm1() if target is None else target


def log_library(counts: Float[Tensor, " b *t"]) -> Float[Tensor, " b"]:
    """The log of each row's total.

    >>> log_library(torch.tensor([[1.0, 2.0], [0.0, 1.0]])).exp().round()
    tensor([3., 1.])
    """
    return torch.log(counts.flatten(1).sum(1).clamp(min=SMALLEST))
