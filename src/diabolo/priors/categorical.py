"""The prior of a categorical code that says nothing."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.one_hot import OneHots
from ..core.errors import out_of_range
from ..core.interfaces import Prior
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("prior", "uniform-categorical")
class UniformCategorical(Prior):
    """Every class of every variable is equally likely; z holds their one-hot blocks.

        p(z) = Π_g 1 / C

    Parameters
    ----------
    features : int, a multiple of ``classes``. Values of z a position, D.
    classes : int, at least 2, or None: all features are one variable.

    Raises `UsageError` for values out of range.

    Reference: Jang, Gu & Poole (2017), "Categorical reparameterization with Gumbel-softmax", section 3.1.

    >>> module = AutoencoderModule(*(torch.nn.Identity() for _ in range(3)), UniformCategorical(features=4, classes=2))
    >>> module.prior(module).log_prob(torch.tensor([1.0, 0.0, 0.0, 1.0]))     # −2 log 2
    tensor(-1.3863)
    """

    logits: Tensor

    def __init__(self, features: int, classes: int | None = None) -> None:
        super().__init__()
        classes = features if classes is None else classes
        if classes < 2:
            raise out_of_range("classes", "an int of at least 2", classes)
        if features < 1 or features % classes:
            raise out_of_range("features", f"a multiple of the {classes} classes", features)
        self.register_buffer("logits", torch.zeros(features // classes, classes), persistent=False)

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> OneHots:
        return OneHots(self.logits)
