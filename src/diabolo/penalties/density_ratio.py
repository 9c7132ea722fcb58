"""The total correlation by a critic that tells codes from codes whose values were shuffled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..blocks.layers import Mlp
from ..blocks.positions import real_rows
from ..core.batch import Batch, Output
from ..core.errors import out_of_range
from ..core.interfaces import Penalty, SelfTrained
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("penalty", "density-ratio")
class DensityRatio(Penalty, SelfTrained):
    """FactorVAE's estimate of the total correlation: the logit of a critic, trained beside the model.

        z ~ q(z) ──▶ critic ──▶ l          TC ≈ E l(z),    l = log q(z) / Π_j q(z_j) for the best critic
        each value of z shuffled over the batch ──▶ critic: what q(z) would be if its values were independent

    The critic has an optimiser of its own and learns to tell the two apart. A scalar: it says something of all rows.

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D; the composition gives it.
    weight : float or `Schedule`. γ beside a full KL; 6 to 40 in the paper.
    hidden : widths of the critic's hidden layers.
    lr : its learning rate; None: the trainer's, at most 1e-3.

    Raises `UsageError` if ``features`` is below 1.

    Reference: Kim & Mnih (2018), "Disentangling by factorising", equations 2 and 3 and algorithm 2.

    >>> shuffled(torch.tensor([[0.0, 0.0], [1.0, 1.0]])).sort(0).values
    tensor([[0., 0.],
            [1., 1.]])
    """

    batchwise = True

    def __init__(
        self, features: int, weight: Any = 10.0, hidden: Sequence[int] = (64, 64), lr: float | None = None
    ) -> None:
        super().__init__(weight)
        if not isinstance(features, int) or features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        self.critic, self.lr = Mlp((features, *hidden, 1), "leaky-relu"), lr

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        return self.critic(real_rows(out.latent.z, batch.mask)).mean()

    def own_parameters(self) -> Iterable[nn.Parameter]:
        return self.critic.parameters()

    def own_loss(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        z = real_rows(out.latent.z, batch.mask)
        joint, apart = self.critic(z), self.critic(shuffled(z))
        return 0.5 * (functional.softplus(-joint) + functional.softplus(apart)).mean()


def shuffled(z: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """Every column in an order of its own."""
    return z.gather(0, torch.rand_like(z).argsort(0))
