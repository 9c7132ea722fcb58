"""Bring your own encoder and decoder."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ..core import Batch, Decoder, Encoder, Network, register
from ..core.errors import UsageError
from ..core.interfaces import Shape


@register("network", "custom")
class Custom(Network):
    """Any two ``torch.nn.Module`` as encoder and decoder; Keras layers on Keras' torch backend are such modules.

    The encoder maps (B, *S) to features (B, …, F), the decoder codes (B, …, D) to (B, *out_shape), both for
    the bottleneck chosen: F = D for the identity, F = 2 D (mean and raw deviation) for a Gaussian. Weights and
    shapes are saved; the code stays yours: ``load(path, encoder=…, decoder=…)``. The modules given are copied,
    never changed. Vincent et al. (2010) is what the loop around them does; nothing of it is yours to write.

    >>> encoder, decoder = Custom(nn.Linear(4, 2), nn.Linear(2, 4)).build((4,), 2, 2, (4,))
    >>> decoder(encoder(torch.zeros(3, 4))).shape
    torch.Size([3, 4])
    """

    def __init__(self, encoder: Any = None, decoder: Any = None) -> None:
        for side, module in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(module, nn.Module):
                raise UsageError(
                    f"network 'custom' needs a torch.nn.Module as {side}; got {type(module).__name__}. "
                    "Its code is not in a saved model: load(path, encoder=…, decoder=…)."
                )
        self.encoder, self.decoder = encoder, decoder

    def features(self, shape: Shape) -> int:
        """The last dimension of what the encoder makes of rows of ``shape``."""
        return int(_probe(self.encoder, torch.zeros(2, *shape), "encoder").shape[-1])

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        encoder, decoder = copy.deepcopy(self.encoder), copy.deepcopy(self.decoder)
        h = _probe(encoder, torch.zeros(2, *shape), "encoder")
        if h.shape[-1] != features:
            raise UsageError(
                f"the encoder gives {h.shape[-1]} features, the bottleneck takes {features}; "
                "set n_components to match (half the features for a Gaussian bottleneck)."
            )
        recon = _probe(decoder, torch.zeros(*h.shape[:-1], code), "decoder")
        if tuple(recon.shape[1:]) != tuple(out_shape):
            raise UsageError(
                f"the decoder gives rows of shape {tuple(recon.shape[1:])}; the loss needs {tuple(out_shape)}."
            )
        return CustomEncoder(encoder), CustomDecoder(decoder)


def _probe(module: nn.Module, x: Tensor, side: str) -> Tensor:
    try:
        with torch.no_grad():
            out = module(x)
    except Exception as error:
        raise UsageError(f"the {side} given fails on rows of shape {tuple(x.shape[1:])}: {error}") from error
    if not isinstance(out, Tensor) or len(out) != len(x):
        raise UsageError(f"the {side} given must return one tensor with a row for each input row.")
    return out


class CustomEncoder(Encoder):
    """A user's module behind the encoder's interface."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        _number_keras_weights(self, body)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        out: Tensor = self.body(x)
        return out


class CustomDecoder(Decoder):
    """A user's module behind the decoder's interface."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        _number_keras_weights(self, body)

    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        out: Tensor = self.body(z)
        return out


def _number_keras_weights(side: nn.Module, body: Any) -> None:
    """Let Keras weights go to disk by their position, each once.

    Keras names a layer by how many the process has made ("dense_7"), and lists every weight twice.
    """
    if not any(cls.__module__.partition(".")[0] == "keras" for cls in type(body).__mro__):
        return

    def saving(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
        for name in [name for name in state if name.startswith(f"{prefix}body.")]:
            del state[name]
        state.update({f"{prefix}body.{i}": weight.value.detach() for i, weight in enumerate(body.weights)})

    def loading(module: nn.Module, state: dict[str, Any], prefix: str, *others: Any) -> None:
        with torch.no_grad():
            for i, weight in enumerate(body.weights):
                weight.value.copy_(state.pop(f"{prefix}body.{i}"))
        own = body.state_dict(keep_vars=True)
        state.update({f"{prefix}body.{name}": tensor for name, tensor in own.items()})

    side.register_state_dict_post_hook(saving)
    side.register_load_state_dict_pre_hook(loading)
