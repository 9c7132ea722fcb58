"""The prior of a code of two halves: a class drawn alike from all, and a normal style."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, OneHotCategorical

from ..core.errors import out_of_range
from ..core.interfaces import Prior
from ..core.module import AutoencoderModule
from ..core.registry import register


class _Halves(Distribution):
    """[one-hot | normal] as one vector."""

    arg_constraints: dict = {}

    def __init__(self, which: OneHotCategorical, style: Independent) -> None:
        self.which, self.style = which, style
        width = which.event_shape[0] + style.event_shape[0]
        super().__init__(torch.Size(), torch.Size([width]), validate_args=False)

    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        shape = torch.Size(sample_shape)
        return torch.cat([self.which.sample(shape), self.style.sample(shape)], -1)

    def log_prob(self, value: Tensor) -> Tensor:
        classes = self.which.event_shape[0]
        logits: Tensor = self.which.logits
        known: Tensor = self.style.log_prob(value[..., classes:])
        return (value[..., :classes] * logits).sum(-1) + known


@register("prior", "class-style")
class ClassStylePrior(Prior):
    """One of the classes, all alike, beside a standard normal style.

        p(z) = Cat(y; 1/K, …, 1/K) · N(style; 0, I),    z = [one-hot y | style]

    ``log_prob`` is linear in y: that of a one-hot y, and the mean of them for probabilities.

    Parameters
    ----------
    features : int. Values of z a position, classes and style together; the composition gives it.
    classes : int, at least 1, fewer than ``features``.

    Raises `UsageError` if ``classes`` leaves no style.

    Reference: Makhzani et al. (2015), "Adversarial autoencoders", section 5.

    >>> prior = ClassStylePrior(features=3, classes=2)
    >>> prior(None).sample((4,))[:, :2].sum(1)
    tensor([1., 1., 1., 1.])
    """

    logits: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(self, features: int, classes: int = 2) -> None:
        super().__init__()
        if not 1 <= classes < features:
            raise out_of_range("classes", f"an int in [1, {features - 1}], fewer than the {features} features", classes)
        style = features - classes
        self.register_buffer("logits", torch.zeros(classes), persistent=False)
        self.register_buffer("loc", torch.zeros(style), persistent=False)
        self.register_buffer("scale", torch.ones(style), persistent=False)

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> Distribution:
        style = Independent(Normal(self.loc, self.scale, validate_args=False), 1, validate_args=False)
        return _Halves(OneHotCategorical(logits=self.logits, validate_args=False), style)
