"""Group sparsity of the encoder's input columns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from diabolo.core import AutoencoderModule, Batch, Latent, Output
from diabolo.core.errors import UsageError
from diabolo.penalties.column_sparsity import ColumnSparsity


def paid(weight: list[list[float]], **given: object) -> torch.Tensor:
    layer = nn.Linear(len(weight[0]), len(weight))
    layer.weight.data = torch.tensor(weight)
    x = torch.zeros(2, len(weight[0]))
    term = ColumnSparsity(**given)(AutoencoderModule(layer, nn.Identity(), layer), Batch(x, x), Output(Latent(x, x), x))
    (gradient,) = torch.autograd.grad(term, layer.weight)
    assert gradient.isfinite().all()
    return term.detach()


def test_it_is_the_sum_of_the_norms_of_columns() -> None:
    assert paid([[3.0, 0.0, 1.0], [4.0, 0.0, 0.0]]).item() == pytest.approx(5 + 0 + 1)
    columns = [["numeric", 1], ["categorical", 2]]
    assert paid([[3.0, 5.0, 12.0]], columns=columns).item() == pytest.approx(3 + 13)
    assert paid([[3.0, 5.0, 12.0, 4.0]], columns=columns, indicators=[0]).item() == pytest.approx(5 + 13)


def test_sharing_between_copies_costs_nothing_at_power_one_and_more_below() -> None:
    assert paid([[0.5, 0.5]]).item() == pytest.approx(paid([[1.0, 0.0]]).item())
    assert paid([[0.5, 0.5]], power=0.5).item() == pytest.approx(2**0.5 * paid([[1.0, 0.0]], power=0.5).item())


@pytest.mark.parametrize("power", [0.0, 1.5])
def test_a_power_out_of_range_is_refused(power: float) -> None:
    with pytest.raises(UsageError, match="power must be in"):
        ColumnSparsity(power=power)


def test_an_encoder_without_a_first_matrix_is_refused() -> None:
    x = torch.zeros(1, 3)
    module = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity())
    with pytest.raises(UsageError, match="first matrix reads the 3 values"):
        ColumnSparsity()(module, Batch(x, x), Output(Latent(x, x), x))
