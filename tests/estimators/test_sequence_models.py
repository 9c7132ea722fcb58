"""Autoencoders of sequences: lengths, padding, tokens, and better than what is simple."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from diabolo import VAE, Autoencoder, Checkpoint, SequenceAutoencoder, Trainer, load
from diabolo.core.errors import DataError, ModelError
from diabolo.tasks.reduce import compare
from diabolo.train import Callback

QUICK = Trainer(epochs=2, batch_size=16)


def waves(n: int, seed: int = 0) -> list[np.ndarray]:
    """Sinusoids of any amplitude, frequency and phase, 8 to 16 steps long."""
    random = np.random.default_rng(seed)
    lengths, phases = random.integers(8, 17, n), random.uniform(0, 2 * np.pi, n)
    sizes, rates = random.uniform(0.5, 1.5, n), random.uniform(0.3, 0.9, n)
    return [
        (size * np.sin(rate * np.arange(length) + phase)).astype("float32")
        for length, phase, size, rate in zip(lengths, phases, sizes, rates, strict=True)
    ]


def words(n: int = 60, seed: int = 0) -> list[list[int]]:
    """Counting up from some number by some step."""
    random = np.random.default_rng(seed)
    return [
        [int(start + step * i) for i in range(length)]
        for start, step, length in zip(random.integers(0, 5, n), random.integers(1, 3, n), random.integers(2, 7, n),
                                       strict=True)
    ]  # fmt: skip


def error(rows: list[np.ndarray], recon: list[np.ndarray]) -> float:
    return float(np.mean([np.square(x - y).sum() for x, y in zip(rows, recon, strict=True)]))


@pytest.mark.parametrize("network", ["recurrent(width=32)", "transformer(width=32, depth=1)"])
def test_better_than_the_mean_and_than_pca_of_padded_rows(network: str) -> None:
    X, held = waves(600), waves(200, 1)
    model = SequenceAutoencoder(3, network=network, trainer=Trainer(epochs=25, lr=0.02), random_state=0).fit(X)
    recon = model.reconstruct(held)
    assert [len(row) for row in recon] == [len(row) for row in held]
    full = np.zeros((800, 16))
    for place, row in zip(full, X + held, strict=True):
        place[: len(row)] = row
    line = PCA(3).fit(full[:600])
    linear = line.inverse_transform(line.transform(full[600:]))
    pca = error(held, [row[: len(x)] for row, x in zip(linear, held, strict=True)])
    mean = error(held, [np.zeros_like(x) for x in held])
    assert error(held, recon) < 0.9 * pca < 0.5 * mean
    report = compare(model, model.processor_.encode(X), model.processor_.encode(held))
    assert report.model.value < report.pca.value < report.mean.value


def fitted(model: Any, X: Any) -> Any:
    return model.set_params(trainer=QUICK, random_state=0).fit(X)


MODELS: dict[str, tuple[Any, Any]] = {
    "recurrent": (SequenceAutoencoder(3), waves),
    "transformer": (SequenceAutoencoder(3, network="transformer(width=16, depth=1, heads=2)"), waves),
    "tokens": (SequenceAutoencoder(4, network="recurrent(width=16)"), words),
    "told tokens": (SequenceAutoencoder(4, network="recurrent(width=16, teacher=True)"), words),
    "autoencoder": (Autoencoder(3), waves),
    "vae": (VAE(3), waves),
    "vae of tokens": (VAE(3), words),
}
every = pytest.mark.parametrize(("model", "make"), MODELS.values(), ids=MODELS.keys())


@every
def test_codes_rows_and_scores_do_not_depend_on_the_rows_beside(model: Any, make: Any) -> None:
    X = make(40)
    made = fitted(model, X)
    codes, scores, recon = made.transform(X), made.score_samples(X), made.reconstruct(X)
    assert codes.dtype == np.float32 and codes.shape == (40, made.n_components_)
    np.testing.assert_allclose(made.transform(X[::-1])[::-1], codes, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made.transform(X[7:8])[0], codes[7], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made.score_samples(X[::-1])[::-1], scores, rtol=1e-4, atol=1e-4)
    assert len(recon) == 40 and type(recon[0]) is type(X[0])


@every
def test_saved_and_loaded_it_gives_the_same_bits(model: Any, make: Any, tmp_path: Path) -> None:
    X = make(40)
    made = fitted(model, X)
    made.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(X), made.transform(X))
    for one, other in zip(again.reconstruct(X), made.reconstruct(X), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["recurrent", "transformer", "autoencoder"])
def test_a_code_alone_gives_the_reconstruction_and_goes_on_to_the_longest(name: str) -> None:
    model, make = MODELS[name]
    X = make(40)
    made = fitted(model, X)
    for alone, told, row in zip(made.inverse_transform(made.transform(X)), made.reconstruct(X), X, strict=True):
        assert len(alone) == 16 and len(told) == len(row)
        np.testing.assert_allclose(alone[: len(row)], told, rtol=1e-4, atol=1e-5)


def test_padding_by_nan_is_the_same_as_a_list() -> None:
    X = waves(40)
    full = np.full((40, 16), np.nan, np.float32)
    for place, row in zip(full, X, strict=True):
        place[: len(row)] = row
    one, other = (fitted(SequenceAutoencoder(3), rows) for rows in (X, full))
    np.testing.assert_array_equal(one.transform(X), other.transform(full))
    recon = other.reconstruct(full)
    assert recon.shape == full.shape
    np.testing.assert_array_equal(np.isnan(recon), np.isnan(full))


def test_the_start_is_at_the_mean_of_real_steps() -> None:
    model = SequenceAutoencoder(3).plan([row + 5 for row in waves(40)])
    head = model.module_.decoder.head
    assert model.module_.shift is None and abs(float(head.bias.detach())) < 1e-5
    np.testing.assert_allclose(model.processor_.mean, np.concatenate(waves(40)).mean() + 5, rtol=1e-5)


@pytest.mark.parametrize("teacher", [False, True])
def test_tokens_come_back_with_their_end(teacher: bool) -> None:
    X, network = words(300), f"recurrent(width=32, teacher={teacher})"
    model = SequenceAutoencoder(8, network=network, trainer=Trainer(epochs=60), random_state=0).fit(X)
    held = words(100, 1)
    exact = np.mean([x == y for x, y in zip(held, model.reconstruct(held), strict=True)])
    assert exact > 0.9
    assert model.inverse_transform(model.transform(held)) == model.reconstruct(held)


def test_what_is_told_lowers_the_cost_but_not_what_is_reconstructed() -> None:
    X = words(60)
    model = fitted(MODELS["told tokens"][0], X)
    batch = model.processor_.collate(model.processor_.encode(X))
    told = model.objective_.per_sample(model.module_, batch, model.module_.reconstruct(batch, told=True))
    np.testing.assert_allclose(model.score_samples(X), -told.detach().numpy(), rtol=1e-4)
    with pytest.raises(ModelError, match="no comparison with PCA"):
        compare(model, model.processor_.encode(X), model.processor_.encode(X))


class Stop(Exception):
    """In place of a power cut."""


class CutAt(Callback):
    """Writes a checkpoint after step 9 and ends the process, so to say."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def on_step(self, loop: Any) -> None:
        if loop.step == 9:
            self.checkpoint.write(loop)
            raise Stop


