"""Orthogonality: components that do not repeat each other, in the code or in the decoder."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.positions import real_rows
from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register

OF = ("code", "decoder")


@register("penalty", "orthogonality")
class Orthogonality(Penalty):
    """How far components are from being uncorrelated (in the code) or orthonormal (in the decoder).

        of="code"      ½ (‖C‖² − ‖diag C‖²),    C the covariance of the code's components over the batch
        of="decoder"   ‖WᵀW − I‖²,              W the matrix that reads the code; its columns are directions

    The first leaves the variances free, the second asks for unit length too; with a linear network and tied
    variances they lead towards principal components. Squared Frobenius norms; one number for the batch.

    Parameters
    ----------
    weight : float or `Schedule`.
    of : "code" or "decoder".

    Raises `UsageError` for another ``of``, or a decoder without a matrix that reads the code.

    Reference: code: Cogswell, Ahmed, Girshick, Zitnick & Batra (2016), "Reducing overfitting in deep networks by
    decorrelating representations", equation 2; decoder: Bansal, Chen & Wang (2018), "Can we gain more from
    orthogonality regularizations in training deep networks?", equation 1.

    >>> from diabolo.core import Latent
    >>> z = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])     # covariance 1 between the two
    >>> Orthogonality()(None, Batch(z, z), Output(Latent(z, z), z))
    tensor(1.)
    """

    batchwise = True

    def __init__(self, weight: Any = 1.0, of: str = "code") -> None:
        super().__init__(weight)
        if of not in OF:
            raise out_of_range("of", "'code' or 'decoder'", of)
        self.of = of

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        code = out.latent.code
        if self.of == "code":
            rows = real_rows(code, batch.mask if out.latent.draws == 1 else None)
            centred = rows - rows.mean(0)
            covariance = centred.T @ centred / max(1, len(rows))
            return 0.5 * (covariance.square().sum() - covariance.diagonal().square().sum())
        weight = reader(module, code.shape[-1])
        return (weight.T @ weight - torch.eye(weight.shape[1], dtype=weight.dtype, device=weight.device)).square().sum()


def reader(module: AutoencoderModule, width: int) -> Float[Tensor, "n d"]:
    """The decoder's matrix that takes the code, by its number of columns; of a tied decoder the encoder's, turned."""
    for side, turned in ((module.decoder, False), (module.encoder, True)):
        for parameter in side.parameters():
            if parameter.ndim == 2 and parameter.shape[0 if turned else 1] == width:
                return parameter.T if turned else parameter
    raise UsageError(
        f"penalty 'orthogonality' of the decoder needs a matrix that reads the {width} values of the code; "
        "this decoder has none. Use of='code', or network 'dense'."
    )
