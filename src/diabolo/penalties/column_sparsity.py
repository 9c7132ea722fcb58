"""Group sparsity: whole columns of the input that the encoder does without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.column_choice import layout
from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty, TakesSparse
from ..core.module import AutoencoderModule
from ..core.registry import register

TINY = 1e-12


@register("penalty", "column-sparsity")
class ColumnSparsity(Penalty, TakesSparse):
    """Norms of the weights by which the encoder's first layer reads each column of the row.

        Σ_c ‖W_c‖₂^p,    W_c the weights on the values of column c

    With p = 1 (the group lasso, L2,1) a column goes to zero as a whole; but two equal columns may share their weights
    at the same price. Below 1 sharing costs more than leaving it to one, so that a copy is dropped.

    Parameters
    ----------
    weight : float or `Schedule`.
    power : float in (0, 1]. p.
    columns, indicators : as in network ``selective``; (): every value of the row is a column of its own.

    Raises `UsageError` for a power out of range, or an encoder whose first matrix does not read the row.

    Reference: Han, Wang, Zhang, Li & Xu (2018), "Autoencoder inspired unsupervised feature selection", equation 5;
    Yuan & Lin (2006), "Model selection and estimation in regression with grouped variables", for p = 1.

    >>> from torch import nn
    >>> from diabolo.core import Latent
    >>> module = AutoencoderModule(nn.Linear(2, 2), nn.Identity(), nn.Linear(2, 2))
    >>> module.encoder.weight.data = torch.tensor([[3.0, 0.0], [4.0, 0.0]])
    >>> x = torch.zeros(1, 2)
    >>> round(ColumnSparsity()(module, Batch(x, x), Output(Latent(x, x), x)).item(), 4)     # |(3, 4)| + |(0, 0)|
    5.0
    """

    batchwise = True

    def __init__(
        self,
        weight: Any = 1.0,
        power: float = 1.0,
        columns: Sequence[Any] = (),
        indicators: Sequence[int] = (),
    ) -> None:
        super().__init__(weight)
        if not 0 < power <= 1:
            raise out_of_range("power", "in (0, 1]", power)
        self.power, self.columns, self.indicators = float(power), columns, indicators

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        values = batch.x.shape[-1]
        weight = next((p for p in module.encoder.parameters() if p.ndim == 2 and p.shape[1] == values), None)
        if weight is None:
            raise UsageError(
                f"penalty 'column-sparsity' needs an encoder whose first matrix reads the {values} values of a row; "
                "use network 'dense'."
            )
        squares = weight.square().sum(0)
        owner = torch.tensor(layout(self.columns, self.indicators, values)[0], device=weight.device)
        whole = squares.new_zeros(int(owner.max()) + 1).index_add(0, owner, squares)
        # the root of zero has no gradient: a closed column stays closed
        return torch.where(whole > TINY, whole.clamp_min(TINY) ** (self.power / 2), 0.0).sum()
