"""Convolutions over series, pictures and volumes, from the data to the codes and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diabolo import VAE, Autoencoder, Trainer, load
from diabolo.core.errors import UsageError
from diabolo.networks.convolutional import Convolutional

QUICK = Trainer(epochs=80, batch_size=30, optimizer="adam", lr=1e-2)
SMALL = "channels=(4, 8)"


def waves(*sides: int, channels: int = 2, n: int = 60) -> np.ndarray:
    """Rows (N, *sides, C) of one wave each, which its phase decides."""
    random = np.random.default_rng(0)
    place = sum(np.ix_(*(np.arange(side) for side in sides)))
    phase = random.uniform(0, 2 * np.pi, size=(n, *(1 for _ in sides)))
    wave = np.stack([np.sin(0.5 * place + phase + k) for k in range(channels)], -1)
    return (0.5 + 0.4 * wave).astype("float32")


CASES: dict[str, tuple[str, np.ndarray]] = {
    "series": (f"conv({SMALL}, dims=1)", waves(25)),
    "series of one channel": (f"conv({SMALL}, dims=1)", waves(24, channels=1)[..., 0]),
    "picture": (f"conv({SMALL})", waves(9, 8)),
    "grey picture": (f"conv({SMALL})", waves(9, 8, channels=1)[..., 0]),
    "video": (f"conv({SMALL})", waves(5, 8, 7, channels=3)),
    "flat video": (f"conv({SMALL}, image=(5, 8, 7, 3))", waves(5, 8, 7, channels=3).reshape(60, -1)),
    "pooled video": (f"conv({SMALL}, pool='max')", waves(5, 8, 7)),
    "reflected series": (f"conv({SMALL}, dims=1, padding='reflect')", waves(24)),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_they_learn_and_give_back_the_shape(case: tuple[str, np.ndarray]) -> None:
    network, X = case
    model = Autoencoder(3, network=network, loss="squared", trainer=QUICK, random_state=0).fit(X)
    back = model.reconstruct(X)
    assert model.transform(X).shape == (60, 3) and back.shape == X.shape
    assert np.square(back - X).mean() < 0.5 * X.var()


def test_positions_stay_where_asked() -> None:
    X = waves(25)
    model = Autoencoder(3, network=f"conv({SMALL}, dims=1, flat=False)", trainer=Trainer(epochs=2)).fit(X)
    assert model.transform(X).shape == (60, 7, 3) and model.reconstruct(X).shape == X.shape
    video = VAE(3, network=f"conv({SMALL}, flat=False)", trainer=Trainer(epochs=2)).fit(waves(5, 8, 7))
    assert video.transform(waves(5, 8, 7)).shape == (60, 2, 2, 2, 3)


def test_a_model_of_volumes_is_saved_and_loaded(tmp_path: Any) -> None:
    X = waves(5, 8, 7)
    model = Autoencoder(2, network=f"conv({SMALL})", trainer=Trainer(epochs=1), random_state=0).fit(X)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").transform(X), model.transform(X))


def test_a_row_of_a_series_is_moved_as_its_input_is() -> None:
    """A convolution over time sees no difference between a wave and the same wave two strides later."""
    torch.manual_seed(0)
    encoder, _ = Convolutional((4,), dims=1, flat=False).build((40, 2), 3, 3, (40, 2))
    x = torch.randn(1, 40, 2)
    later = torch.roll(x, 2, 1)
    torch.testing.assert_close(encoder(later)[:, 3:-3], torch.roll(encoder(x), 1, 1)[:, 3:-3])


def test_dims_are_read_from_the_shape() -> None:
    for shape, dims in (((8, 8), 2), ((8, 8, 3), 2), ((5, 8, 8, 3), 3)):
        named = Convolutional((4,), dims=dims).build(shape, 2, 2, shape)[0].state_dict()
        read = Convolutional((4,)).build(shape, 2, 2, shape)[0].state_dict()
        assert {name: p.shape for name, p in named.items()} == {name: p.shape for name, p in read.items()}


def test_rows_without_such_positions() -> None:
    with pytest.raises(UsageError, match=r"these have shape \(64,\).*conv\(image=\(28, 28\)\)"):
        Convolutional().build((64,), 2, 2, (64,))
    with pytest.raises(UsageError, match="a 1-D convolution needs rows of 1 positions"):
        Convolutional(dims=1).build((5, 8, 8), 2, 2, (5, 8, 8))
    with pytest.raises(UsageError, match="dims must be 1, 2 or 3"):
        Convolutional(dims=4)
