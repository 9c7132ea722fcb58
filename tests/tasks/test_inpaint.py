"""Inpainting: known pixels untouched, missing ones better than simple methods, any size without seams, damage alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image

from diabolo import Autoencoder, Inpainter, Trainer, load
from diabolo.core import Batch, make
from diabolo.core.errors import DataError, ModelError, UsageError
from diabolo.data import Source
from diabolo.report.doctor import examine
from diabolo.tasks import pictures
from diabolo.tasks.inpaint_rivals import harmonic, linear, mean, nearest, psnr


def waves(n: int = 24, side: int = 32, seed: int = 0) -> np.ndarray:
    """Gratings of random direction and wavelength: regular, but bent between the pixels that are known."""
    draw = np.random.default_rng(seed)
    turn, length, phase = draw.uniform(0, np.pi, n), draw.uniform(4, 7, n), draw.uniform(0, 2 * np.pi, n)
    y, x = np.mgrid[:side, :side]
    way = np.cos(turn)[:, None, None] * y + np.sin(turn)[:, None, None] * x
    return (0.5 + 0.4 * np.sin(2 * np.pi * way / length[:, None, None] + phase[:, None, None])).astype(np.float32)


def gone(shape: tuple[int, ...], share: float = 0.3, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def quick(epochs: int = 2, **params: Any) -> Inpainter:
    """A small network, trained briefly."""
    small = Autoencoder(8, network="u-shaped(width=8, depth=1)", loss="squared")
    trainer = Trainer(epochs=epochs, batch_size=16, optimizer="adamw", lr=5e-3)
    return Inpainter(**{"autoencoder": small, "mask": "pixels", "trainer": trainer, "random_state": 0, **params})


@pytest.fixture(scope="module")
def trained() -> Inpainter:
    return quick(30, share=0.3).fit(waves(160))


def test_better_than_linear_on_pictures_it_has_not_seen(trained: Inpainter) -> None:
    truth, missing = waves(seed=5), gone((24, 32, 32))
    filled = trained.transform(truth, missing)
    assert filled.dtype == np.float32 and (filled == truth)[~missing].all()
    rival = np.stack([linear(p[..., None], ~m)[..., 0] for p, m in zip(truth, missing, strict=True)])
    gain = psnr(truth[..., None], filled[..., None], missing) - psnr(truth[..., None], rival[..., None], missing)
    assert gain > 1.5, gain


def test_what_stands_at_missing_pixels_is_never_looked_at(trained: Inpainter) -> None:
    truth, missing = waves(3, seed=6), gone((3, 32, 32))
    one, other = (trained.transform(np.where(missing, junk, truth), missing) for junk in (0.0, 7.0))
    assert (one == other).all()


def test_nan_a_colour_and_transparency_mean_missing(trained: Inpainter) -> None:
    truth, missing = waves(3, seed=7), gone((3, 32, 32))
    wanted = trained.transform(truth, missing)
    assert (trained.transform(np.where(missing, np.nan, truth)) == wanted).all()
    assert (Inpainter.transform(told(trained, -1.0), np.where(missing, -1.0, truth)) == wanted).all()
    held = pictures.taken(np.dstack([np.zeros((4, 4, 3), np.uint8), np.eye(4, dtype=np.uint8) * 255])[None])
    assert held.channels == 3 and (held.known[0] == np.eye(4, dtype=bool)).all()


def told(model: Inpainter, value: float) -> Inpainter:
    made = Inpainter(missing_value=value)
    made.models_, made.facts_, made.arrays_ = model.models_, model.facts_, model.arrays_
    return made


def test_bytes_come_back_as_bytes_and_lists_as_lists(trained: Inpainter) -> None:
    rows = (waves(4) * 255).astype(np.uint8)
    model = quick().fit(rows)
    odd = [rows[0][:20, :31], rows[1][:, :17]]
    masks = [gone(row.shape) for row in odd]
    found = model.transform(odd, masks)
    assert [row.shape for row in found] == [(20, 31), (32, 17)] and all(row.dtype == np.uint8 for row in found)
    assert all((a == b)[~m].all() for a, b, m in zip(odd, found, masks, strict=True))
    assert model.transform(rows).tobytes() == rows.tobytes()  # nothing is missing, nothing changes


def test_damaged_pictures_alone_teach_it() -> None:
    truth, missing = waves(160), gone((160, 32, 32))
    damaged = np.where(missing, np.nan, truth)
    model = quick(30, mask="auto").fit(damaged)
    assert model.facts_["mask"] == "others"
    filled = model.transform(damaged)
    each = zip(truth[:24], missing[:24], strict=True)
    rival = np.stack([linear(p[..., None], ~m) for p, m in each])
    assert psnr(truth[:24, ..., None], filled[:24, ..., None], missing[:24]) > psnr(
        truth[:24, ..., None], rival, missing[:24]
    )


def test_windows_of_a_large_picture_leave_no_seam(trained: Inpainter, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = load_sample_image("china.jpg")[:200, :300, 0]
    missing = gone(picture.shape)
    model = quick().fit((waves(4) * 255).astype(np.uint8))
    with torch.no_grad():
        model.autoencoder_.module_.decoder.head[-1].weight.mul_(100)  # a correction one would see
    whole = model.transform([picture], [missing])[0]
    monkeypatch.setattr(pictures, "AT_ONCE", 96**2)
    parts = model.transform([picture], [missing])[0]
    assert np.abs(whole.astype(int) - parts).max() <= 1 and (whole != picture).any()


def test_a_network_of_fixed_size_goes_over_tiles() -> None:
    dense = Autoencoder(8, network="dense", hidden=(32,), loss="squared")
    model = quick(autoencoder=dense, tile=16).fit(waves(40))
    truth = waves(2, side=40)
    found = model.transform(truth, gone(truth.shape))
    assert found.shape == truth.shape and np.isfinite(found).all()
    with pytest.raises(DataError, match=r"9x40 pixels is smaller than the 16x16"):
        model.transform([truth[0][:9]], [gone((9, 40))])


def test_saved_and_loaded_it_fills_alike(trained: Inpainter, tmp_path: Any) -> None:
    truth, missing = waves(2, seed=9), gone((2, 32, 32))
    trained.save(tmp_path / "m")
    assert (load(tmp_path / "m").transform(truth, missing) == trained.transform(truth, missing)).all()


def test_the_same_seed_gives_the_same_model() -> None:
    rows, missing = waves(20), gone((20, 32, 32))
    one, other, third = (quick(random_state=seed).fit(rows).transform(rows, missing) for seed in (0, 0, 1))
    assert (one == other).all() and (one != third).any()


def test_assessment_and_exhibits(trained: Inpainter) -> None:
    held = Source(waves(12, seed=3), "array")
    found = trained.assess(held, held, seed=0)
    assert found is not None and [row[0] for row in found.rows] == [
        "this model",
        "mean",
        "nearest",
        "linear",
        "harmonic",
    ]
    assert found.verdict.startswith("better than")
    (shown,) = trained.exhibits(held)
    assert len(shown.strips) == 4 and all(len(strip.pictures) == len(strip.captions) for strip in shown.strips)
    tiles = trained.inner_rows(Source(waves(12, side=50), "array"))
    assert tiles.rows.shape == (12, 32, 32)
    assert "over-fitting" not in [finding.name for finding in examine(trained.autoencoder_, tiles)]
    lost = Source(np.where(gone((12, 32, 32)), np.nan, waves(12)), "array")
    assert [one.title for one in trained.exhibits(lost)] == ["Missing pixels filled", "Hidden pixels given back"]


# ── what the parts promise ────────────────────────────────────────────────────────────────────────


def test_simple_methods_know_what_they_should() -> None:
    y, x = np.mgrid[:12.0, :12.0].astype(np.float32)
    plane = (0.02 * y + 0.03 * x)[..., None]
    known = ~gone((12, 12), 0.3)
    known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    np.testing.assert_allclose(linear(plane, known), plane, atol=1e-5)
    ring = np.ones((12, 12), bool)
    ring[1:-1, 1:-1] = False
    np.testing.assert_allclose(harmonic(plane, ring), plane, atol=0.01)  # a plane is harmonic
    assert np.unique(mean(plane, known)[~known]).size == 1
    spot = np.ones((12, 12), bool)
    spot[5, 5] = False
    assert nearest(plane, spot)[5, 5] in (plane[4, 5], plane[6, 5], plane[5, 4], plane[5, 6])


@pytest.mark.parametrize("kind", ["pixels", "rectangles", "strokes", "mixed"])
def test_holes_hide_the_share_they_promise(kind: str) -> None:
    holes = make("corruption", f"holes(kind='{kind}', share=0.25)")
    hidden = holes.hidden(torch.ones(100, 48, 48, dtype=torch.bool), torch.Generator().manual_seed(0))
    assert abs(float(hidden.float().mean()) - 0.25) < 0.05


def test_holes_ask_only_for_what_was_known_and_show_it_nowhere() -> None:
    x = torch.rand(8, 16, 16, 4)
    x[..., 3] = (torch.rand(8, 16, 16) < 0.7).float()
    for kind in ("pixels", "others"):
        seen = make("corruption", f"holes(kind='{kind}', known=True)")(Batch(x, x[..., :3]))
        assert not bool((seen.scored & (x[..., 3] == 0)).any())
        assert (seen.x[..., 3] == (x[..., 3] - seen.scored.float())).all()
        other = x.clone()
        other[..., :3][seen.scored] = 9.0  # what is hidden does not reach the guess
        assert seen.x[..., :3].max() <= 1


def test_others_hides_where_another_lacks() -> None:
    x = torch.ones(2, 8, 8, 2)
    x[..., 0, :, 1] = 0  # both lack the first line; moved, it is another line
    seen = make("corruption", "holes(kind='others', known=True)")(
        Batch(x, x[..., :1]), torch.Generator().manual_seed(3)
    )
    assert seen.scored.flatten(1).sum(1).tolist() == [8, 8]


# ── misuse is named ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "masks", "message"),
    [
        (np.zeros((3, 4)), None, r"pictures must be \(N, H, W\)"),
        (np.zeros((3, 16, 16), np.uint8), np.zeros((3, 8, 8)), r"mask 0 has shape \(8, 8\), its picture \(16, 16\)"),
        (np.zeros((3, 16, 16), np.uint8), np.zeros((2, 16, 16)), r"2 masks for 3 pictures"),
        (np.zeros((3, 16, 16), np.uint8), np.ones((3, 16, 16)), r"no pixel of these pictures is known|wrong way round"),
        ([np.zeros((9, 9)), np.zeros((9, 9, 3))], None, r"picture 1 has 3 channels, 1 is expected"),
        ([], None, r"there are no pictures"),
        (np.full((2, 8, 8), "a"), None, r"holds <U1; give uint8"),
        (np.full((2, 8, 8), np.nan), None, r"no pixel of these pictures is known"),
    ],
)
def test_rows_that_cannot_be_learnt_from(rows: Any, masks: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        quick().fit(rows, masks)


def test_parameters_out_of_range() -> None:
    with pytest.raises(UsageError, match=r"kind of mask 'pixel' is unknown; did you mean 'pixels'\?"):
        quick(mask="pixel").fit(waves(4))
    with pytest.raises(UsageError, match=r"tile must be an int of at least 8; got 4"):
        quick(tile=4).fit(waves(4))
    with pytest.raises(UsageError, match=r"share must be in \(0, 1\); got 1"):
        quick(share=1).fit(waves(4))
    with pytest.raises(UsageError, match=r"kind 'others', which takes the holes of other rows"):
        make("corruption", "holes(kind='others')")


def test_a_grey_model_refuses_colour(trained: Inpainter, tmp_path: Any) -> None:
    with pytest.raises(DataError, match=r"picture 0 has 3 channels, 1 is expected"):
        trained.transform(np.zeros((2, 16, 16, 3), np.uint8))
    with pytest.raises(ModelError):
        load(tmp_path)


def test_bytes_mean_the_same_to_a_model_of_floats(trained: Inpainter) -> None:
    rows, missing = waves(3, seed=8), gone((3, 32, 32))
    whole = np.rint(rows * 255).astype(np.uint8)
    floats, found = trained.transform(whole / np.float32(255), missing), trained.transform(whole, missing)
    assert found.dtype == np.uint8 and np.abs(found / 255 - floats).max() < 0.01
    shown = trained.inner_rows(Source(whole, "image")).rows
    assert shown.min() >= 0 and shown.max() <= 1
