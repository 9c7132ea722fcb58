"""What only a U-shaped network promises: any size, its input back at first, the same answer wherever a thing lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diabolo import Autoencoder, Trainer
from diabolo.core import AutoencoderModule, Batch, Spec, make
from diabolo.core.errors import UsageError
from diabolo.networks.u_shaped import continued


def built(shape: tuple[int, ...], out: tuple[int, ...], **params: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    return make("network", Spec("u-shaped", **{"width": 4, **params})).build(shape, 5, 5, out)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (8, 8), (31, 17)])
def test_any_size_goes_through_whatever_it_was_built_for(size: tuple[int, int]) -> None:
    encoder, decoder = built((9, 7, 2), (9, 7, 2))
    x = torch.rand(2, *size, 2)
    assert encoder(x).shape == (2, *size, 5)
    assert decoder(encoder(x), Batch(x, x)).shape == x.shape


def test_an_untrained_correction_gives_the_data_back() -> None:
    encoder, decoder = built((9, 7, 4), (9, 7, 3))
    x = torch.rand(3, 9, 7, 4)
    torch.testing.assert_close(decoder(encoder(x), Batch(x, x)), x[..., :3], atol=0.05, rtol=0)
    assert float(decoder(encoder(x)).detach().abs().max()) < 0.05  # a code alone decodes to the correction


def test_the_data_come_back_in_their_own_units_when_the_module_standardises() -> None:
    encoder, decoder = built((8, 8, 1), (8, 8, 1))
    module = AutoencoderModule(encoder, make("bottleneck", "identity", features=5), decoder)
    x = 1000 + 50 * torch.rand(2, 8, 8, 1)
    module.standardise(x.mean(0), 25.0, True)
    torch.testing.assert_close(module.decoded(Batch(x, x)), x, atol=3.0, rtol=0)


def test_what_is_moved_by_whole_cells_of_the_coarsest_map_comes_out_moved() -> None:
    encoder, _ = built((64, 64, 1), (64, 64, 1), depth=2)
    x = torch.rand(1, 96, 96, 1)
    moved = torch.roll(x, (4, 8), (1, 2))
    inside = (slice(None), slice(44, 56), slice(44, 56))
    torch.testing.assert_close(torch.roll(encoder(x), (4, 8), (1, 2))[inside], encoder(moved)[inside])


def test_every_detail_is_passed_across() -> None:
    """A checkerboard is gone after the first halving; the ways across still carry it."""
    torch.manual_seed(0)
    board = ((torch.arange(16)[:, None] + torch.arange(16)) % 2).float()
    rows = torch.stack([board, 1 - board, board, 1 - board] * 16)[..., None].numpy()
    trainer = Trainer(epochs=40, batch_size=8, optimizer="adamw", lr=3e-3, validation=0.0)
    net = Spec("u-shaped", width=4, depth=2, residual=False)
    model = Autoencoder(4, network=net, loss="squared", trainer=trainer, random_state=0).fit(rows)
    assert float(np.square(model.reconstruct(rows) - rows).mean()) < 0.02


def test_continued_mirrors_and_repeats_where_it_cannot() -> None:
    row = torch.arange(5.0).reshape(1, 1, 1, 5)
    assert continued(row.expand(1, 1, 4, 5), 4)[0, 0].tolist() == [[0, 1, 2, 3, 4, 3, 2, 1]] * 4
    assert continued(row, 4)[0, 0].tolist() == [[0, 1, 2, 3, 4, 4, 4, 4]] * 4


def test_that_it_can_copy_is_said_unless_something_is_kept_from_it() -> None:
    rows = np.random.default_rng(0).random((12, 8, 8), dtype=np.float32)
    net = Spec("u-shaped", width=2, depth=1)
    for corruption, said in ((None, True), ("noise(std=0.1)", False)):
        model = Autoencoder(2, network=net, corruption=corruption, loss="squared", random_state=0).plan(rows)
        assert any(choice.name == "constraint" and "copy" in choice.why for choice in model.choices_) == said


@pytest.mark.parametrize(
    ("params", "shape", "out", "message"),
    [
        ({"depth": 0}, (8, 8), (8, 8), r"depth must be an int of at least 1; got 0"),
        ({"kernel": 4}, (8, 8), (8, 8), r"kernel must be an odd int; got 4"),
        ({}, (7,), (7,), r""),
        ({}, (8, 8), (8, 8, 3), r"1 channels it is given, and 3 .*residual=False"),
        ({}, (8, 8), (5,), r"values at every position of \(8, 8\); not \(5,\)"),
        ({"norm": "bach"}, (8, 8), (8, 8), r"norm 'bach' is unknown; did you mean 'batch'\?"),
    ],
)
def test_misuse(params: dict[str, Any], shape: tuple[int, ...], out: tuple[int, ...], message: str) -> None:
    if not message:  # a row of one axis is a series of one channel
        assert built(shape, out)[0](torch.rand(2, *shape)).shape == (2, 7, 5)
        return
    with pytest.raises(UsageError, match=message):
        built(shape, out, **params)
