"""Dense autoencoders under squared error: loss and gradients in closed form, without a graph.

The commonest composition (dense layers, identity bottleneck, squared error, nothing else) needs no automatic
differentiation: forward and backward are a dozen lines of matrix products. Without the graph's bookkeeping a step
of 784-128-64-32-16 at batch 256 takes a quarter less time (`benchmarks/train_speed.py`). Everything else takes the
usual way; a test holds the two ways to the same gradients (1e-5 of the largest) and the same trained weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..blocks.identity import Identity
from ..blocks.layers import Mlp
from ..core import Batch
from ..losses.squared import Squared
from ..networks.dense import DenseDecoder, DenseEncoder
from .stage import Stage

_aten = torch.ops.aten
ACTIVATIONS: dict[type[nn.Module], tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    nn.ReLU: (torch.relu, lambda g, h, out: _aten.threshold_backward(g, out, 0)),
    nn.Tanh: (torch.tanh, lambda g, h, out: _aten.tanh_backward(g, out)),
    nn.Sigmoid: (torch.sigmoid, lambda g, h, out: _aten.sigmoid_backward(g, out)),
    nn.SiLU: (nn.functional.silu, lambda g, h, out: _aten.silu_backward(g, h)),
    nn.GELU: (nn.functional.gelu, lambda g, h, out: _aten.gelu_backward(g, h)),
}
"""Activation -> (function, gradient from the outer gradient, input and output)."""


class ClosedForm:
    """Loss of a batch; calling it also fills the gradients of every layer.

    h = W x + b,  x' = a(h)   layer by layer;   L = mean over the batch of |link(h_last) - target|^2
    dW = g' x,  db = sum g,  g <- (g W) * a'(h)   back again
    """

    def __init__(self, layers: list[tuple[nn.Linear, type[nn.Module] | None]], stage: Stage) -> None:
        self.layers, self.module = layers, stage.module
        self.bounds: Any = stage.objective.loss.bounds

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        """The mean loss of a batch, after setting ``.grad`` of all parameters."""
        x, steps = batch.x.flatten(1), []
        if self.module.shift is not None:
            x = (x - self.module.shift.flatten()) * (1 / self.module.scale)
        for linear, kind in self.layers:
            h = torch.addmm(linear.bias, x, linear.weight.T)
            out = h if kind is None else ACTIVATIONS[kind][0](h)
            steps.append((x, h, out))
            x = out
        loss, g = self._loss(x, batch.target.flatten(1))
        for i in range(len(self.layers) - 1, -1, -1):
            (linear, kind), (x, h, out) = self.layers[i], steps[i]
            if kind is not None:
                g = ACTIVATIONS[kind][1](g, h, out)
            _fill(linear.weight, lambda into, g=g, x=x: torch.mm(g.T, x, out=into))  # type: ignore[misc, arg-type]
            _fill(linear.bias, lambda into, g=g: torch.sum(g, 0, out=into))  # type: ignore[misc, arg-type]
            if i:
                g = g @ linear.weight
        return loss

    def _loss(self, recon: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """The mean squared norm of the residual, and its gradient by the last layer's output."""
        if self.bounds is None:
            scale, shift = (self.module.scale, self.module.shift) if self.module.scales_output else (1.0, None)
            residual = recon - target if shift is None else recon * scale + shift.flatten() - target
            return torch.linalg.vecdot(residual, residual).mean(), residual.mul_(2 * scale / len(recon))
        low, high = self.bounds
        share = torch.sigmoid(recon)
        residual = share - target if (low, high) == (0.0, 1.0) else share.mul(high - low).add_(low).sub_(target)
        loss = torch.linalg.vecdot(residual, residual).mean()
        return loss, _aten.sigmoid_backward(residual.mul_(2 * (high - low) / len(recon)), share)


def closed_form(stage: Stage) -> ClosedForm | None:
    """The closed form of a stage's gradients, or None where it has none."""
    module, objective = stage.module, stage.objective
    encoder, decoder = module.encoder, module.decoder
    plain = (
        type(encoder) is DenseEncoder
        and type(decoder) is DenseDecoder
        and type(module.bottleneck) is Identity
        and type(objective.loss) is Squared
        and objective.reconstruction == 1
        and not objective.penalties
        and encoder.hides == 0
        and all(p.requires_grad for p in module.parameters())
    )
    if not plain:
        return None
    layers = [*_layers(encoder.body), *_layers(decoder.body)]  # type: ignore[union-attr, arg-type]
    return ClosedForm(layers, stage) if all(layer is not None for layer in layers) else None  # type: ignore[arg-type]


def _layers(body: Mlp) -> list[Any]:
    """(linear layer, activation) of every stage; None for one that holds anything else."""
    found: list[Any] = []
    for stage in body.stages:
        linear, *rest = stage.children()
        known = isinstance(linear, nn.Linear) and linear.bias is not None
        known = known and (not rest or (len(rest) == 1 and type(rest[0]) in ACTIVATIONS))
        found.append((linear, type(rest[0]) if rest else None) if known else None)
    return found


def _fill(p: nn.Parameter, compute: Callable[[Tensor], Tensor]) -> None:
    """Let a gradient be written where it belongs: into the flat buffer, or a tensor of its own."""
    if p.grad is None:
        p.grad = torch.empty_like(p)
    compute(p.grad)
