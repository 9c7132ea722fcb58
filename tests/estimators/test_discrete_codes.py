"""Autoencoders with indices for codes: used codes, exact resume, priors over indices, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from diabolo import VQVAE, CategoricalVAE, FSQAutoencoder, ResidualVQVAE, Trainer, load
from diabolo.core import Spec
from diabolo.core.errors import ModelError
from diabolo.core.metrics import perplexity, used
from diabolo.estimators.composed import Autoencoder
from diabolo.train import Callback
from diabolo.train.checkpoint import Checkpoint

DIGITS = (load_digits().data / 16).astype("float32")
TRAIN, TEST = DIGITS[:1400], DIGITS[1400:]
MODELS = {"vq": VQVAE, "residual": ResidualVQVAE, "fsq": FSQAutoencoder, "categorical": CategoricalVAE}


def columns(model: Any, rows: np.ndarray) -> np.ndarray:
    return model.indices(rows).reshape(len(rows), -1)


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS.keys())
def fitted(request: pytest.FixtureRequest) -> Any:
    """With the defaults, but for fewer epochs."""
    return request.param(trainer=Trainer(epochs=15), random_state=0).fit(TRAIN)


def test_no_collapse(fitted: Any) -> None:
    """Every index takes many of its values, and they carry what eight principal components do."""
    index = columns(fitted, TRAIN)
    sizes = fitted.module_.bottleneck.sizes
    assert index.shape[1] == len(sizes) and index.dtype == np.int64
    share = 0.3 if isinstance(fitted, FSQAutoencoder) else 0.9  # 1000 codes for 1400 rows
    for column, size in zip(index.T, sizes, strict=True):
        assert used(column, size) >= share
        assert perplexity(column, size) >= 0.5 * min(size, 400)
    pca = PCA(8).fit(TRAIN)
    linear = np.square(pca.inverse_transform(pca.transform(TEST)) - TEST).mean()
    assert np.square(fitted.reconstruct(TEST) - TEST).mean() < linear


def test_indices_and_codes_are_two_forms_of_one_thing(fitted: Any) -> None:
    neck = fitted.module_.bottleneck
    codes, index = torch.from_numpy(fitted.transform(TEST)), torch.from_numpy(fitted.indices(TEST))
    torch.testing.assert_close(neck.indices_to_codes(index), codes)
    torch.testing.assert_close(neck.indices_to_codes(neck.codes_to_indices(codes)), codes, atol=1e-4, rtol=1e-4)
    assert len(np.unique(codes, axis=0)) == len(np.unique(index.reshape(len(index), -1), axis=0))


def test_codes_decode_to_the_reconstruction(fitted: Any) -> None:
    np.testing.assert_allclose(
        fitted.inverse_transform(fitted.transform(TEST)), fitted.reconstruct(TEST), rtol=1e-4, atol=1e-5
    )


def test_a_saved_model_gives_the_same_bits(fitted: Any, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(TEST), fitted.transform(TEST))
    np.testing.assert_array_equal(again.indices(TEST), fitted.indices(TEST))
    np.testing.assert_array_equal(again.score_samples(TEST), fitted.score_samples(TEST))


# ── sampling ──────────────────────────────────────────────────────────────────────────────────────


def quick(model: Any = VQVAE, **params: Any) -> Any:
    return model(**{"trainer": Trainer(epochs=8), "random_state": 0, **params}).fit(TRAIN)


@pytest.mark.parametrize("model", [VQVAE, ResidualVQVAE, FSQAutoencoder])
def test_without_a_prior_there_is_nothing_to_sample_from(model: Any) -> None:
    with pytest.raises(ModelError, match=r"cannot sample: .* fit a prior to its codes: fit_prior\(X\)"):
        quick(model, trainer=Trainer(epochs=1)).sample(3)


def test_a_categorical_vae_samples_from_its_uniform_prior() -> None:
    sample = quick(CategoricalVAE).sample(400, random_state=0)
    assert sample.shape == (400, 64)
    assert 0.5 < sample.std() / TRAIN.std() < 1.5


@pytest.mark.parametrize(
    ("model", "params"),
    [
        (VQVAE, {"n_components": 16, "codes": 16}),
        (ResidualVQVAE, {"n_components": 8, "codes": 16, "levels": 3}),
        (FSQAutoencoder, {"n_components": 8, "levels": (4, 4)}),
    ],
    ids=["vq", "residual", "fsq"],
)
def test_a_prior_over_the_indices_samples_what_looks_like_the_data(model: Any, params: Any, tmp_path: Path) -> None:
    """Better than indices drawn one by one from their frequencies, by likelihood and by eye; the same after loading."""
    made = quick(model, **params)
    trainer = Trainer(epochs=10, optimizer="adam", lr=1e-2)
    made.fit_prior(TRAIN, "autoregressive(width=32, layers=1)", trainer=trainer)
    sample = made.sample(300, random_state=1)
    index, random = columns(made, TRAIN), np.random.default_rng(0)
    shuffled = np.stack([random.permutation(column)[:300] for column in index.T], 1)
    neck = made.module_.bottleneck
    alone = made.inverse_transform(neck.indices_to_codes(torch.from_numpy(shuffled)).numpy())
    assert distance(sample) < distance(alone)
    gain = likelihood(made, TEST) - frequencies(index, columns(made, TEST))
    assert gain > (-0.1 if model is ResidualVQVAE else 0.3)  # levels of a residual code hardly tell of each other
    assert distance(sample) < 2.5 * distance(made.reconstruct(TEST[:300]))
    made.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").sample(5, random_state=3), made.sample(5, random_state=3))


def likelihood(made: Any, rows: np.ndarray) -> float:
    """Mean log-probability of the indices of rows under the fitted prior."""
    with torch.no_grad():
        return float(made.module_.prior(made.module_).log_prob(torch.from_numpy(made.transform(rows))).mean())


def frequencies(train: np.ndarray, test: np.ndarray) -> float:
    """The same where every index is independent, with its frequency in the training rows (one added to each count)."""
    size = max(train.max(), test.max()) + 1
    counts = [np.bincount(column, minlength=size) + 1 for column in train.T]
    chances = [np.log(count / count.sum())[column] for count, column in zip(counts, test.T, strict=True)]
    return float(np.sum(chances, 0).mean())


def distance(rows: np.ndarray) -> float:
    """Mean squared distance to the nearest row of the data."""
    apart = np.square(rows).sum(1)[:, None] - 2 * rows @ DIGITS.T + np.square(DIGITS).sum(1)
    return float(apart.min(1).clip(0).mean())


# ── positions ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("model", "grid"),
    [(VQVAE, (4, 4)), (ResidualVQVAE, (4, 4, 6)), (FSQAutoencoder, (4, 4)), (CategoricalVAE, (4, 4, 3))],
)
def test_a_network_that_keeps_positions_gives_a_grid_of_indices(model: Any, grid: tuple[int, ...]) -> None:
    pictures = DIGITS.reshape(-1, 8, 8)[:300]
    size = {"n_components": 3} if model is CategoricalVAE else {}
    net = "conv(channels=(8,), flat=False)"
    made = model(network=net, trainer=Trainer(epochs=2), random_state=0, **size).fit(pictures)
    assert made.indices(pictures[:7]).shape == (7, *grid)
    assert made.transform(pictures[:7]).shape[:3] == (7, 4, 4)
    assert made.reconstruct(pictures[:7]).shape == (7, 8, 8)


def test_large_pictures_keep_their_positions_by_themselves() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (12, 56, 56), dtype=np.uint8)
    made = VQVAE(codes=8, trainer=Trainer(epochs=1), random_state=0).fit(pictures)
    assert made.indices(pictures).shape == (12, 7, 7) and made.code_shape_ == (7, 7, 16)
    assert "every position has its own indices" in next(c.why for c in made.choices_ if c.name == "network")


def test_a_prior_over_a_grid_samples_pictures() -> None:
    pictures = DIGITS.reshape(-1, 8, 8)[:400]
    made = VQVAE(4, codes=8, network="conv(channels=(8,), flat=False)", trainer=Trainer(epochs=3), random_state=0)
    made.fit(pictures).fit_prior(pictures, "autoregressive(width=16, layers=1)", trainer=Trainer(epochs=2))
    assert made.sample(5, random_state=0).shape == (5, 8, 8)


# ── training ──────────────────────────────────────────────────────────────────────────────────────


class Stop(Exception):
    """What the test raises in place of a power cut."""


class CutAt(Callback):
    def __init__(self, at: int, checkpoint: Checkpoint) -> None:
        self.at, self.checkpoint, self.seen = at, checkpoint, 0

    def on_step(self, loop: Any) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.checkpoint.write(loop)
            raise Stop


NECKS = [
    Spec("vq", codes=40, groups=2, revive=0.5),
    Spec("vq", codes=40, ema=False, revive=0.5),
    Spec("residual-vq", codes=20, levels=2, revive=0.5, dropout=True),
    "fsq",
    "categorical(classes=2)",
]


@pytest.mark.parametrize("neck", NECKS, ids=str)
def test_resuming_gives_the_uninterrupted_run_to_the_bit(neck: Any, tmp_path: Path) -> None:
    """Revival, dropout and relaxed samples draw from the one stream of random numbers that is restored."""

    def run(callbacks: Any = ()) -> Any:
        trainer = Trainer(epochs=4, batch_size=50, callbacks=callbacks)
        return Autoencoder(8, hidden=(16,), bottleneck=neck, trainer=trainer, random_state=0).fit(TRAIN[:300])

    whole = run()
    for at in (3, 11):
        checkpoint = Checkpoint(tmp_path / f"{at}.checkpoint", every=1e9)
        with pytest.raises(Stop):
            run([checkpoint, CutAt(at, checkpoint)])
        again = run([Checkpoint(tmp_path / f"{at}.checkpoint", resume=True, every=1e9)])
        pairs = zip(whole.module_.state_dict().items(), again.module_.state_dict().values(), strict=True)
        assert all(torch.equal(then, now) for (_, then), now in pairs), f"cut after step {at}"


def test_codes_that_are_parameters_train_too() -> None:
    made = Autoencoder(
        16, bottleneck="vq(codes=16, groups=4, ema=False)", trainer=Trainer(epochs=10), random_state=0
    ).fit(TRAIN)
    index = made.module_.encode(torch.from_numpy(TRAIN)).indices.numpy()
    assert all(used(column, 16) == 1 for column in index.T)
    assert np.square(made.reconstruct(TEST) - TEST).mean() < 0.6 * TEST.var()


@pytest.mark.parametrize("gain", [1e-2, 1e3])
def test_units_do_not_matter(gain: float) -> None:
    def relative(rows: np.ndarray) -> float:
        made = VQVAE(8, codes=16, trainer=Trainer(epochs=10), random_state=0).fit(rows)
        return float(np.square(made.reconstruct(rows) - rows).mean() / rows.var())

    assert relative(TRAIN[:400] * gain) == pytest.approx(relative(TRAIN[:400]), rel=0.25)


def test_more_values_than_slices_of_four_allow() -> None:
    for size, groups in ((21, 21), (24, 6), (6, 3), (2, 1), (1, 1)):
        made = VQVAE(size, codes=4, trainer=Trainer(epochs=1), random_state=0).fit(TRAIN[:60])
        assert len(made.module_.bottleneck.sizes) == groups
