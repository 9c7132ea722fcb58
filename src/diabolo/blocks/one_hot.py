"""Independent categorical variables, as one vector of one-hot blocks."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, constraints, register_kl
from torch.nn import functional


class OneHots(Distribution):
    """G independent categorical variables of C classes, in an event of G · C values: one-hot blocks side by side.

        log p(z) = Σ_g Σ_c z_gc log p_gc

    linear in z, so that a relaxed z costs the mean of what its classes cost.

    >>> OneHots(torch.zeros(2, 3)).log_prob(torch.tensor([1.0, 0, 0, 0, 0, 1]))   # −2 log 3
    tensor(-2.1972)
    """

    arg_constraints: dict[str, Any] = {}
    support = constraints.independent(constraints.unit_interval, 1)

    def __init__(self, logits: Float[Tensor, "*b g c"]) -> None:
        self.log_probs = functional.log_softmax(logits, -1)
        super().__init__(logits.shape[:-2], torch.Size([logits.shape[-2] * logits.shape[-1]]), validate_args=False)

    @property
    def probs(self) -> Float[Tensor, "*b g c"]:
        return self.log_probs.exp()

    @property
    def mean(self) -> Float[Tensor, "*b d"]:
        return self.probs.flatten(-2)

    @property
    def mode(self) -> Float[Tensor, "*b d"]:
        return one_hot(self.log_probs.argmax(-1), self.log_probs.shape[-1])

    def log_prob(self, value: Float[Tensor, "*b d"]) -> Float[Tensor, "*b"]:
        groups, classes = self.log_probs.shape[-2:]
        return (value.unflatten(-1, (groups, classes)) * self.log_probs).sum((-2, -1))

    def entropy(self) -> Float[Tensor, "*b"]:
        return -(self.probs * self.log_probs).sum((-2, -1))

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*n d"]:
        shape = torch.Size(sample_shape) + self.log_probs.shape
        with torch.no_grad():
            return one_hot((self.log_probs.expand(shape) + gumbel(self.log_probs, shape)).argmax(-1), shape[-1])


def one_hot(index: Tensor, classes: int) -> Float[Tensor, "*b d"]:
    """Indices (*B, G) as one-hot blocks (*B, G · C)."""
    return functional.one_hot(index, classes).flatten(-2).to(torch.get_default_dtype())


def gumbel(like: Tensor, shape: torch.Size) -> Tensor:
    """Standard Gumbel noise: −log of an exponential variable."""
    return -torch.empty(shape, dtype=like.dtype, device=like.device).exponential_().clamp_min(1e-30).log()


@register_kl(OneHots, OneHots)
def _divergence(q: OneHots, p: OneHots) -> Tensor:
    return (q.probs * (q.log_probs - p.log_probs)).sum((-2, -1))
