"""Distance in the features of a network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.grid import on_grid
from ..core.errors import UsageError, out_of_range
from ..core.module import AutoencoderModule
from ..core.registry import register
from .whole import Whole


@register("loss", "perceptual")
class Perceptual(Whole):
    """How far sample and reconstruction are apart in the eyes of a network that is not trained here.

        x ──▶ φ ──▶ φ₁(x), φ₂(x) …              cost = Σₗ mean (φₗ(x̂) − φₗ(x))² + pixels · Σᵢ (x̂ᵢ − xᵢ)²
        x̂ ──▶ φ ──▶ φ₁(x̂), φ₂(x̂) …

    φ is frozen and in evaluation mode; only the reconstruction has a gradient. Features are blind to some changes of
    x, so a small ``pixels`` keeps the reconstruction from drifting there. A distance, not a likelihood.

    Parameters
    ----------
    features : φ: a torch module, any function of a batch of tensors, an `AutoencoderModule` (its encoder's features),
        or a fitted estimator of ours (its ``module_``). It is copied, and not saved with the model: a model trained
        with it is an object of one session, and cannot be loaded from a folder.
    layers : names of submodules of φ, as ``named_modules`` gives them, whose outputs are compared; empty: φ's own.
    pixels : float >= 0. Weight of the squared error beside it.
    image : the (H, W) or (H, W, C) φ wants, of pictures that come flattened.
    channels_first : whether φ wants (B, C, H, W), as most networks for pictures do.
    low, high : bounds of the reconstruction, as in `Location`.

    Raises `UsageError` for something that cannot be called, or layers that φ does not have.

    Reference: Johnson, Alahi & Fei-Fei (2016), "Perceptual losses for real-time style transfer and
    super-resolution", equation 2; in an autoencoder: Hou et al. (2017), "Deep feature consistent variational
    autoencoder".

    >>> edges = lambda x: x[:, 1:] - x[:, :-1]
    >>> Perceptual(edges)(torch.tensor([[1.0, 1.0, 3.0]]), torch.zeros(1, 3))     # (0² + 2²) / 2
    tensor([2.])
    """

    def __init__(
        self,
        features: Any,
        layers: Sequence[str] = (),
        pixels: float = 0.0,
        image: Sequence[int] | None = None,
        channels_first: bool = False,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        super().__init__(low, high)
        if not pixels >= 0:
            raise out_of_range("pixels", "a number of at least 0", pixels)
        self.layers, self.pixels, self.channels_first = tuple(layers), float(pixels), bool(channels_first)
        self.image = None if image is None else tuple(int(side) for side in image)
        # in a tuple, where torch does not look for parts: it is neither trained nor saved
        self._seen_by = (_frozen(features),)
        known = dict(self._modules_of()) if self.layers else {}
        for name in self.layers:
            if name not in known:
                raise UsageError(f"features have no layer {name!r}; they have: {', '.join(filter(None, known))}.")

    def _modules_of(self) -> Any:
        seen = self._seen_by[0]
        return seen.named_modules() if isinstance(seen, nn.Module) else ()

    def seen(self, x: Float[Tensor, " b *s"]) -> list[Tensor]:
        """What the network makes of x: its output, or those of the layers asked for."""
        if self.image is not None:
            x = x.reshape(len(x), *self.image)
        if self.channels_first:
            x = on_grid(x, dims=2).movedim(-1, 1)
        network = self._seen_by[0]
        if isinstance(network, nn.Module):
            network.to(x.device, x.dtype)
        if not self.layers:
            out = network(x)
            return list(out) if isinstance(out, tuple | list) else [out]
        return _outputs(network, self.layers, x)

    def distance(self, data: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
        with torch.no_grad():
            wanted = self.seen(target)
        pairs = zip(self.seen(data), wanted, strict=True)
        cost = torch.stack([(a - b).square().reshape(len(a), -1).mean(1) for a, b in pairs]).sum(0)
        return cost + self.pixels * (data - target).square().flatten(1).sum(1) if self.pixels else cost


class _Features(nn.Module):
    """What an autoencoder's encoder makes of x."""

    def __init__(self, body: AutoencoderModule) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Any:
        return self.body.features(x)


def _frozen(features: Any) -> Callable[[Tensor], Any]:
    """A copy that no training moves. Raises `UsageError` for what is no function of a batch."""
    inner = features if isinstance(features, nn.Module) else getattr(features, "module_", None)
    if inner is None:
        if not callable(features):
            raise UsageError(
                "features must be a torch module, a function of a batch or a fitted autoencoder; "
                f"got {type(features).__name__}. Fit the autoencoder first."
            )
        return features  # type: ignore[no-any-return]
    held = copy.deepcopy(inner).eval().requires_grad_(False)
    return _Features(held) if isinstance(held, AutoencoderModule) else held


def _outputs(network: Any, names: Sequence[str], x: Tensor) -> list[Tensor]:
    """The outputs of submodules in one pass."""
    found: dict[str, Tensor] = {}
    modules = dict(network.named_modules())

    def keep(name: str) -> Callable[[Any, Any, Tensor], None]:
        return lambda module, inputs, out: found.__setitem__(name, out)

    hooks = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return [found[name] for name in names]
