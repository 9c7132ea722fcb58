"""What each corruption does to the distribution of the data, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage, stats

from diabolo import Autoencoder, Trainer
from diabolo.core import Batch, make
from diabolo.core.errors import UsageError
from diabolo.corruptions.occlusion import Occlusion
from diabolo.corruptions.tokens import Tokens


def seen(corruption: str, x: torch.Tensor, mask: torch.Tensor | None = None, seed: int = 0) -> torch.Tensor:
    return make("corruption", corruption)(Batch(x, x, mask=mask), torch.Generator().manual_seed(seed)).x


# ── single entries ────────────────────────────────────────────────────────────────────────────────


def test_salt_and_pepper_hits_its_share_half_up_half_down() -> None:
    hit = seen("salt-and-pepper(share=0.3, low=-1.0, high=2.0)", torch.full((500, 200), 0.5))
    assert hit.eq(-1).float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert hit.eq(2).float().mean().item() == pytest.approx(0.15, abs=0.01)
    assert set(hit.unique().tolist()) == {-1.0, 0.5, 2.0}


def test_speckle_grows_with_the_signal() -> None:
    x = torch.tensor([1.0, 4.0, 0.0]).expand(40_000, 3)
    noisy = seen("speckle(std=0.5)", x)
    torch.testing.assert_close(noisy.mean(0), x[0], atol=0.05, rtol=0)
    torch.testing.assert_close(noisy.std(0), 0.5 * x[0], rtol=0.02, atol=0)


def test_shot_noise_counts_events() -> None:
    x = torch.tensor([0.5, 2.0, 0.0, -1.0]).expand(40_000, 4)
    noisy = seen("shot(peak=10)", x)
    torch.testing.assert_close(noisy.mean(0), x[0].clamp(min=0), atol=0.01, rtol=0)
    torch.testing.assert_close(noisy.var(0)[:2], x[0, :2] / 10, rtol=0.05, atol=0)
    observed = torch.bincount((noisy[:, 0] * 10).round().long(), minlength=15)[:15].numpy() / 40_000
    assert abs(observed - stats.poisson(5.0).pmf(range(15))).max() < 0.01


# ── columns and blocks ────────────────────────────────────────────────────────────────────────────


def test_dropped_columns_are_gone_for_the_whole_group_and_no_other() -> None:
    x = torch.rand(60, 4, 500) + 1
    hidden = seen("dropout-columns(share=0.3, groups=3)", x).eq(0)
    assert torch.equal(hidden, hidden[:, :1].expand_as(hidden))
    patterns, members = hidden[:, 0].unique(dim=0, return_counts=True)
    assert members.tolist() == [20, 20, 20]
    assert patterns.float().mean().item() == pytest.approx(0.3, abs=0.04)
    assert torch.equal(seen("dropout-columns(share=0.3)", x)[~hidden[:1].expand_as(x)].gt(0).any(), torch.tensor(True))


def test_one_group_loses_the_same_columns_in_every_row() -> None:
    hidden = seen("dropout-columns(share=0.5)", torch.ones(10, 40)).eq(0)
    assert torch.equal(hidden, hidden[:1].expand_as(hidden)) and 0 < hidden[0].sum() < 40


def test_a_block_covers_its_share_of_every_side_and_nothing_else() -> None:
    x = torch.rand(300, 20, 10, 3) + 1
    covered = seen("occlusion(size=0.3, value=-1.0)", x).eq(-1)
    assert torch.equal(covered, covered[..., :1].expand_as(covered))
    assert covered[..., 0].sum((1, 2)).unique().tolist() == [6 * 3]
    rows, columns = covered[..., 0].any(2), covered[..., 0].any(1)
    assert rows.sum(1).unique().tolist() == [6] and columns.sum(1).unique().tolist() == [3]
    assert ((rows.int().diff(dim=1) > 0).sum(1) <= 1).all()
    begins = columns.int().argmax(1)
    assert sorted(begins.unique().tolist()) == list(range(8))  # every place that fits


def test_blocks_of_series_flat_pictures_and_volumes() -> None:
    series = seen("occlusion(size=0.25, dims=1)", torch.ones(5, 16, 2)).eq(0)
    assert series.sum((1, 2)).tolist() == [8] * 5
    flat = seen("occlusion(size=0.5, image=(8, 8))", torch.ones(5, 64)).eq(0)
    assert flat.sum(1).tolist() == [16] * 5 and flat.view(5, 8, 8).any(2).sum(1).tolist() == [4] * 5
    volume = seen("occlusion(size=0.5)", torch.ones(2, 4, 4, 4, 1)).eq(0)
    assert volume.flatten(1).sum(1).tolist() == [8, 8]
    several = Occlusion(size=0.1, blocks=4)(Batch(torch.ones(9, 50), torch.ones(9, 50))).x.eq(0).sum(1)
    assert several.max() <= 20 and several.float().mean() > 12


# ── blur ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", [(16,), (9, 12), (6, 7, 3), (4, 5, 6, 2)])
def test_blur_keeps_the_mean_and_lowers_the_variance(shape: tuple[int, ...]) -> None:
    x = torch.rand(8, *shape)
    smooth = seen("blur(std=2.0, least=0.5)", x)
    axes = tuple(range(1, len(shape) + (len(shape) < 3)))
    torch.testing.assert_close(smooth.mean(axes), x.mean(axes), rtol=1e-5, atol=1e-6)
    assert (smooth.var(axes) < 0.7 * x.var(axes)).all()
    assert smooth.min() >= x.min() and smooth.max() <= x.max()


def test_blur_is_scipys_gaussian_filter_with_mirrored_ends() -> None:
    x = torch.rand(1, 20, 15, generator=torch.Generator().manual_seed(0))
    expected = ndimage.gaussian_filter(x[0].numpy(), 1.5, mode="reflect", radius=5)
    torch.testing.assert_close(seen("blur(std=1.5, least=1.0)", x)[0], torch.from_numpy(expected), rtol=1e-4, atol=1e-5)


def test_every_row_has_a_blur_of_its_own() -> None:
    x = torch.zeros(200, 41)
    x[:, 20] = 1.0
    width = (seen("blur(std=2.0)", x) * (torch.arange(41) - 20.0) ** 2).sum(1).sqrt()
    assert width.min() < 0.4 and 1.6 < width.max() < 2.0


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────

ROWS = torch.arange(1, 41).expand(200, 40)
LENGTHS = torch.arange(200) % 40 + 1
REAL = torch.arange(40) < LENGTHS[:, None]


def test_dropped_tokens_close_up_and_keep_their_order() -> None:
    x = torch.where(REAL, ROWS, -1)
    got = seen("tokens(drop=0.3, mask=0.0, shuffle=0)", x, REAL)
    assert got.dtype == torch.long and torch.equal(got[~REAL], x[~REAL])
    kept = (got > 0).sum(1)
    assert (kept.sum() / LENGTHS.sum()).item() == pytest.approx(0.7, abs=0.02)
    for row, count, length in zip(got, kept, LENGTHS, strict=True):
        assert (row[:count].diff() > 0).all() and row[count:length].eq(0).all()


def test_masked_tokens_are_covered_where_they_are() -> None:
    got = seen("tokens(drop=0.0, mask=0.4, shuffle=0, value=99)", ROWS, REAL)
    assert torch.equal(torch.where(got == 99, ROWS, got), ROWS)
    assert (got == 99)[REAL].float().mean().item() == pytest.approx(0.4, abs=0.02) and not (got == 99)[~REAL].any()


@pytest.mark.parametrize("reach", [1, 3])
def test_shuffled_tokens_move_no_further_than_allowed(reach: int) -> None:
    got = seen(f"tokens(drop=0.0, mask=0.0, shuffle={reach})", ROWS, REAL)
    moved = (got - ROWS)[REAL].abs()
    assert moved.max() == reach and torch.equal(got[~REAL], ROWS[~REAL])
    assert torch.equal(got.sort(1).values, ROWS)


def test_padding_on_the_left_stays_on_the_left() -> None:
    left = REAL.flip(1)
    got = seen("tokens(drop=0.3, mask=0.2, shuffle=3)", torch.where(left, ROWS, -7), left)
    assert (got[~left] == -7).all() and (got[left] != -7).all()


def test_no_noise_is_no_change_and_vectors_move_as_one() -> None:
    x = torch.randn(5, 12, 3)
    assert torch.equal(seen("tokens(drop=0.0, mask=0.0, shuffle=0)", x), x)
    got = seen("tokens(drop=0.0, mask=0.0, shuffle=4)", x)
    assert not torch.equal(got, x)
    torch.testing.assert_close(got.sum(2).sort(1).values, x.sum(2).sort(1).values)


def test_all_dropped_leaves_nothing() -> None:
    assert Tokens(drop=1.0)(Batch(ROWS, ROWS)).x.eq(0).all()


# ── together ──────────────────────────────────────────────────────────────────────────────────────


def test_several_are_applied_in_order() -> None:
    x = torch.ones(50, 100)
    covered_last = seen("several(parts=['noise(std=1.0)', 'masking(share=0.5)'])", x)
    covered_first = seen("several(parts=['masking(share=0.5)', 'noise(std=1.0)'])", x)
    assert covered_last.eq(0).float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert not covered_first.eq(0).any()


def test_a_denoising_model_is_trained_and_saved_with_them(tmp_path: object) -> None:
    from diabolo import load

    x = torch.rand(40, 1, generator=torch.Generator().manual_seed(0)).expand(40, 16).numpy()
    text = "several(parts=['salt-and-pepper(share=0.2)', 'occlusion(size=0.2)'])"
    model = Autoencoder(1, corruption=text, trainer=Trainer(epochs=2), random_state=0).fit(x)
    model.save(tmp_path / "model")  # type: ignore[operator]
    assert (load(tmp_path / "model").transform(x) == model.transform(x)).all()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("salt-and-pepper(share=2)", "share must be"),
        ("salt-and-pepper(low=1.0, high=0.0)", "low and high must be"),
        ("occlusion(size=0)", "size must be"),
        ("occlusion(blocks=0)", "blocks must be"),
        ("blur(std=0)", "std must be"),
        ("blur(least=2)", "least must be"),
        ("dropout-columns(share=-1)", "share must be"),
        ("dropout-columns(groups=0)", "groups must be"),
        ("tokens(drop=2)", "drop must be"),
        ("tokens(mask=-1)", "mask must be"),
        ("tokens(shuffle=-1)", "shuffle must be"),
        ("speckle(std=-1)", "std must be"),
        ("shot(peak=0)", "peak must be"),
        ("several(parts=[])", "parts must be a list"),
    ],
)
def test_parameters_out_of_range(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make("corruption", spec)


@pytest.mark.parametrize("name", ["blur", "speckle", "shot"])
def test_real_valued_noise_on_tokens_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="real-valued"):
        seen(name, torch.arange(4)[None])
