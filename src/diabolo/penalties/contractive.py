"""The contractive penalty: how strongly the code answers to small changes of the data."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from ..blocks.identity import Identity
from ..blocks.layers import Mlp
from ..core.batch import Batch, Output
from ..core.errors import out_of_range, unknown
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register

WAYS = ("auto", "exact", "estimate")
WIDEST = 64
"""Values of a code up to which the whole Jacobian is cheaper than what an estimate costs in noise."""
_SLOPES: dict[type[nn.Module], Any] = {
    nn.Sigmoid: lambda h: torch.sigmoid(h) * torch.sigmoid(-h),
    nn.Tanh: lambda h: 1 - torch.tanh(h).square(),
    nn.ReLU: lambda h: (h > 0).to(h.dtype),
}
"""Derivatives of the activations for which one layer has a closed form."""


@register("penalty", "contractive")
class Contractive(Penalty):
    """Squared Frobenius norm of the code's Jacobian, a sample: directions the data do not need are flattened.

        ‖J‖² = Σᵢⱼ (∂zⱼ/∂xᵢ)²        one layer z = a(Wx + b):  Σⱼ a'(hⱼ)² ‖Wⱼ‖²

    Parameters
    ----------
    weight : float or `Schedule`. λ.
    way : "exact": in closed form for one dense layer, else the whole Jacobian, D backward passes at once.
        "estimate": ‖vᵀJ‖² for ``draws`` random sign vectors v (Hutchinson 1990); unbiased, one backward pass a draw.
        "auto": exact for dense networks without batch norm, whose rows do not touch each other, and up to 64 values
        of the code; an estimate for all others (recurrent, convolutional, batch norm).
    draws : int, at least 1. Of the estimate.

    The code is that of `transform`, the mean of a posterior. In inference mode (scoring) the term is 0: it is a
    property of the encoder, not of a row's reconstruction.

    Raises `UsageError` for another ``way`` or ``draws`` below 1.

    Reference: Rifai, Vincent, Muller, Glorot & Bengio (2011), "Contractive auto-encoders: explicit invariance during
    feature extraction", equations 5 and 6.

    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> layer.forward = lambda x, mask=None, cond=None: nn.functional.linear(x, layer.weight)
    >>> x = torch.zeros(3, 2)
    >>> module = AutoencoderModule(layer, Identity(features=1), nn.Identity())
    >>> Contractive(way="estimate")(module, Batch(x, x), None)
    tensor([2., 2., 2.], grad_fn=<DivBackward0>)
    """

    def __init__(self, weight: Any = 1.0, way: str = "auto", draws: int = 1) -> None:
        super().__init__(weight)
        if way not in WAYS:
            raise unknown("way", way, WAYS)
        if draws < 1:
            raise out_of_range("draws", "an int of at least 1", draws)
        self.way, self.draws = way, draws

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        if torch.is_inference_mode_enabled():
            return batch.x.new_zeros(len(batch))
        if self.way == "estimate" or (self.way == "auto" and not _separable(module)):
            return self._estimate(module, batch)
        closed = _one_layer(module, batch)
        return closed if closed is not None else _whole(module, batch)

    @torch.enable_grad()
    def _estimate(self, module: AutoencoderModule, batch: Batch) -> Tensor:
        x = batch.x.detach().requires_grad_()
        code = module.code(x, batch.mask, batch.cond)
        total = batch.x.new_zeros(len(batch))
        for _ in range(self.draws):
            signs = torch.empty_like(code).bernoulli_(0.5).mul_(2).sub_(1)
            (row,) = torch.autograd.grad(code, x, signs, create_graph=True)
            total = total + row.square().flatten(1).sum(1)
        return total / self.draws


def _separable(module: AutoencoderModule) -> bool:
    """Whether the whole Jacobian is cheap and no row touches another: dense layers without batch norm, a small code."""
    body = getattr(module.encoder, "body", None)
    norms = any("BatchNorm" in type(part).__name__ for part in module.encoder.modules())
    small = isinstance(body, Mlp) and not norms and module.bottleneck.out_features <= WIDEST
    return small or _layer(module) is not None


def _layer(module: AutoencoderModule) -> tuple[nn.Linear, Any] | None:
    """The only dense layer of an encoder and the slope of what follows it; None for anything deeper."""
    body = getattr(module.encoder, "body", None)
    if not isinstance(body, Mlp) or len(body.stages) != 1:
        return None
    act = getattr(module.bottleneck, "act", None)
    if type(module.bottleneck) is Identity:
        return body.first, torch.ones_like
    slope = next((found for kind, found in _SLOPES.items() if type(act) is kind), None)
    return None if slope is None else (body.first, slope)


def _one_layer(module: AutoencoderModule, batch: Batch) -> Tensor | None:
    found = _layer(module)
    if found is None:
        return None
    layer, slope = found
    h = module.features(batch.x, batch.mask, batch.cond)
    scale = 1.0 if module.shift is None else 1 / module.scale
    return slope(h).square() @ (layer.weight * scale).square().sum(1)


def _whole(module: AutoencoderModule, batch: Batch) -> Tensor:
    parameters = dict(module.named_parameters())

    def code(x: Tensor) -> Tensor:
        coded: Tensor = functional_call(_Code(module), {f"module.{k}": v for k, v in parameters.items()}, (x[None],))
        return coded[0]

    jacobian: Tensor = vmap(jacrev(code), randomness="different")(batch.x)
    return jacobian.square().flatten(1).sum(1)


class _Code(nn.Module):
    """The deterministic code as a module's forward."""

    def __init__(self, module: AutoencoderModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module.code(x)
