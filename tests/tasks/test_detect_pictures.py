"""The detector on pictures and clips: a defect painted in is found at its pixels, and alarms keep their rate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from diabolo import Autoencoder, AutoencoderDetector, Trainer, load
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Clip, Source, objects
from diabolo.tasks.defects import pasted
from diabolo.tasks.evidence import blurred
from diabolo.tasks.maps import judged_frames, overlay, overlays, strangest_places
from diabolo.tasks.panel import PLACES, together
from diabolo.tasks.patches import Grid, motion
from diabolo.tasks.windows import judged_steps

HEIGHT, WIDTH = 40, 48


def textures(n: int, seed: int = 0) -> np.ndarray:
    """Woven cloth: two waves of random phase, and grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    phase = random.uniform(0, 6.28, (n, 2, 1, 1))
    made = (
        120 + 40 * np.sin(y / 1.5 + phase[:, 0]) * np.sin(x / 2 + phase[:, 1]) + random.normal(0, 6, (n, HEIGHT, WIDTH))
    )
    return made.clip(0, 255).astype(np.uint8)


def torn(n: int, seed: int = 1, rough: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Cloth where the weave is lost in a spot of five pixels radius, and where; ``rough``: the grain in it."""
    random, made = np.random.default_rng(seed), textures(n, seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    centre = np.stack([random.integers(6, HEIGHT - 6, n), random.integers(6, WIDTH - 6, n)], 1)[:, :, None, None]
    mask = np.square(y - centre[:, 0]) + np.square(x - centre[:, 1]) <= 25
    flat = (120 + random.normal(0, rough, made.shape)).clip(0, 255)
    return np.where(mask, flat, made).astype(np.uint8), mask


def walkers(n: int, seed: int, frames: int = 48) -> np.ndarray:
    """Clips of a blob that walks a pixel a frame through a fixed scene."""
    random = np.random.default_rng(seed)
    scene = gaussian_filter(np.random.default_rng(9).normal(size=(32, 48)), 2) * 200 + 110
    return objects(Clip(filmed(scene, random, frames, 1.0)[0], 10) for _ in range(n))


def filmed(scene: np.ndarray, random: np.random.Generator, frames: int, speed: float) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:32, :48]
    top, begin = random.integers(6, 26), random.uniform(0, 48)
    at = (begin + speed * np.arange(frames))[:, None, None] % 48
    mask = np.square(y - top) + np.square(x - at) <= 9
    made = np.where(mask, 230, scene) + random.normal(0, 3, (frames, 32, 48))
    return made.clip(0, 255).astype(np.uint8), mask


@pytest.fixture(scope="module")
def cloth() -> AutoencoderDetector:
    return AutoencoderDetector(trainer=Trainer(epochs=5), random_state=0).fit(textures(90))


@pytest.fixture(scope="module")
def street() -> AutoencoderDetector:
    return AutoencoderDetector(folds=2, trainer=Trainer(epochs=3), random_state=0).fit(walkers(6, 0))


@pytest.mark.parametrize(("level", "rough"), [("both", 6), ("both", 40), ("pixels", 40), ("features", 6)])
def test_a_defect_is_found_at_its_pixels(cloth: AutoencoderDetector, level: str, rough: float) -> None:
    """Where the weave is lost its features are, though pixels come back all the better; a rough spot shows there."""
    model = (
        cloth
        if level == "both"
        else AutoencoderDetector(level=level, folds=1, trainer=Trainer(epochs=5), random_state=0).fit(textures(90))
    )
    bad, mask = torn(20, rough=rough)
    heat = model.maps(bad)
    assert heat.shape == bad.shape and heat.dtype == np.float32
    assert roc_auc_score(mask.ravel(), heat.ravel()) > 0.93
    strange = np.arange(60) >= 40
    assert roc_auc_score(strange, -model.score_samples(np.concatenate([textures(40, 5), bad]))) > 0.95


def test_p_values_of_normal_pictures_are_uniform(cloth: AutoencoderDetector) -> None:
    """One split: as 100 rows held out make them; rows held out in turn: no more alarms than that."""
    small = textures(800, 4)[:, :14, :14]
    p = AutoencoderDetector(folds=1, trainer=Trainer(epochs=2), random_state=0).fit(small[:400]).p_values(small[400:])
    for level in (0.1, 0.25, 0.5, 0.75):
        assert abs((p <= level).mean() - level) < 3 * np.sqrt(level * (1 - level) / 100)
    assert cloth.n_calibration_ == 90 and (cloth.p_values(textures(300, 7)) <= 0.1).mean() < 0.15
    assert (cloth.predict(torn(20)[0]) == -1).mean() >= 0.9


def test_maps_are_in_standard_deviations_of_normal_pictures(cloth: AutoencoderDetector) -> None:
    heat = cloth.maps(textures(100, 8))
    assert abs(heat.mean()) < 0.25 and 0.4 < heat.std() < 1.2
    peaks = np.quantile(heat.max((1, 2)), [0.5, 0.95])
    np.testing.assert_allclose(cloth.facts_["peaks"], peaks, rtol=0.25)


def test_the_disk_and_the_seed_give_the_same_maps(cloth: AutoencoderDetector, tmp_path: Path) -> None:
    bad = torn(3)[0]
    cloth.save(tmp_path / "m")
    again = load(tmp_path / "m")
    one, other = (
        AutoencoderDetector(folds=1, trainer=Trainer(epochs=2), random_state=0).fit(textures(40)) for _ in "ab"
    )
    for model, same in ((again, cloth), (other, one)):
        np.testing.assert_array_equal(model.maps(bad), same.maps(bad))
        np.testing.assert_array_equal(model.score_samples(bad), same.score_samples(bad))
    assert list(again.models_) == [f"{name}-{fold}" for fold in range(3) for name in ("fold", "patches", "features")]


def test_colour_and_a_named_autoencoder() -> None:
    colours = np.repeat(textures(60)[..., None], 3, axis=3)
    colours[..., 2] //= 2
    model = AutoencoderDetector(
        Autoencoder(4, network="dense", hidden=(16,)), folds=1, trainer=Trainer(epochs=4), random_state=0
    ).fit(colours)
    assert model.facts_["measures"] == ["objective", "neighbours", "layout", "pixels", "features"]
    red = colours[:4].copy()
    red[:, 10:20, 20:30] = red[:, 10:20, 20:30, ::-1]
    mask = np.zeros(red.shape[:3], bool)
    mask[:, 10:20, 20:30] = True
    assert roc_auc_score(mask.ravel(), model.maps(red).ravel()) > 0.95


def test_what_is_refused(cloth: AutoencoderDetector, street: AutoencoderDetector) -> None:
    with pytest.raises(DataError, match="resize or convert them to 40x48"):
        cloth.maps(np.zeros((2, 20, 20), np.uint8))
    with pytest.raises(DataError, match="expecting"):
        street.maps(objects([Clip(np.zeros((9, 20, 20), np.uint8))]))
    with pytest.raises(UsageError, match="did you mean 'pixels'"):
        AutoencoderDetector(level="pixel").fit(textures(8))
    table = AutoencoderDetector(trainer=Trainer(epochs=2), random_state=0).fit(np.eye(8, 3, dtype=np.float32))
    with pytest.raises(UsageError, match="only pictures"):
        table.maps(np.eye(8, 3, dtype=np.float32))
    with pytest.raises(UsageError, match="cuts no windows"):
        judged_steps(cloth, textures(2))


# ── clips ─────────────────────────────────────────────────────────────────────────────────────────


def test_something_fast_is_found_in_its_frames_and_at_its_pixels(street: AutoencoderDetector) -> None:
    assert street.facts_["measures"] == ["pixels", "features"]
    scene = gaussian_filter(np.random.default_rng(9).normal(size=(32, 48)), 2) * 200 + 110
    random = np.random.default_rng(3)
    slow, fast = filmed(scene, random, 40, 1.0), filmed(scene, random, 40, 3.0)
    clip = Clip(np.concatenate([slow[0], fast[0], slow[0]]), 10)
    found = judged_steps(street, objects([clip, *walkers(1, 5)]))
    frames = found[0].values
    assert found[0].columns == ("score", "anomaly") and found[0].time_column == "frame" and len(frames) == 120
    truth = (np.arange(120) >= 40) & (np.arange(120) < 80)
    assert roc_auc_score(truth, frames[:, 0]) > 0.95
    assert frames[truth, 1].mean() > 0.8 and found[1].values[:, 1].mean() < 0.3
    heat = street.maps(objects([clip]))[0]
    assert heat.shape == clip.frames.shape
    assert roc_auc_score(fast[1].ravel(), heat[40:80].ravel()) > 0.9
    windows = street.predict(objects([clip]))
    _, start, stop = street.processor_.places(objects([clip]))
    assert (windows[(start >= 40) & (stop <= 80)] == -1).all()
    text = strangest_places(street, objects([clip]), np.flatnonzero(start == 60))[0, 0]
    assert 60 <= int(text.split()[1].strip(",")) < 68


def test_scores_by_clip_reach_from_nought_to_one(street: AutoencoderDetector) -> None:
    clips = walkers(2, 6)
    plain, scaled = judged_frames(street, clips), judged_frames(street, clips, per_clip=True)
    for a, b in zip(plain, scaled, strict=True):
        assert (b.values[:, 0].min(), b.values[:, 0].max()) == (0, 1)
        np.testing.assert_array_equal(np.argsort(a.values[:, 0]), np.argsort(b.values[:, 0]))
        np.testing.assert_array_equal(a.values[:, 1], b.values[:, 1])


def test_one_long_clip_is_enough_and_frames_may_be_left_out(tmp_path: Path) -> None:
    whole = objects([Clip(np.concatenate([clip.frames for clip in walkers(3, 2)]), 10)])
    source = Source(whole, "video", processor="video(frames=4, every=2)")
    model = AutoencoderDetector(trainer=Trainer(epochs=1), random_state=0).fit(source)
    assert model.facts_["folds"] == 3
    clip = objects([walkers(1, 3, frames=21)[0]])
    heat, steps = model.maps(clip)[0], judged_frames(model, clip)[0]
    assert heat.shape == (21, 32, 48) and len(steps.values) == 21
    np.testing.assert_array_equal(heat[0], heat[1])
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").maps(clip)[0], heat)


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("size", [(28, 28), (6, 6), (33, 51), (80, 120), (200, 260), (5, 90)])
def test_patches_put_together_are_the_picture(size: tuple[int, int], moving: bool) -> None:
    grid, x = Grid.of(size, moving=moving), torch.rand(2, 3, *size)
    small = grid.shrunk(x)
    cut = grid.cut(small)
    assert cut.shape == (2, grid.shape[0] * grid.shape[1], 3 * grid.side**2)
    torch.testing.assert_close(grid.back(cut), small.sum(1))
    assert grid.full(grid.back(cut)).shape == (2, *size)


@pytest.mark.parametrize("contrast", [0.8, 1.6])
def test_motion_is_in_pixels_a_frame_whatever_the_contrast_of_edges(contrast: float) -> None:
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(48.0), indexing="ij")
    frames = torch.stack([torch.sin((x - 0.8 * t) / 3) + torch.cos((y + 0.4 * t) / 3) for t in range(6)])
    grey = 0.5 + contrast / 4 * frames
    found = motion(grey, grey[2], torch.arange(6), seen=2.0)[..., 8:-8, 8:-8]
    assert found[:, 0].mean() == pytest.approx(0.8, rel=0.1) and found[:, 1].mean() == pytest.approx(-0.4, rel=0.1)
    torch.testing.assert_close(found[:, 2], 2 * (grey - grey[2])[:, 8:-8, 8:-8])
    torch.testing.assert_close(found[0, :2], found[1, :2])  # at the end of a clip as beside it
    assert not motion(grey[:1], grey[0], torch.tensor([0])).any()


def test_places_count_where_they_are_far_stranger() -> None:
    names = ["objective", "layout", "pixels"]
    logs = np.log([[0.5, 0.5], [0.5, 0.5], [0.5, 1e-9]])
    found = together(logs, names)
    np.testing.assert_allclose(np.exp(-found), 1 / 0.5 + PLACES / np.array([0.5, 1e-9]))
    np.testing.assert_allclose(together(logs[:2], names[:2]), logs[:2].mean(0))


def test_blurred_pictures_keep_their_mean_level() -> None:
    flat = torch.full((2, 5, 7, 3), 0.3)
    torch.testing.assert_close(blurred(flat), flat)
    point = torch.zeros(1, 9, 9)
    point[0, 4, 4] = 1
    assert blurred(point)[0, 4, 4] == pytest.approx(1 / 9) and blurred(point).sum() == pytest.approx(1)


def test_pasted_pieces_are_where_the_mask_says() -> None:
    normal = textures(12)
    made, mask = pasted(normal, 3)
    assert (made[~mask] == normal[~mask]).all() and (mask.mean((1, 2)) > 0).all() and (mask.mean((1, 2)) < 0.12).all()
    assert ((made != normal).sum((1, 2)) > 0.7 * mask.sum((1, 2))).all()


def test_overlays_show_what_is_strange(cloth: AutoencoderDetector) -> None:
    bad, mask = torn(3)
    shown = overlays(cloth, bad).astype(int)
    assert shown.shape == (*bad.shape, 3) and np.ptp(shown[~mask], axis=-1).mean() < 20
    assert np.ptp(shown[mask], axis=-1).mean() > 40  # colour, where the weave is lost
    np.testing.assert_array_equal(overlay(bad[0], np.zeros(mask[0].shape), (3, 5))[..., 1], bad[0])


def test_the_report_and_the_assessment_speak_of_places(cloth: AutoencoderDetector, street: AutoencoderDetector) -> None:
    bad = Source(torn(4)[0], "image")
    shown = cloth.exhibits(bad)[0]
    assert len(shown.strips) == 4 and shown.strips[0].pictures[1].shape == (HEIGHT, WIDTH, 3)
    assert "sd)" in shown.strips[0].captions[1]
    film = street.exhibits(Source(walkers(2, 4), "video"))[0]
    assert len(film.strips) == 2 and film.rows[0][1] == "48"
    held: Any = Source(textures(30, 3), "image")
    found = cloth.assess(Source(textures(90), "image"), held, seed=0)
    assert found is not None and found.rows[0][0] == "this model" and float(found.rows[0][3]) > 0.8
    assert float(found.rows[0][1]) > float(found.rows[1][1])
