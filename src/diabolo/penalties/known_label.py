"""Cross-entropy of known labels, for codes that hold a class.

Not on the registry: it fits one kind of bottleneck only, and the model that has it names both.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..core.batch import Batch, Output
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.schedules import Schedule

SMALLEST = 1e-30
"""Keeps the logarithm of a probability finite."""


class KnownLabel(Penalty):
    """Minus the log-probability that the code gives a row's label; rows without one are free.

        cost = −(B / known) log z[label]    for the rows of a batch whose label is known

    The factor makes the batch's mean that of the known rows, however few they are.

    Parameters
    ----------
    classes : int. The first values of z are their probabilities, as bottleneck ``class-style`` gives them.
    weight : float or `Schedule`.

    Reference: Makhzani et al. (2015), "Adversarial autoencoders", section 5, the semi-supervised phase.

    >>> import torch
    >>> from diabolo.core import Latent
    >>> module, z = AutoencoderModule(*(torch.nn.Identity() for _ in range(3))), torch.full((2, 4), 0.25)
    >>> batch = Batch(z, z, label=torch.tensor([1, -1]))
    >>> KnownLabel(4)(module, batch, Output(Latent(z, z), z))     # 2 log 4, and nothing
    tensor([2.7726, 0.0000])
    """

    part_name = "label"

    def __init__(self, classes: int, weight: float | Schedule = 1.0) -> None:
        super().__init__(weight)
        self.classes = classes

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        if batch.label is None:
            return out.recon.new_zeros(len(batch))
        known = batch.label >= 0
        picked = out.latent.z[..., : self.classes].gather(-1, batch.label.clamp_min(0)[:, None])[:, 0]
        return -picked.clamp_min(SMALLEST).log() * known * (len(known) / known.sum().clamp_min(1))
