"""Denoising: better than filters on pictures not seen, from noisy ones alone too; any size; tables; what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter

from diabolo import Autoencoder, Denoiser, Trainer, load
from diabolo.core import Batch, make
from diabolo.core.errors import DataError, UsageError
from diabolo.corruptions.blind_spots import BlindSpots, surroundings
from diabolo.data import Source
from diabolo.tasks.decibels import psnr
from diabolo.tasks.noise_level import noise_std

STD = 0.15


def waves(n: int = 24, side: int = 32, seed: int = 0) -> np.ndarray:
    """Gratings of random direction and wavelength, values in [.1, .9]."""
    draw = np.random.default_rng(seed)
    turn, length, phase = draw.uniform(0, np.pi, n), draw.uniform(4, 7, n), draw.uniform(0, 2 * np.pi, n)
    y, x = np.mgrid[:side, :side]
    way = np.cos(turn)[:, None, None] * y + np.sin(turn)[:, None, None] * x
    return (0.5 + 0.4 * np.sin(2 * np.pi * way / length[:, None, None] + phase[:, None, None])).astype(np.float32)


def noisy(clean: np.ndarray, seed: int = 1, std: float = STD) -> np.ndarray:
    return (clean + np.random.default_rng(seed).normal(0, std, clean.shape)).astype(np.float32)


def quick(epochs: int = 2, **params: Any) -> Denoiser:
    """A small network, trained briefly."""
    small = Autoencoder(8, network="u-shaped(width=8, depth=1, dims=2)", loss="squared")
    trainer = Trainer(epochs=epochs, batch_size=16, optimizer="adamw", lr=5e-3)
    return Denoiser(**{"autoencoder": small, "trainer": trainer, "random_state": 0, "noise": (STD, STD), **params})


def decibels(clean: np.ndarray, said: np.ndarray) -> float:
    return float(np.mean([psnr(one, back) for one, back in zip(clean, said, strict=True)]))


@pytest.fixture(scope="module")
def trained() -> Denoiser:
    return quick(30).fit(waves(160))


def test_better_than_a_filter_on_pictures_it_has_not_seen(trained: Denoiser) -> None:
    clean = waves(seed=5)
    seen = noisy(clean)
    said = trained.transform(seen)
    assert said.dtype == np.float32 and said.shape == clean.shape
    rival = max(decibels(clean, gaussian_filter(seen, (0, width, width))) for width in (0.3, 0.5, 0.7, 1.0))
    assert decibels(clean, said) > max(rival, decibels(clean, seen)) + 3
    found = trained.assess(Source(waves(160), "image"), Source(clean, "image"))
    assert found is not None and found.rows[0][0] == "this model" and found.verdict.startswith("better than")


def test_it_learns_from_noisy_pictures_alone() -> None:
    clean = waves(160)
    model = quick(30, clean=False, noise="auto").fit(noisy(clean, 2))
    fresh = waves(seed=5)
    seen = noisy(fresh)
    rival = max(decibels(fresh, gaussian_filter(seen, (0, width, width))) for width in (0.3, 0.5, 0.7, 1.0))
    assert decibels(fresh, model.transform(seen)) > rival + 2
    assert model.assess(Source(clean), Source(fresh)) is None  # nothing clean to judge by


def test_what_is_said_of_a_pixel_does_not_depend_on_it_in_training() -> None:
    x = torch.rand(3, 9, 7, 2)
    seen = BlindSpots(step=3)(Batch(x, x), torch.Generator().manual_seed(0))
    assert seen.scored is not None and seen.scored.float().mean() == pytest.approx(1 / 9, abs=0.04)
    other = torch.where(seen.scored[..., None], x + 5, x)
    again = BlindSpots(step=3)(Batch(other, other), torch.Generator().manual_seed(0))
    assert torch.allclose(again.x, seen.x, atol=1e-5)
    middle = surroundings(torch.arange(9.0).reshape(1, 3, 3, 1))[0, 1, 1, 0]
    assert float(middle) == pytest.approx((36 - 4) / 8)


def test_noise_of_many_strengths() -> None:
    corruption = make("corruption", "noise(std=2.0, least=0.5)")
    x = torch.zeros(200, 4000)
    spread = corruption(Batch(x, x), torch.Generator().manual_seed(0)).x.std(1)
    assert 0.9 < float(spread.min()) < 1.3 and 1.7 < float(spread.max()) < 2.3
    with pytest.raises(UsageError, match=r"least must be in \[0, 1\]; got 2"):
        make("corruption", "noise(std=1.0, least=2)")


def test_any_size_and_bytes_come_back_as_they_were(trained: Denoiser) -> None:
    rows = (waves(4) * 255).astype(np.uint8)
    model = quick().fit(rows)
    found = model.transform([rows[0][:20, :31], rows[1][:, :17]])
    assert isinstance(found, list) and [one.shape for one in found] == [(20, 31), (32, 17)]
    assert found[0].dtype == np.uint8
    colour = np.repeat(rows[..., None], 3, -1)
    assert quick().fit(colour).transform(colour).shape == colour.shape


def test_no_seam_where_windows_meet(trained: Denoiser, monkeypatch: pytest.MonkeyPatch) -> None:
    large = noisy(waves(1, side=150))
    whole = trained.transform(large)
    monkeypatch.setattr("diabolo.tasks.pictures.AT_ONCE", 72 * 72)
    assert np.abs(trained.transform(large) - whole).max() < 1e-5


def test_the_noise_is_estimated(trained: Denoiser) -> None:
    smooth = np.linspace(0, 1, 64)[:, None] * np.ones(64)
    for std in (0.02, 0.1, 0.3):
        assert noise_std(noisy(smooth, 3, std)) == pytest.approx(std, rel=0.1)
    assert noise_std(np.zeros((1, 1))) == 0
    assert trained.noise_levels(noisy(waves(2)))[0].startswith("noise of about ")


def test_same_seed_same_bits_and_the_disk_keeps_them(tmp_path: Path) -> None:
    rows, seen = waves(12), noisy(waves(3))
    one, other = (quick().fit(rows).transform(seen) for _ in range(2))
    assert (one == other).all()
    quick().fit(rows).save(tmp_path / "m")
    assert (load(tmp_path / "m").transform(seen) == one).all()


def test_tables_and_arrays(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(600, 2)) @ draw.normal(size=(2, 8)) * 50 + 1000
    model = Denoiser(random_state=0, trainer=Trainer(epochs=60)).fit(rows[:500])
    seen = rows[500:] + draw.normal(0, 0.3, (100, 8)) * rows.std(0)
    assert np.square(model.transform(seen) - rows[500:]).mean() < 0.5 * np.square(seen - rows[500:]).mean()
    frame = pd.DataFrame(rows[:60], columns=[f"c{i}" for i in range(8)]).assign(kind=["a", "b"] * 30)
    table = Denoiser(random_state=0, trainer=Trainer(epochs=2)).fit(frame)
    back = table.transform(frame.iloc[::-1])
    assert list(back.columns) == list(frame.columns) and list(back.index) == list(frame.index[::-1])
    alone = Denoiser(clean=False, random_state=0, trainer=Trainer(epochs=2)).fit(frame)
    assert alone.assess(Source(frame, "table"), Source(frame, "table")) is None
    found = table.assess(Source(frame, "table"), Source(frame, "table"))
    assert found is not None and {line[0] for line in found.rows} >= {"this model", "nothing done"}


def test_what_is_refused(trained: Denoiser) -> None:
    with pytest.raises(DataError, match=r"learnt from pictures; it was given rows"):
        trained.transform(np.zeros((5, 4)))
    with pytest.raises(DataError, match=r"3 channels, 1 is expected"):
        trained.transform(np.zeros((2, 20, 20, 3), np.uint8))
    with pytest.raises(DataError, match=r"missing pixels .* fill them first"):
        trained.transform(np.full((1, 20, 20), np.nan))
    with pytest.raises(UsageError, match=r"noise must be a number above 0, a pair"):
        Denoiser(noise=-1).fit(waves(4))
    with pytest.raises(UsageError, match=r"tile must be an int of at least 8; got 2"):
        Denoiser(tile=2).fit(waves(4))
    with pytest.raises(UsageError, match=r"damage is done to clean rows"):
        Denoiser(clean=False, damage="blur").fit(waves(4))
    with pytest.raises(UsageError, match=r"rows of kind 'text' are none"):
        Denoiser().fit(["a text", "another"])
    with pytest.raises(UsageError, match=r"corruption 'blurr' is unknown"):
        quick(damage="blurr").fit(waves(4))


def test_blur_may_be_what_is_taken_out() -> None:
    model = quick(20, damage="blur(std=1.2, least=0.9)").fit(waves(160))
    clean = waves(seed=5)
    row = torch.from_numpy(clean)[..., None]
    seen = make("corruption", "blur(std=1.2, least=0.9)")(Batch(row, row)).x.numpy()[..., 0]
    assert decibels(clean, model.transform(seen)) > decibels(clean, seen) + 3


def test_the_report_shows_before_and_after(trained: Denoiser) -> None:
    (section,) = trained.exhibits(Source(waves(3), "image"))
    assert len(section.strips) == 3 and len(section.strips[0].pictures) == 3
    (other,) = quick(clean=False).fit(noisy(waves(6))).exhibits(Source(noisy(waves(2))))
    assert other.strips[0].captions[-1] == "what was taken out"
