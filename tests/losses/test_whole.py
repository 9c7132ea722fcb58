"""Structure, features and wavelets: against independent implementations and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
import torch
from scipy.ndimage import correlate1d
from torch import nn

from diabolo import Autoencoder, Trainer
from diabolo.blocks.wavelet import FILTERS, decompose, filters, split
from diabolo.core import make
from diabolo.core.errors import UsageError
from diabolo.losses.perceptual import Perceptual
from diabolo.losses.squared import Squared
from diabolo.losses.structural import SCALES, Structural
from diabolo.losses.wavelet import Wavelet

X, Y = torch.rand(2, 4, 32, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


# ── structural similarity ─────────────────────────────────────────────────────────────────────────


def blurred(picture: np.ndarray) -> np.ndarray:
    """Gaussian window of 11 pixels and std 1.5, where it lies inside."""
    kernel = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    for axis in (0, 1):
        picture = correlate1d(picture, kernel / kernel.sum(), axis=axis)
    return picture[5:-5, 5:-5]


def maps(x: np.ndarray, y: np.ndarray, span: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Wang et al. (2004), equations 6 and 12, in NumPy."""
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    mx, my = blurred(x), blurred(y)
    vx, vy, both = blurred(x * x) - mx**2, blurred(y * y) - my**2, blurred(x * y) - mx * my
    return (2 * mx * my + c1) / (mx**2 + my**2 + c1), (2 * both + c2) / (vx + vy + c2)


def test_structural_similarity_is_that_of_the_paper() -> None:
    near = X + 0.2 * (Y - 0.5)
    expected = [1 - np.prod(maps(a, b), axis=0).mean() for a, b in zip(near.numpy(), X.numpy(), strict=True)]
    np.testing.assert_allclose(Structural()(near, X), expected, rtol=1e-9)
    span = [1 - np.prod(maps(a, b, 2.0), axis=0).mean() for a, b in zip(near.numpy(), X.numpy(), strict=True)]
    np.testing.assert_allclose(Structural(span=2.0)(near, X), span, rtol=1e-9)


def test_two_scales_multiply_contrast_and_structure_of_both() -> None:
    def halved(p: np.ndarray) -> np.ndarray:
        return (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4

    near = X + 0.2 * (Y - 0.5)
    expected = []
    for a, b in zip(near.numpy(), X.numpy(), strict=True):
        fine, coarse = maps(a, b)[1].mean(), np.prod(maps(halved(a), halved(b)), axis=0).mean()
        first, second = np.array(SCALES[:2]) / sum(SCALES[:2])
        expected.append(1 - fine**first * coarse**second)
    np.testing.assert_allclose(Structural(scales=2)(near, X), expected, rtol=1e-9)


def test_a_constant_shift_costs_luminance_alone() -> None:
    flat, shifted = (torch.full((1, 16, 16), level, dtype=torch.float64) for level in (0.4, 0.6))
    expected = 1 - (2 * 0.24 + 1e-4) / (0.16 + 0.36 + 1e-4)
    assert Structural()(shifted, flat).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("scales", [1, 3])
def test_the_same_picture_costs_nothing_and_another_does(scales: int) -> None:
    loss = Structural(scales=scales)
    torch.testing.assert_close(loss(X, X), torch.zeros(4).double())
    assert (loss(Y, X) > 0.3).all()


def test_channels_are_averaged_and_flat_pictures_known_by_their_image() -> None:
    colour, other = torch.stack([X, Y], -1), torch.stack([Y, X], -1)
    both = (Structural()(X, Y) + Structural()(Y, X)) / 2
    torch.testing.assert_close(Structural()(colour, other), both)
    flat = Structural(image=(32, 24))(X.flatten(1), Y.flatten(1))
    torch.testing.assert_close(flat, Structural()(X, Y))


def test_gradient_descent_on_it_finds_the_picture() -> None:
    recon = (0.5 + 0.1 * (Y[:1] - 0.5)).requires_grad_()
    optimiser = torch.optim.Adam([recon], lr=0.02)
    for _ in range(150):
        optimiser.zero_grad()
        Structural()(recon, X[:1]).sum().backward()
        optimiser.step()
    assert Structural()(recon, X[:1]).item() < 0.02


# ── features ──────────────────────────────────────────────────────────────────────────────────────


def test_identity_features_are_mean_squared_error() -> None:
    torch.testing.assert_close(Perceptual(nn.Identity())(X, Y), (X - Y).square().flatten(1).mean(1))


def test_layers_are_compared_one_by_one() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Conv2d(3, 2, 3)).double()
    loss = Perceptual(network, layers=("1", "2"), channels_first=True, pixels=0.5)
    x, y = X[:, None], Y[:, None]
    first, last = (network[:2](x) - network[:2](y)), (network(x) - network(y))
    by_hand = sum(d.square().flatten(1).mean(1) for d in (first, last)) + 0.5 * (X - Y).square().flatten(1).sum(1)
    torch.testing.assert_close(loss(X, Y), by_hand)


def test_the_network_is_a_frozen_copy_and_no_part_of_the_model() -> None:
    network = nn.Sequential(nn.Linear(8, 4), nn.Dropout(0.5))
    loss = Perceptual(network)
    x = torch.randn(3, 8, requires_grad=True)
    before = loss(x, torch.zeros(3, 8))
    with torch.no_grad():
        network[0].weight.add_(1.0)
    loss.train()
    after = loss(x, torch.zeros(3, 8))
    torch.testing.assert_close(after, before)
    assert not list(loss.parameters()) and not loss.state_dict()
    (gradient,) = torch.autograd.grad(after.sum(), x)
    assert gradient.ne(0).any() and network[0].weight.grad is None


