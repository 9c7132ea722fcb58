"""A network that corrects a guess: what it puts out is added to what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.layers import Mlp
from ..core import Batch, Corrects, Decoder, Encoder, Network, register
from ..core.errors import UsageError
from ..core.interfaces import Shape
from .dense import DenseEncoder

SMALL = 0.01
"""What the first correction's weights are multiplied by."""


@register("network", "residual")
class Residual(Network):
    """A dense autoencoder whose reconstruction is its input and a correction.

        x = [guess | rest] ──▶ hidden ──▶ code ──▶ hidden ──▶ correction
              └──────────────────────────────────────────────────┴──(+)──▶ recon

    The correction starts near zero, so an untrained network gives the guess back. It pays where a good guess is at hand
    (a noisy picture, a linear filling) and what it lacks is to be learnt. A code alone, without the row it came
    from, decodes to the correction.

    Parameters
    ----------
    hidden : widths of the encoder's hidden layers; the decoder mirrors them.
    columns : [kind, width] of every column, for tables whose loss is mixed: the guess of a boolean or categorical
        column is a probability, and is added as its logarithm. None: all entries are numbers.
    activation, norm, dropout : as in network "dense".

    The guess is the first entries of a row, as many as come back. Raises `UsageError` if there are fewer.

    Reference: He, Zhang, Ren & Sun (2016), "Deep residual learning for image recognition"; Zhang et al. (2017),
    "Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising".

    >>> encoder, decoder = Residual(hidden=(8,)).build((4,), 2, 2, (3,))
    >>> x = torch.ones(2, 4)
    >>> bool(torch.allclose(decoder(encoder(x), Batch(x, x)), x[:, :3], atol=0.1))
    True
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128, 128),
        columns: Sequence[tuple[str, int] | list] | None = None,
        activation: str = "silu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        self.hidden, self.columns = tuple(int(width) for width in hidden), columns
        self.activation, self.norm, self.dropout = activation, norm, float(dropout)

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        if prod(shape) < prod(out_shape):
            raise UsageError(f"network 'residual' corrects its input, of shape {shape}; {out_shape} is to come back.")
        options = (self.activation, self.norm, self.dropout)
        encoder = DenseEncoder((prod(shape), *self.hidden, features), *options)
        return encoder, ResidualDecoder(
            (code, *reversed(self.hidden), prod(out_shape)), out_shape, self.columns, options
        )


class ResidualDecoder(Decoder, Corrects):
    """(B, D) to a correction (B, *out_shape), added to the first entries of the row where it is at hand."""

    boolean: Tensor
    categorical: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        out_shape: Shape,
        columns: Sequence[tuple[str, int] | list] | None,
        options: tuple[str, str, float],
    ) -> None:
        super().__init__()
        self.body, self.out_shape = Mlp(sizes, *options), tuple(out_shape)
        with torch.no_grad():
            self.body.last.weight.mul_(SMALL)
        kinds = [kind for kind, width in columns or () for _ in range(width)] or ["numeric"] * sizes[-1]
        for name in ("boolean", "categorical"):
            self.register_buffer(name, torch.tensor([kind == name for kind in kinds]), persistent=False)

    def forward(self, z: Float[Tensor, "b d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        correction = self.body(z)
        if batch is None:
            return correction.unflatten(1, self.out_shape)
        return (correction + self._guess(batch.x.flatten(1)[:, : correction.shape[1]])).unflatten(1, self.out_shape)

    def _guess(self, x: Tensor) -> Tensor:
        """The guess as the decoder puts things out: log-odds of booleans, logarithms of categories' shares."""
        guess = torch.where(self.boolean, torch.logit(x.clamp(0.02, 0.98)), x)
        return torch.where(self.categorical, torch.log(x.clamp(0.01, 1)), guess)
