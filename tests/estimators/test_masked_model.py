"""The masked autoencoder: what is hidden is learnt, and all else is an autoencoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits

from diabolo import Checkpoint, MaskedAutoencoder, Trainer, load
from diabolo.core.errors import UsageError
from diabolo.corruptions.patches import HiddenPatches
from diabolo.tasks.reduce import compare
from diabolo.train import Callback

QUICK = Trainer(epochs=2, batch_size=32)


def pictures(n: int = 80) -> np.ndarray:
    return (load_digits().images[:n] / 16).astype("float32")


def quick(**params: object) -> MaskedAutoencoder:
    return MaskedAutoencoder(
        4,
        **{"width": 16, "depth": 1, "trainer": QUICK, "random_state": 0, **params},  # type: ignore[arg-type]
    )


def test_hidden_patches_are_told_from_the_visible_ones() -> None:
    X = pictures(1500)
    made = quick(width=32, depth=2, trainer=Trainer(epochs=8)).fit(X)
    held = (load_digits().images[1500:] / 16).astype("float32")
    batch = made.processor_.collate(made.processor_.encode(held))
    seen = HiddenPatches(0.5, "auto")(batch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        recon = made.objective_.loss.link(made.module_(seen).recon)
        model = made.objective_.loss(made.module_(seen).recon, seen.target, seen.scored).mean()
    mean = (torch.from_numpy(X).mean(0) - seen.target).square()[seen.scored].sum() / len(held)
    assert recon.shape == seen.target.shape and model < 0.85 * mean


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_codes_rows_and_scores(pool: str, tmp_path: Path) -> None:
    X = pictures()
    made = quick(pool=pool).fit(X)
    codes = made.transform(X)
    assert codes.dtype == np.float32 and codes.shape == ((80, 4) if pool == "mean" else (80, 16, 4))
    np.testing.assert_allclose(made.transform(X[5:6])[0], codes[5], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made.inverse_transform(codes), made.reconstruct(X), rtol=1e-4, atol=1e-5)
    by_hand = -np.square(X - made.reconstruct(X)).sum((1, 2))
    np.testing.assert_allclose(made.score_samples(X), by_hand, rtol=1e-4)
    made.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(X), codes)
    np.testing.assert_array_equal(again.reconstruct(X), made.reconstruct(X))


def test_validation_hides_too_and_counts_what_it_hides() -> None:
    made = quick(share=0.75, trainer=Trainer(epochs=1, lr=1e-6, batch_size=32, optimizer="adam")).fit(pictures(400))
    trained, held = (made.history_[0][part]["loss"] for part in ("train", "validation"))
    assert held == pytest.approx(trained, rel=0.1)  # all entries would cost four thirds of it
    X = pictures(400)
    assert trained == pytest.approx(0.75 * -made.score_samples(X).mean(), rel=0.1)


def test_columns_of_numbers_are_patches_and_categories_are_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype("float32")
    made = quick().fit(rows)
    assert made.reconstruct(rows).shape == (60, 5)
    assert quick().fit(pd.DataFrame(rows, columns=list("abcde"))).transform(
        pd.DataFrame(rows, columns=list("abcde"))
    ).shape == (60, 4)
    frame = pd.DataFrame({"a": rows[:, 0], "b": np.where(rows[:, 1] > 0, "x", np.where(rows[:, 2] > 0, "y", "z"))})
    with pytest.raises(UsageError, match=r"hides numbers; this table has categories"):
        quick().fit(frame)


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
    X, file = pictures(64), tmp_path / "state"
    first = Checkpoint(file)
    with pytest.raises(Stop):
        quick(trainer=Trainer(**knobs, callbacks=[first, CutAt(first)]), random_state=0).fit(X)
    resumed = Trainer(**knobs, callbacks=[Checkpoint(file, resume=True)])
    parts, whole = (quick(trainer=trainer, random_state=0).fit(X) for trainer in (resumed, Trainer(**knobs)))
    np.testing.assert_array_equal(parts.transform(X), whole.transform(X))


def test_it_stands_in_the_comparison() -> None:
    X = pictures(200)
    made = quick(trainer=Trainer(epochs=20)).fit(X[:150])
    report = compare(made, made.processor_.encode(X[:150]), made.processor_.encode(X[150:]))
    assert report.model.value < report.mean.value
