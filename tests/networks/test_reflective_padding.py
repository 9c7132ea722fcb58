"""Reflective padding: sizes as without it, borders like the inside, and what the boundary loss does for them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from runs.boundary import errors

from diabolo import Autoencoder, Trainer, load
from diabolo.core.errors import UsageError
from diabolo.networks.convolutional import Convolutional


@pytest.mark.parametrize("shape", [(9, 3), (9, 7, 1), (5, 6, 7, 2)])
@pytest.mark.parametrize("pool", ["none", "max"])
def test_every_size_comes_back(shape: tuple[int, ...], pool: str) -> None:
    dims = len(shape) - 1
    network = Convolutional(channels=(3, 4), dims=dims, padding="reflect", pool=pool, kernel=3)
    encoder, decoder = network.build(shape, 2, 2, shape)
    assert decoder(encoder(torch.randn(2, *shape))).shape == (2, *shape)


def test_a_constant_row_stays_constant_up_to_its_border() -> None:
    """With zeros outside, a constant input gives other features at the border than inside; its reflection does not."""

    def spread(padding: str) -> float:
        torch.manual_seed(0)
        encoder, _ = Convolutional(channels=(4,), kernel=3, stride=1, flat=False, padding=padding).build(
            (8, 8, 1), 2, 2, (8, 8, 1)
        )
        return float(encoder(torch.ones(1, 8, 8, 1)).detach().flatten(1, 2).std(1).max())

    assert spread("reflect") < 1e-6 < 1e-2 < spread("zeros")


def test_the_boundary_loss_lowers_the_error_at_the_border() -> None:
    from diabolo import Spec

    plain, _ = errors("zeros", "squared", 0, 8)
    weighted, _ = errors("zeros", Spec("boundary", width=2, weight=3.0), 0, 8)
    assert weighted < 0.85 * plain


def test_it_is_saved_and_starts_at_the_mean(tmp_path) -> None:  # type: ignore[no-untyped-def]
    X = np.random.default_rng(0).normal(2.0, 0.1, (40, 8, 8)).astype("float32")
    model = Autoencoder(2, network="conv(channels=(3,), padding='reflect')", trainer=Trainer(epochs=1), random_state=0)
    model.fit(X).save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").transform(X), model.transform(X))
    assert abs(float(model.reconstruct(X).mean()) - 2.0) < 0.2


def test_another_padding_is_named() -> None:
    with pytest.raises(UsageError, match="padding 'mirror' is unknown"):
        Convolutional(padding="mirror")
