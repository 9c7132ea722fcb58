"""What a report shows of made pictures."""

from __future__ import annotations

import numpy as np

from diabolo import VAE, Autoencoder, Trainer
from diabolo.data import Source
from diabolo.tasks.show_made import beyond, nearest, of_autoencoder, unit


def pictures(n: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, 8, 8), dtype=np.uint8)


def test_the_nearest_picture_is_the_one_of_least_squared_distance() -> None:
    X = pictures()
    made = np.clip(X[[5, 50, 7]].astype(int) + 3, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(nearest(made, X), X[[5, 50, 7]])


def test_floats_are_shown_on_the_scale_of_the_rows() -> None:
    digits = np.linspace(0, 16, 64).reshape(1, 8, 8)
    assert unit(digits, digits).max() == 1.0 and unit(digits / 2, digits).max() == 0.5
    assert unit(pictures(2), pictures(2)).dtype == np.uint8


def test_samples_only_of_models_that_draw_them_and_paths_of_all() -> None:
    X = pictures()
    few = Trainer(epochs=1)
    shown = of_autoencoder(VAE(2, trainer=few, random_state=0).fit(X), Source(X, "image"))
    assert [one.title for one in shown] == ["Samples", "Paths between pictures"]
    assert [len(strip.pictures) for strip in shown[0].strips] == [12, 12] and len(shown[1].strips) == 3
    plain = Autoencoder(2, trainer=few, random_state=0).fit(X)
    assert [one.title for one in of_autoencoder(plain, Source(X, "image"))] == ["Paths between pictures"]
    flat = X.reshape(60, -1).astype(np.float32)
    assert of_autoencoder(Autoencoder(2, trainer=few).fit(flat), Source(flat, "array")) == ()


def test_codes_far_outside_of_the_prior_are_told() -> None:
    X = np.repeat(np.repeat(pictures(300)[:, :2, :2], 4, 1), 4, 2)  # four values a picture: codes can hold them all
    trainer = Trainer(epochs=40)
    loose = VAE(4, beta=1e-3, trainer=trainer, random_state=0).fit(X)
    assert "times as far as the prior N(0, I)" in beyond(loose, X)
    assert beyond(VAE(4, trainer=trainer, random_state=0).fit(X), X) == ""
    assert beyond(loose.fit_prior(X, "mixture(components=2)"), X) == ""
