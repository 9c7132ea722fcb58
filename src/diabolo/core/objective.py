"""Objective: what the autoencoder minimises, as named per-sample terms."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .batch import Batch, Output
from .interfaces import Penalty, ReconstructionLoss, TakesSparse
from .module import AutoencoderModule
from .schedules import Schedule, value_at


class Objective(nn.Module):
    """reconstruction + the bottleneck's own losses + weighted penalties.

    The same per-sample vector is the training loss, the (negative) ELBO and the anomaly score;
    ``forward`` is the one place that averages.

    With K draws of z for a row every term is its mean over the draws, weighted where the bottleneck says so.
    ``importance`` (a weight or a schedule) adds what the importance-weighted bound gains over that mean,

        importance = −log 1/K Σₖ exp(−cₖ) − 1/K Σₖ cₖ  ≤ 0,    cₖ the sum of all terms of draw k,

    so that with weight 1 the sum of the terms is minus the bound of Burda, Grosse & Salakhutdinov (2016,
    "Importance weighted autoencoders", equation 8), with weight 0 the ELBO over K draws.

    ``loss`` None: nothing is reconstructed (a prior is trained on codes, say). ``reconstruction`` is the weight of the
    loss; with 0 it is no term at all, but still says what the decoder's output means.
    """

    def __init__(
        self,
        loss: ReconstructionLoss | None,
        penalties: Sequence[Penalty] = (),
        importance: float | Schedule | None = None,
        reconstruction: float | Schedule = 1.0,
    ) -> None:
        super().__init__()
        self.loss: ReconstructionLoss = loss  # type: ignore[assignment]
        self.penalties = nn.ModuleList(penalties)
        self.importance, self.reconstruction = importance, reconstruction

    def terms(
        self,
        module: AutoencoderModule,
        batch: Batch,
        out: Output,
        step: int = 0,
        total: int = 1,
        *,
        batchwise: bool = True,
    ) -> dict[str, Tensor]:
        """Every term by name, weighted, (B,) or scalar; without those of a whole batch unless ``batchwise``."""
        draws, spread = out.latent.draws, batch.repeat(out.latent.draws)
        terms = dict(out.latent.losses)
        if self.loss is not None and self.reconstruction != 0:
            cost = self.loss(out.recon, spread.target, spread.scored)
            if self.reconstruction != 1:
                cost = value_at(self.reconstruction, step, total) * cost
            terms = {"reconstruction": cost, **terms}
        for penalty in self.penalties:
            if penalty.batchwise and not batchwise:
                continue
            weight = value_at(penalty.weight, step, total)  # type: ignore[arg-type]
            seen = spread if isinstance(penalty, TakesSparse) else spread.dense()
            terms[_unused(penalty.name, terms)] = weight * penalty(module, seen, out)  # type: ignore[arg-type, operator]
        if draws == 1:
            return terms
        return self._over_draws(terms, len(batch), out, step, total)

    def _over_draws(self, terms: dict[str, Tensor], rows: int, out: Output, step: int, total: int) -> dict[str, Tensor]:
        draws, weights = out.latent.draws, out.latent.weights
        spread = {name: term.view(rows, draws) for name, term in terms.items() if term.shape == (rows * draws,)}
        means = {name: spread[name].mean(1) if weights is None else (weights * spread[name]).sum(1) for name in spread}
        found = {name: means.get(name, term) for name, term in terms.items()}
        if self.importance is not None:
            cost = torch.stack(list(spread.values())).sum(0)
            bound = math.log(draws) - torch.logsumexp(-cost, 1)
            found["importance"] = value_at(self.importance, step, total) * (bound - cost.mean(1))
        return found

    def forward(
        self, module: AutoencoderModule, batch: Batch, out: Output, step: int = 0, total: int = 1
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise and the mean of every term."""
        means = {name: term.mean() for name, term in self.terms(module, batch, out, step, total).items()}
        values = list(means.values())
        return (values[0] if len(values) == 1 else torch.stack(values).sum()), means

    def per_sample(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor:
        """All terms at their final weight, summed for each sample (B,); scalars are left out."""
        terms = self.terms(module, batch, out, step=1, total=1, batchwise=False)
        return torch.stack([term for term in terms.values() if term.ndim == 1]).sum(0)

    @property
    def ties_prior(self) -> bool:
        """Whether some term, at its final weight, brings the codes to the prior."""
        return any(penalty.ties_prior and value_at(penalty.weight, 1, 1) for penalty in self.penalties)  # type: ignore[arg-type]


def _unused(name: str, taken: dict[str, Tensor]) -> str:
    """The name, numbered where a term has it already."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    return free
