"""A Gaussian posterior bent by a flow, to be closer to the true one."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.nn import functional

from ..blocks.flows import Flow, Planars, Transported, stacked
from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import Variational
from ..core.registry import register

SMALLEST_STD = 1e-4
KINDS = ("autoregressive", "coupling", "planar")


@register("bottleneck", "flow-posterior")
class FlowPosterior(Variational):
    """A posterior of free shape: Gaussian noise through invertible maps that the encoder steers.

        h = [mean | raw | context] ──▶ u = mean + std · ε ──flow(context)──▶ z,    log q(z|x) = log q(u|x) − log |det|

    "autoregressive": the maps are networks that are told the context (inverse autoregressive flow); "planar": the
    context holds all parameters of the maps. The code is the flow of the mean: deterministic, not quite E[z|x].

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D.
    kind : "autoregressive", "coupling" or "planar".
    steps : int, at least 1. Maps one after the other.
    hidden : widths of the networks in each map (none in planar ones).
    samples : int, at least 1. Draws of z a row, K.

    Raises `UsageError` for values out of range.

    Reference: Rezende & Mohamed (2015), "Variational inference with normalizing flows", equations 15 and 20; Kingma
    et al. (2016), "Improved variational inference with inverse autoregressive flow", algorithm 1.

    >>> import torch
    >>> neck = FlowPosterior(features=2, steps=2)
    >>> latent = neck(torch.zeros(3, neck.in_features))
    >>> latent.z.shape, latent.posterior.log_prob(latent.z).shape
    (torch.Size([3, 2]), torch.Size([3]))
    """

    def __init__(
        self,
        features: int,
        kind: str = "autoregressive",
        steps: int = 4,
        hidden: Sequence[int] = (64,),
        samples: int = 1,
    ) -> None:
        super().__init__()
        for name, value in (("features", features), ("steps", steps), ("samples", samples)):
            if not isinstance(value, int) or value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        if kind not in KINDS:
            raise out_of_range("kind", ", ".join(map(repr, KINDS)), kind)
        context = steps * (2 * features + 1) if kind == "planar" else features
        self.flow: Flow = (
            Planars(features, steps) if kind == "planar" else stacked(kind, features, steps, tuple(hidden), context)
        )
        self.kind, self.samples = kind, samples
        self.in_features, self.out_features = 2 * features + context, features

    def posterior(
        self,
        h: Float[Tensor, "b *p f"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Transported:
        d = self.out_features
        mean, raw, context = h.split((d, d, self.in_features - 2 * d), -1)
        std = functional.softplus(raw) + SMALLEST_STD
        return Transported(
            Independent(Normal(mean, std, validate_args=False), 1, validate_args=False), self.flow, context
        )

    def code(self, h: Float[Tensor, "b *p f"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        d = self.out_features
        code: Tensor = self.flow(h[..., :d], h[..., 2 * d :])[0]
        return code

    def forward(
        self,
        h: Float[Tensor, "b *p f"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        posterior = self.posterior(h if self.samples == 1 else h.repeat_interleave(self.samples, 0))
        return Latent(posterior.rsample(), self.code(h), posterior, draws=self.samples)
