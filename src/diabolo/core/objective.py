"""Objective: what the autoencoder minimises, as named per-sample terms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .batch import Batch, Output
from .interfaces import Penalty, ReconstructionLoss
from .module import AutoencoderModule
from .schedules import value_at


class Objective(nn.Module):
    """reconstruction + the bottleneck's own losses + weighted penalties.

    The same per-sample vector is the training loss, the (negative) ELBO and the anomaly score;
    ``forward`` is the one place that averages.
    """

    def __init__(self, loss: ReconstructionLoss, penalties: Sequence[Penalty] = ()) -> None:
        super().__init__()
        self.loss = loss
        self.penalties = nn.ModuleList(penalties)

    def terms(
        self, module: AutoencoderModule, batch: Batch, out: Output, step: int = 0, total: int = 1
    ) -> dict[str, Tensor]:
        """Every term by name, weighted, (B,) or scalar."""
        terms = {"reconstruction": self.loss(out.recon, batch.target, batch.scored), **out.latent.losses}
        for penalty in self.penalties:
            weight = value_at(penalty.weight, step, total)  # type: ignore[arg-type]
            terms[penalty.name] = weight * penalty(module, batch, out)  # type: ignore[index, operator]
        return terms

    def forward(
        self, module: AutoencoderModule, batch: Batch, out: Output, step: int = 0, total: int = 1
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise and the mean of every term."""
        means = {name: term.mean() for name, term in self.terms(module, batch, out, step, total).items()}
        values = list(means.values())
        return (values[0] if len(values) == 1 else torch.stack(values).sum()), means

    def per_sample(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor:
        """All terms at their final weight, summed for each sample (B,); scalars are left out."""
        terms = self.terms(module, batch, out, step=1, total=1)
        return torch.stack([term for term in terms.values() if term.ndim == 1]).sum(0)
