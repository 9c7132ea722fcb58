"""The masked autoencoder's parts: patches, what is hidden, and that nothing hidden gets through."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from diabolo.blocks.identity import Identity
from diabolo.blocks.patches import Patches
from diabolo.core import AutoencoderModule, Batch, Objective, make
from diabolo.core.errors import UsageError
from diabolo.corruptions.patches import HiddenPatches
from diabolo.losses.squared import Squared
from diabolo.networks.masked import Masked, positions

SMALL = {"width": 8, "depth": 1, "heads": 2, "decoder_width": 8, "decoder_depth": 1}
SHAPES: list[tuple[Any, Any]] = [((6, 6), 2), ((5, 7, 3), 2), ((9,), 2), ((10, 3), (4,)), ((2, 3, 4, 2), (1, 2, 2))]


def module(shape: Any, patch: Any, **params: Any) -> AutoencoderModule:
    torch.manual_seed(0)
    encoder, decoder = Masked(patch, **{**SMALL, **params}).build(shape, 4, 4, shape)
    return AutoencoderModule(encoder, Identity(4), decoder)


def seen(shape: Any, patch: Any, share: float = 0.6, rows: int = 5) -> Batch:
    x = torch.randn(rows, *shape, generator=torch.Generator().manual_seed(3))
    return HiddenPatches(share, patch)(Batch(x, x), torch.Generator().manual_seed(4))


@pytest.mark.parametrize(("shape", "patch"), SHAPES)
def test_patches_come_together_again(shape: Any, patch: Any) -> None:
    x, patches = torch.randn(3, *shape), Patches(shape, patch)
    apart = patches.split(x)
    assert apart.shape == (3, patches.count, patches.values)
    assert torch.equal(patches.join(apart), x)


def test_patches_are_the_blocks_of_a_picture_in_reading_order() -> None:
    x = torch.arange(24.0).view(1, 4, 6)
    by_hand = [x[0, i : i + 2, j : j + 3].flatten() for i in (0, 2) for j in (0, 3)]
    torch.testing.assert_close(Patches((4, 6), (2, 3)).split(x)[0], torch.stack(by_hand))


@pytest.mark.parametrize(
    ("shape", "patch"),
    [((28, 28), (4, 4)), ((8, 8), (2, 2)), ((32, 32, 3), (4, 4, 3)), ((5,), (1,)), ((300,), (5,)), ((1, 1), (1, 1))],
)
def test_automatic_patches(shape: Any, patch: Any) -> None:
    assert Patches(shape, "auto").patch == patch


@pytest.mark.parametrize("patch", [0, (2, 2, 2), (), "small", 1.5])
def test_sizes_out_of_range_are_refused(patch: Any) -> None:
    with pytest.raises(UsageError, match=r"patch must be 'auto', an int of at least 1 or up to 2 of them; got"):
        Patches((4, 4), patch)


# ── what is hidden ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("shape", "patch"), SHAPES)
def test_as_many_patches_are_hidden_in_every_row_and_only_they_count(shape: Any, patch: Any) -> None:
    batch, patches = seen(shape, patch), Patches(shape, patch)
    hidden = round(0.6 * patches.count)
    assert batch.mask is not None and batch.scored is not None
    assert (~batch.mask).sum(1).tolist() == [hidden] * 5
    assert torch.equal(batch.scored, patches.spread(~batch.mask))
    assert torch.equal(batch.x, torch.where(batch.scored, 0.0, batch.target))


def test_every_patch_is_hidden_as_often_as_the_share_says() -> None:
    x = torch.ones(20_000, 8)
    hidden = ~HiddenPatches(0.75, 1)(Batch(x, x), torch.Generator().manual_seed(0)).mask  # type: ignore[operator]
    torch.testing.assert_close(hidden.float().mean(0), torch.full((8,), 0.75), atol=0.015, rtol=0)


def test_a_cell_that_did_not_count_does_not_count_when_hidden() -> None:
    x, missing = torch.ones(4, 6), torch.eye(4, 6, dtype=torch.bool)
    batch = HiddenPatches(0.5, 1)(Batch(x, x, scored=~missing))
    assert not (batch.scored & missing).any() and batch.scored.any()  # type: ignore[operator]


def test_padded_steps_are_never_visible() -> None:
    x, mask = torch.ones(50, 9, 2), torch.arange(9).expand(50, 9) < 4
    batch = HiddenPatches(0.5, (2,))(Batch(x, x, mask=mask, scored=mask), torch.Generator().manual_seed(0))
    assert batch.mask.shape == (50, 5) and not batch.mask[:, 2:].any() and batch.mask[:, :2].any(0).all()  # type: ignore[union-attr, index]
    assert not (batch.scored & ~mask[..., None]).any()  # type: ignore[operator]


def test_a_row_of_one_patch_stays_visible() -> None:
    x = torch.ones(3, 1)
    batch = HiddenPatches()(Batch(x, x))
    assert batch.mask.all() and not batch.scored.any()  # type: ignore[union-attr]


def test_misuse_of_the_corruption_is_named() -> None:
    with pytest.raises(UsageError, match=r"share must be in \(0, 1\); got 1"):
        HiddenPatches(share=1)
    with pytest.raises(UsageError, match=r"sees rows of shape \(3,\) and \(2,\) must come back. Use 'masking'"):
        HiddenPatches()(Batch(torch.zeros(2, 3), torch.zeros(2, 2)))


# ── nothing hidden gets through ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pool", ["mean", "none"])
@pytest.mark.parametrize(("shape", "patch"), SHAPES)
def test_a_hidden_entry_changes_no_output(shape: Any, patch: Any, pool: str) -> None:
    net, batch = module(shape, patch, pool=pool), seen(shape, patch)
    other = torch.where(batch.scored, torch.randn(batch.x.shape), batch.x)  # type: ignore[arg-type]
    recon = net(batch).recon
    assert torch.equal(net(Batch(other, batch.target, batch.mask)).recon, recon)
    x = batch.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(Batch(x, x, batch.mask)).recon.square().sum(), x)
    assert torch.equal(gradient.ne(0), ~batch.scored)  # type: ignore[operator]


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_every_visible_patch_is_seen_where_it_is(pool: str) -> None:
    """Gathered or not, the attention among visible patches is the same: the index of the shuffle is right."""
    net, batch, patches = module((6, 6), 2, pool=pool), seen((6, 6), 2), Patches((6, 6), 2)
    encoder, mask = net.encoder, batch.mask
    tokens = encoder.inward(patches.split(batch.target)) * encoder.gate + encoder.places
    h = encoder.head(encoder.body(tokens, mask))
    for row in range(5):
        expected = h[row][mask[row]]  # type: ignore[index]
        found = encoder(batch.x, mask)[row]
        if pool == "none":
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
            z = encoder(batch.x, mask)
            placed = net.decoder._placed(net.decoder.inward(z), mask)
            torch.testing.assert_close(placed[row][mask[row]], net.decoder.inward(z)[row])  # type: ignore[index]
            torch.testing.assert_close(placed[row][~mask[row]], net.decoder.token.expand(5, -1))  # type: ignore[index]
        else:
            torch.testing.assert_close(found, expected.mean(0), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_rows_may_have_unequal_numbers_of_visible_patches(pool: str) -> None:
    net, x = module((6, 6), 2, pool=pool), torch.randn(2, 6, 6)
    mask = torch.tensor([[True] * 9, [True] * 4 + [False] * 5])
    together = net(Batch(x, x, mask)).recon
    alone = torch.cat([net(Batch(x[i : i + 1], x[i : i + 1], mask[i : i + 1])).recon for i in range(2)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_all_patches_visible_is_the_same_as_no_mask() -> None:
    for pool in ("mean", "none"):
        net, x = module((6, 6), 2, pool=pool), torch.randn(2, 6, 6)
        torch.testing.assert_close(net(Batch(x, x)).recon, net(Batch(x, x, torch.ones(2, 9, dtype=torch.bool))).recon)


@pytest.mark.parametrize("pool", ["mean", "none"])
def test_every_parameter_learns_from_hidden_patches(pool: str) -> None:
    net, batch = module((6, 6), 2, pool=pool), seen((6, 6), 2)
    loss, _ = Objective(Squared())(net, batch, net(batch))
    loss.backward()
    assert not [name for name, p in net.named_parameters() if p.grad is None or not p.grad.ne(0).any()]


def test_a_loss_with_several_numbers_an_entry_gets_them_entry_by_entry() -> None:
    _, decoder = Masked(2, **SMALL).build((4, 4), 3, 3, (4, 4, 5))
    mean = torch.randn(4, 4, 5)
    decoder.centre(mean)
    with torch.no_grad():
        decoder.head.weight.zero_()
        decoder.head.bias.zero_()
    torch.testing.assert_close(decoder(torch.zeros(2, 3)), mean.expand(2, -1, -1, -1))


def test_a_centred_encoder_takes_the_mean_away() -> None:
    net, mean = module((6, 6), 2), torch.randn(6, 6)
    x = torch.randn(2, 6, 6)
    before = net.code(x)
    net.encoder.centre(mean)
    torch.testing.assert_close(net.code(x + mean), before, atol=1e-5, rtol=1e-4)


def test_places_on_a_grid_are_all_different() -> None:
    places = positions((4, 5), 16)
    assert (torch.cdist(places, places) + torch.eye(20)).min() > 0.1
    assert positions((1, 6, 1), 7).shape == (6, 7)


@pytest.mark.parametrize(
    ("network", "out", "message"),
    [
        ("masked(pool='max')", (4, 4), r"pool 'max' is unknown"),
        ("masked(width=0)", (4, 4), r"width must be an int of at least 1"),
        ("masked", (3,), r"gives back what it is given.*\(4, 4\).*asks for \(3,\)"),
    ],
)
def test_misuse_of_the_network_is_named(network: str, out: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make("network", network).build((4, 4), 2, 2, out)


def test_a_mask_of_other_patches_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the mask has 4 positions, the network 9 patches.*the same patch"):
        module((6, 6), 2).code(torch.zeros(2, 6, 6), torch.ones(2, 4, dtype=torch.bool))