def test_a_fitted_autoencoder_can_be_the_eye_of_another() -> None:
    random = np.random.default_rng(0)
    rows = (random.normal(size=(64, 2)) @ random.normal(size=(2, 6))).astype("float32")
    eye = Autoencoder(3, trainer=Trainer(epochs=2), random_state=0).fit(rows)
    loss = Perceptual(eye, pixels=0.1)
    x, y = torch.from_numpy(rows[:5]), torch.zeros(5, 6)
    seen = [eye.module_.features(part) for part in (x, y)]
    by_hand = (seen[0] - seen[1]).square().mean(1) + 0.1 * x.square().sum(1)
    torch.testing.assert_close(loss(x, y), by_hand)
    model = Autoencoder(2, loss=loss, trainer=Trainer(epochs=30), random_state=0).fit(rows)
    barely = Autoencoder(2, loss=loss, trainer=Trainer(epochs=1), random_state=0).fit(rows)
    assert model.score(rows) > 0.8 * barely.score(rows)  # both below 0


# ── wavelets ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", FILTERS)
def test_filters_are_orthonormal_to_their_even_shifts(name: str) -> None:
    low, high = filters(name, torch.zeros(1, dtype=torch.float64))
    for shift in range(0, len(low), 2):
        inner = [low[shift:] @ low[: len(low) - shift], high[shift:] @ high[: len(low) - shift]]
        torch.testing.assert_close(torch.stack(inner), torch.full((2,), float(shift == 0)).double(), atol=1e-9, rtol=0)
    assert low.sum().item() == pytest.approx(np.sqrt(2)) and high.sum().item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("length", [2, 6, 9, 32])
def test_one_level_is_that_of_pywavelets(name: str, length: int) -> None:
    x = np.random.default_rng(0).normal(size=(3, length))
    expected = pywt.dwt(x, name, mode="periodization")
    for ours, theirs in zip(split(torch.from_numpy(x), name), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_levels_in_two_dimensions_are_those_of_pywavelets() -> None:
    approximation, *details = pywt.wavedec2(X.numpy(), "db3", mode="periodization", level=2, axes=(1, 2))
    ours = decompose(X, "db3", 2, 2)
    np.testing.assert_allclose(ours[0], approximation.reshape(4, -1), atol=1e-10)
    for level, parts in zip(ours[1:], details, strict=True):
        theirs = np.concatenate([part.reshape(4, -1) for part in parts], 1)
        np.testing.assert_allclose(level.sort(1).values, np.sort(theirs, 1), atol=1e-10)


@pytest.mark.parametrize("name", FILTERS)
def test_equal_weights_are_squared_error(name: str) -> None:
    torch.testing.assert_close(Wavelet(name, levels=3)(X, Y), Squared()(X, Y))
    rows = Wavelet(name, levels=2)(X[..., 0], Y[..., 0])
    torch.testing.assert_close(rows, Squared()(X[..., 0], Y[..., 0]))


def test_haar_by_hand_level_by_level() -> None:
    x = torch.tensor([[4.0, 2.0, 1.0, 1.0]])
    approximation, coarse, fine = decompose(x, "haar", 2, 1)
    assert approximation.item() == pytest.approx(4.0) and coarse.item() == pytest.approx(2.0)
    torch.testing.assert_close(fine, torch.tensor([[2.0, 0.0]]) / np.sqrt(2))
    cost = Wavelet("haar", levels=2, weights=[1.0, 10.0, 100.0], norm="absolute")(x, torch.zeros(1, 4))
    assert cost.item() == pytest.approx(4.0 + 20.0 + 100.0 * np.sqrt(2), rel=1e-6)


def test_smooth_signals_have_no_fine_details() -> None:
    ramp = torch.linspace(0, 1, 64, dtype=torch.float64)[None]
    fine = split(ramp, "db3")[1][0]
    assert fine[3:-3].abs().max() < 1e-9 < fine.abs().max()  # it jumps where the end meets the beginning


def test_channels_and_flat_pictures() -> None:
    colour, other = torch.stack([X, Y], -1), torch.stack([Y, X], -1)
    torch.testing.assert_close(Wavelet(norm="absolute")(colour, other), 2 * Wavelet(norm="absolute")(X, Y))
    flat = Wavelet(image=(32, 24), norm="absolute")(X.flatten(1), Y.flatten(1))
    torch.testing.assert_close(flat, Wavelet(norm="absolute")(X, Y))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("structural(scales=6)", "scales must be"),
        ("structural(window=4)", "window must be"),
        ("structural(std=0)", "std must be"),
        ("structural(span=-1)", "span must be"),
        ("wavelet(wavelet='db')", "wavelet 'db' is unknown"),
        ("wavelet(levels=0)", "levels must be"),
        ("wavelet(norm='cubed')", "norm must be"),
        ("wavelet(weights=[0.0])", "weights must be"),
        ("perceptual(features=1)", "features must be a torch module"),
        ("perceptual(features=1, pixels=-1)", "pixels must be"),
    ],
)
def test_parameters_out_of_range(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make("loss", spec)


def test_what_the_data_do_not_allow() -> None:
    with pytest.raises(UsageError, match="levels must be from 1 to 4"):
        Wavelet(levels=5)(X, Y)
    with pytest.raises(UsageError, match="need 4 weights; got 2"):
        Wavelet(weights=[1.0, 1.0])(X, Y)
    with pytest.raises(UsageError, match="halve a picture"):
        Structural(scales=4)(X[:, :4], Y[:, :4])
    with pytest.raises(UsageError, match="positions"):
        Structural()(X[:, 0, 0], Y[:, 0, 0])
    with pytest.raises(UsageError, match="no layer 'two'"):
        Perceptual(nn.Sequential(nn.Linear(2, 2)), layers=("two",))
