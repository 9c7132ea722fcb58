"""What a denoiser takes (bytes for floats, scratches) and refuses, and the simple methods it is held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter, uniform_filter

from diabolo import Autoencoder, Denoiser, Trainer
from diabolo.core import Batch, make
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Source
from diabolo.tasks.decibels import psnr
from diabolo.tasks.denoise_rivals import RIVALS, shrunk_cosines, ssim
from diabolo.tasks.noise_level import noise_std


def discs(n: int, side: int = 32, seed: int = 0) -> np.ndarray:
    """Smooth discs of random place and size, values in [.2, .8]."""
    draw = np.random.default_rng(seed)
    middle, size = draw.uniform(6, side - 6, (n, 2, 1, 1)), draw.uniform(4, 12, (n, 1, 1))
    away = np.hypot(*(np.mgrid[:side, :side][:, None] - middle.transpose(1, 0, 2, 3)))
    return (0.2 + 0.6 / (1 + np.exp(away - size))).astype(np.float32)


def gratings(n: int, side: int = 32, seed: int = 0) -> np.ndarray:
    """Stripes of random direction and width, values in [.1, .9]: detail that no filter leaves alone."""
    draw = np.random.default_rng(seed)
    turn, phase, width = (draw.uniform(low, high, (n, 1, 1)) for low, high in ((0, np.pi), (0, 2 * np.pi), (4, 7)))
    y, x = np.mgrid[:side, :side]
    along = np.cos(turn) * y + np.sin(turn) * x
    return (0.5 + 0.4 * np.sin(2 * np.pi * along / width + phase)).astype(np.float32)


def small(epochs: int = 2, **params: Any) -> Denoiser:
    model = Autoencoder(8, network="u-shaped(width=8, depth=1, dims=2)", loss="squared")
    trainer = Trainer(epochs=epochs, batch_size=16, optimizer="adamw", lr=5e-3)
    return Denoiser(**{"autoencoder": model, "trainer": trainer, "random_state": 0, "noise": (0.1, 0.1), **params})


def damaged(spec: str, clean: np.ndarray) -> np.ndarray:
    rows = torch.from_numpy(clean)[..., None]
    found: np.ndarray = make("corruption", spec)(Batch(rows, rows), torch.Generator().manual_seed(1)).x[..., 0].numpy()
    return found


@pytest.fixture(scope="module")
def floats() -> Denoiser:
    return small(3).fit(discs(24))


def test_it_takes_scratches_off_where_a_median_filter_takes_the_detail() -> None:
    spec = "scratches(count=2, width=1.5)"
    clean = gratings(24, seed=5)
    seen = damaged(spec, clean)
    said = small(14, damage=spec).fit(gratings(128)).transform(seen)
    rival = max(psnr(clean, median_filter(seen, (1, side, side))) for side in (3, 5))
    assert psnr(clean, said) > max(rival, psnr(clean, seen)) + 2


def test_bytes_and_floats_of_the_same_pictures_are_restored_alike(floats: Denoiser) -> None:
    grey = np.rint(damaged("noise(std=0.1)", discs(3, seed=7)).clip(0, 1) * 255).astype(np.uint8)
    share = grey / np.float32(255)
    for model in (floats, small(3).fit(np.rint(discs(24) * 255).astype(np.uint8))):
        as_bytes, as_floats = model.transform(grey), model.transform(share)
        assert as_bytes.dtype == np.uint8 and as_floats.dtype == np.float32
        assert np.abs(as_bytes / 255 - as_floats).max() <= 0.5 / 255 + 1e-5
        assert model.noise_levels(grey) == model.noise_levels(share)


def test_what_is_refused(floats: Denoiser) -> None:
    with pytest.raises(DataError, match=r"picture 1 has values about \d+.*, the model learnt from 0 to 1; scale them"):
        floats.transform(discs(2) * np.array([1, 255], np.float32)[:, None, None])
    with pytest.raises(DataError, match="hold infinite values"):
        floats.transform(np.full((1, 20, 20), np.inf))
    for noise in ((1,), "lots", True, (0.2, 0.1), None, float("nan")):
        with pytest.raises(UsageError, match=r"noise must be a number above 0, a pair low <= high of them, or 'auto'"):
            small(noise=noise).fit(discs(4))
    with pytest.raises(UsageError, match="clean must be True or False; got 'auto'"):
        small(clean="auto").fit(discs(4))


def test_cosines_without_a_cut_change_nothing_and_with_a_high_one_smooth_twice() -> None:
    picture = np.random.default_rng(0).normal(size=(40, 30, 2))
    np.testing.assert_allclose(shrunk_cosines(picture, 0.0), picture, atol=1e-12)
    means = uniform_filter(uniform_filter(picture, (8, 8, 0)), (8, 8, 0), origin=(-1, -1, 0))
    np.testing.assert_allclose(shrunk_cosines(picture, 1e3)[8:-8, 8:-8], means[8:-8, 8:-8], atol=1e-12)
    assert shrunk_cosines(picture[:3, :5], 1.0).shape == (3, 5, 2)


def test_every_rival_but_nothing_takes_noise_out() -> None:
    clean = discs(1, side=64)[0][..., None]
    seen = (clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)).astype(np.float32)
    found = {name: psnr(clean, method(seen)) for name, method in RIVALS.items()}
    nothing = found.pop("nothing done")
    assert nothing == pytest.approx(20, abs=0.3) and min(found.values()) > nothing + 4


@pytest.mark.parametrize("shape", [(200, 200), (2000, 3), (2, 4000, 3)])
def test_the_noise_of_a_curved_surface_is_found_whatever_the_shape(shape: tuple[int, ...]) -> None:
    lines, columns = (
        np.linspace(0, 1, side).reshape(-1, *(1,) * (len(shape) - 1 - axis)) for axis, side in enumerate(shape[:2])
    )
    surface = np.broadcast_to(lines**3 - 2 * columns**2, shape)
    assert noise_std(surface) < 1e-3
    noisy = surface + np.random.default_rng(0).normal(0, 0.05, shape)
    assert noise_std(noisy) == pytest.approx(0.05, rel=0.06)


def test_structural_similarity_of_two_greys() -> None:
    one, other = np.full((16, 16, 3), 0.4), np.full((16, 16, 3), 0.7)
    assert ssim(one, other) == pytest.approx((2 * 0.4 * 0.7 + 1e-4) / (0.4**2 + 0.7**2 + 1e-4), abs=1e-4)


def test_it_is_judged_in_decibels_and_by_structure(floats: Denoiser) -> None:
    found = floats.assess(Source(discs(24), "image"), Source(discs(6, seed=3), "image"))
    assert found is not None and found.columns == ("", "PSNR, dB", "SSIM")
    assert [line[0] for line in found.rows] == ["this model", *RIVALS]
