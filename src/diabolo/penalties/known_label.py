"""Cross-entropy of known labels, for codes that hold a class.

Not on the registry: it fits one kind of bottleneck only, and the model that has it names both.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.distributions import OneHotCategorical

from ..core.batch import Batch, Output
from ..core.errors import UsageError
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule


class KnownLabel(Penalty):
    """Minus the log-probability that the code gives a row's label; rows without one are free.

        cost = −(B / known) log q(y | x)    for the rows of a batch whose label is known

    The factor makes the batch's mean that of the known rows, however few they are.

    Parameters
    ----------
    weight : float or `Schedule`.

    Raises `UsageError` if the bottleneck has no class, such as ``class-style``.

    Reference: Makhzani et al. (2015), "Adversarial autoencoders", section 5, the semi-supervised phase.

    >>> import torch
    >>> from diabolo.core import Latent
    >>> module, x = AutoencoderModule(*(torch.nn.Identity() for _ in range(3))), torch.zeros(2, 3)
    >>> latent = Latent(x, x, OneHotCategorical(logits=torch.zeros(2, 4)))
    >>> KnownLabel()(module, Batch(x, x, label=torch.tensor([1, -1])), Output(latent, x))     # 2 log 4, and nothing
    tensor([2.7726, 0.0000])
    """

    part_name = "label"

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        q = out.latent.posterior
        if not isinstance(q, OneHotCategorical):
            raise UsageError("penalty 'label' needs a bottleneck whose posterior is a class, such as 'class-style'.")
        if batch.label is None:
            return out.recon.new_zeros(len(batch))
        known = batch.label >= 0
        picked = q.logits.gather(-1, batch.label.clamp_min(0)[:, None])[:, 0]
        return -picked * known * (len(known) / known.sum().clamp_min(1))
