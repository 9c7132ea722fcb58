"""Columns in place of a code: what a node gives, when gates close, what the decoder starts from."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from diabolo.core import AutoencoderModule, Batch, make
from diabolo.core.errors import UsageError
from diabolo.networks.selective import ConcreteEncoder, GatedEncoder, Selective

COLUMNS = [["numeric", 1], ["categorical", 3], ["numeric", 1]]


def rows(n: int = 200, width: int = 6) -> torch.Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(0))


def whole(network: Selective, width: int, features: int, out: int | None = None) -> AutoencoderModule:
    torch.manual_seed(0)
    encoder, decoder = network.build((width,), features, features, (out or width,))
    return AutoencoderModule(encoder, make("bottleneck", "identity", features=features), decoder)


def test_in_evaluation_every_node_gives_its_likeliest_column_and_all_that_belongs_to_it() -> None:
    encoder, _ = Selective(columns=COLUMNS, indicators=[2]).build((6,), 6, 6, (5,))
    assert isinstance(encoder, ConcreteEncoder)
    encoder.eval().logits.data.copy_(torch.tensor([[0.0, 0.0, 9.0], [0.0, 9.0, 0.0]]))
    x = torch.tensor([[1.0, 0.0, 1.0, 0.0, 5.0, -1.0]])  # a number; a category of three; a number and its mark
    assert encoder(x).tolist() == [[5.0, -1.0, 0.0, 0.0, 1.0, 0.0]]


def test_a_relaxed_choice_sums_to_one_and_hardens_as_the_temperature_falls() -> None:
    encoder, _ = Selective(warm=4.0, cooling="exponential(final=0.001)").build((6,), 60, 60, (6,))
    torch.manual_seed(0)
    sharp = []
    for step in (0, 99):
        encoder.after_step(step, 100)
        assert encoder.temperature.item() == pytest.approx(4.0 * 0.001 ** ((step + 1) / 100), rel=1e-5)
        mixture = encoder.train().mixture()
        torch.testing.assert_close(mixture.sum(1), torch.ones(60))
        sharp.append(float(mixture.detach().max(1).values.mean()))
    assert sharp[0] < 0.6 and sharp[1] > 0.95


def test_nodes_start_at_the_columns_that_explain_most() -> None:
    x = rows()
    x[:, 3], x[:, 5] = x[:, 0] + 0.01 * x[:, 3], x[:, 0] + 0.01 * x[:, 5]  # 0, 3 and 5 are nearly one
    module = whole(Selective(scaled=True), 6, 4)
    module.encoder.begin(module, Batch(x, x))
    picked = module.encoder.logits.argmax(1).tolist()
    assert len({0, 3, 5} & set(picked)) == 1 and {1, 2, 4} <= set(picked)


def test_gates_close_for_good_weakest_first_until_as_many_are_open_as_asked() -> None:
    encoder, _ = Selective("group", keep=2, hidden=()).build((6,), 3, 3, (6,))
    assert isinstance(encoder, GatedEncoder)
    encoder.body.first.weight.data.copy_(torch.ones(3, 6) * torch.tensor([3.0, 1.0, 6.0, 2.0, 5.0, 4.0]))
    counts = []
    for step in range(100):
        encoder.after_step(step, 100)
        counts.append(int(encoder.gate.isinf().sum()))
    assert counts[0] == 6 and counts[-1] == 2 and counts == sorted(counts, reverse=True)
    assert np.argsort(-encoder.strengths().numpy()).tolist() == [2, 4, 5, 0, 3, 1]
    x = rows(4)
    other = x.clone()
    other[:, [0, 1, 3, 5]] = 100.0
    assert torch.equal(encoder(x), encoder(other))


def test_the_decoder_starts_at_the_least_squares_solution_in_the_columns_own_units() -> None:
    x = rows(400)
    x = torch.cat([x, x @ torch.randn(6, 3, generator=torch.Generator().manual_seed(1))], 1) * 10.0 ** torch.arange(9)
    module = whole(Selective("kept", kept=[4, 0, 1, 2, 3, 5], scaled=True, hidden=(5,)), 9, 6)
    for part in (module.encoder.view, module.decoder):
        part.begin(module, Batch(x, x))
    recon = module(Batch(x, x)).recon.detach()
    torch.testing.assert_close(recon / x.std(0), x / x.std(0), rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("given", "width", "features", "said"),
    [
        ({"way": "best"}, 6, 2, "way 'best' is unknown"),
        ({"warm": 0.0}, 6, 2, "warm must be above 0"),
        ({"way": "group", "keep": 7}, 6, 2, "keep must be in 1 to 6"),
        ({"way": "kept", "kept": [0, 0]}, 6, 2, "different column numbers"),
        ({"way": "kept", "kept": [6]}, 6, 1, "different column numbers from 0 to 5"),
        ({"way": "kept", "kept": [0, 1]}, 6, 3, "n_components must be 2"),
        ({"columns": COLUMNS}, 6, 3, "fill 5 values; a row has 6"),
        ({"columns": COLUMNS}, 5, 4, "a multiple of 3"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict, width: int, features: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Selective(**given).build((width,), features, features, (width,))


def test_strengths_say_how_sure_a_choice_is() -> None:
    encoder, _ = Selective(warm=1.0).build((3,), 2, 2, (3,))
    encoder.logits.data.copy_(torch.tensor([[math.log(8), 0.0, 0.0], [0.0, 0.0, math.log(2)]]))
    torch.testing.assert_close(encoder.strengths(), torch.tensor([0.8, 0.25, 0.5]))
