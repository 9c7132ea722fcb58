"""Categorical variables, sampled by the Gumbel-softmax relaxation."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..blocks.one_hot import OneHots, gumbel, one_hot
from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import Bottleneck, Discrete, StepHook
from ..core.registry import register


@register("bottleneck", "categorical")
class Categorical(Bottleneck, Discrete, StepHook):
    """G categorical variables of C classes; in training a relaxed sample, afterwards a true one.

        h = logits (G, C) ──▶ q(z | x) ──▶ z = softmax((log q + g) / τ),  g ~ Gumbel(0, 1)

    τ falls geometrically from ``warm`` to ``cold`` while training runs: the sample becomes one-hot. With
    ``straight_through`` z is one-hot in training too, with the gradient of the relaxed sample. The code is the
    most likely class of every variable, one-hot. q and p(z) are compared by a penalty (``kl``), not here.

    Parameters
    ----------
    features : int, a multiple of ``classes``. Values of z a position, D = G · C.
    classes : int, at least 2, or None: all features are one variable.
    warm, cold : floats, warm ≥ cold > 0. τ at the start and at the end of training.
    straight_through : one-hot samples in training.

    Raises `UsageError` for values out of range.

    Reference: Jang, Gu & Poole (2017), "Categorical reparameterization with Gumbel-softmax", equations 1–2.

    >>> latent = Categorical(features=6, classes=3)(torch.eye(6)[:2])
    >>> latent.code.tolist(), latent.indices.tolist()
    ([[1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]], [[0, 0], [1, 0]])
    """

    temperature: Tensor

    def __init__(
        self,
        features: int,
        classes: int | None = None,
        warm: float = 1.0,
        cold: float = 0.5,
        straight_through: bool = False,
    ) -> None:
        super().__init__()
        self.classes = features if classes is None else classes
        if self.classes < 2:
            raise out_of_range("classes", "an int of at least 2", self.classes)
        if features < 1 or features % self.classes:
            raise out_of_range("features", f"a multiple of the {self.classes} classes", features)
        if not 0 < cold <= warm:
            raise out_of_range("cold", f"above 0 and at most warm ({warm})", cold)
        self.in_features = self.out_features = features
        self.groups = features // self.classes
        self.sizes = (self.classes,) * self.groups
        self.warm, self.cold, self.straight_through = warm, cold, straight_through
        self.register_buffer("temperature", torch.tensor(float(warm)))

    def after_step(self, step: int, total: int) -> None:
        done = min(1.0, (step + 1) / max(1, total))
        self.temperature.fill_(self.warm * (self.cold / self.warm) ** done)

    def indices(self, h: Float[Tensor, "b *p d"]) -> Int[Tensor, "b *p *i"]:
        found = h.unflatten(-1, (self.groups, self.classes)).argmax(-1)
        return found.squeeze(-1) if self.groups == 1 else found

    def codes_to_indices(self, codes: Float[Tensor, "b *p d"]) -> Int[Tensor, "b *p *i"]:
        return self.indices(codes)

    def indices_to_codes(self, indices: Int[Tensor, "b *p *i"]) -> Float[Tensor, "b *p d"]:
        return one_hot(indices.unsqueeze(-1) if self.groups == 1 else indices, self.classes)

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return self.indices_to_codes(self.indices(h))

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        posterior = OneHots(h.unflatten(-1, (self.groups, self.classes)))
        code = self.code(h)
        z = self._relaxed(posterior) if self.training or h.requires_grad else posterior.sample()
        return Latent(z, code, posterior, indices=self.codes_to_indices(code))

    def _relaxed(self, posterior: OneHots) -> Tensor:
        logits = posterior.log_probs
        soft = torch.softmax((logits + gumbel(logits, logits.shape)) / self.temperature, -1)
        if self.straight_through:
            hard = one_hot(soft.argmax(-1), self.classes).view_as(soft)
            soft = hard + (soft - soft.detach())
        return soft.flatten(-2)