def test_training_that_was_cut_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    knobs: dict[str, Any] = {"epochs": 4, "batch_size": 16}
    X, file = waves(64), tmp_path / "state"
    first = Checkpoint(file)
    with pytest.raises(Stop):
        SequenceAutoencoder(3, trainer=Trainer(**knobs, callbacks=[first, CutAt(first)]), random_state=0).fit(X)
    resumed = Trainer(**knobs, callbacks=[Checkpoint(file, resume=True)])
    parts, whole = (
        SequenceAutoencoder(3, trainer=trainer, random_state=0).fit(X) for trainer in (resumed, Trainer(**knobs))
    )
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))


def test_rows_of_a_table_and_pictures_are_sequences_too() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    model = fitted(SequenceAutoencoder(2), rows)
    assert model.reconstruct(rows).shape == (40, 6) and model.processor_.shape == (6, 1)
    pictures = np.random.default_rng(0).integers(0, 256, (40, 4, 3), dtype=np.uint8)
    assert fitted(SequenceAutoencoder(2), pictures).processor_.shape == (4, 3)


def test_a_row_too_long_or_with_a_hole_is_refused() -> None:
    model = fitted(SequenceAutoencoder(2), waves(40))
    with pytest.raises(DataError, match=r"row 0 has 20 steps, but the model is expecting at most 16"):
        model.transform([np.zeros(20)])
    with pytest.raises(DataError, match=r"NaN at row 1, step 0"):
        model.transform([np.zeros(3), np.array([np.nan, 1.0])])
