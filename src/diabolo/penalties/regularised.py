"""What keeps a deterministic autoencoder smooth: small codes, and a decoder that does not jump."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core.batch import Batch, Output
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register
from .decay import checked_side, matrices


@register("penalty", "code-norm")
class CodeNorm(Penalty):
    """Half the squared norm of the code, a sample: codes stay together.

        ½ |z|²,    summed over positions; padded ones are free

    Parameters
    ----------
    weight : float or `Schedule`. β of the paper.

    Reference: Ghosh et al. (2020), "From variational to deterministic autoencoders", equation 9 (L_Z of RAE).

    >>> from diabolo.core import Latent
    >>> z = torch.tensor([[3.0, 4.0]])
    >>> CodeNorm()(None, Batch(z, z), Output(Latent(z, z), z))
    tensor([12.5000])
    """

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        cost = 0.5 * out.latent.z.square().sum(-1)
        if batch.mask is not None and batch.mask.shape == cost.shape:
            cost = torch.where(batch.mask, cost, 0.0)
        return cost.flatten(1).sum(1) if cost.ndim > 1 else cost


@register("penalty", "decoder-gradient")
class DecoderGradient(Penalty):
    """Half the squared norm of the decoder's Jacobian at the code, estimated by one random direction a row.

        ½ |dD(z)/dz|² = ½ E |vᵀ dD(z)/dz|²,    v of random signs

    The estimate is unbiased (Hutchinson 1990). In evaluation, where gradients may be off, it is left out: 0.

    Parameters
    ----------
    weight : float or `Schedule`. λ of the paper.

    Reference: Ghosh et al. (2020), "From variational to deterministic autoencoders", equation 10 (RAE-GP).

    >>> from torch import nn
    >>> from diabolo.core import Latent
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.ones_(layer.weight)
    >>> class Plain(nn.Module):
    ...     def decode(self, z, batch=None): return layer(z)
    >>> z = torch.zeros(1, 2)
    >>> DecoderGradient()(Plain(), Batch(z, z), Output(Latent(z, z), z)).detach()      # ½ (1² + 1²)
    tensor([1.])
    """

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        z = out.latent.z
        if not self.training or not torch.is_grad_enabled():
            return z.new_zeros(len(z))
        at = z if z.requires_grad else z.detach().requires_grad_()
        recon = module.decode(at, batch)
        signs = torch.randint(0, 2, recon.shape, device=recon.device).to(recon) * 2 - 1
        (slope,) = torch.autograd.grad((recon * signs).sum(), at, create_graph=True)
        return 0.5 * slope.square().flatten(1).sum(1)


@register("penalty", "spectral-norm")
class SpectralNorm(Penalty):
    """Half the squared largest singular value of every weight matrix: how far a layer can stretch a difference.

        ½ Σ_W σ(W)²,    kernels as matrices (out, in · size)

    σ = uᵀ W v with u and v from 30 power iterations: no state is kept between steps. At a draw of equal singular
    values u and v may differ, σ does not.

    Parameters
    ----------
    weight : float or `Schedule`.
    side : "both", "encoder" or "decoder". Whose weights pay.

    Raises `UsageError` for an unknown side.

    Reference: Yoshida & Miyato (2017), "Spectral norm regularization for improving the generalizability of deep
    learning", equation 3; on a decoder: Ghosh et al. (2020), RAE-SN.

    >>> from torch import nn
    >>> layer = nn.Linear(2, 2)
    >>> _ = layer.weight.data.copy_(torch.diag(torch.tensor([3.0, 1.0])))
    >>> module, z = AutoencoderModule(nn.Identity(), nn.Identity(), layer), torch.zeros(1, 2)
    >>> SpectralNorm()(module, None, None).item()
    4.5
    """

    ITERATIONS = 30

    def __init__(self, weight: Any = 1.0, side: str = "both") -> None:
        super().__init__(weight)
        self.side = checked_side(side)

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        costs = [0.5 * self._largest(weight).square() for weight in matrices(module, self.side)]
        return torch.stack(costs).sum() if costs else torch.zeros(())

    def _largest(self, weight: Tensor) -> Float[Tensor, ""]:
        matrix = weight.flatten(1)
        with torch.no_grad():
            v = torch.ones_like(matrix[0])
            for _ in range(self.ITERATIONS):
                u = functional.normalize(matrix @ v, dim=0)
                v = functional.normalize(matrix.T @ u, dim=0)
        return u @ matrix @ v
