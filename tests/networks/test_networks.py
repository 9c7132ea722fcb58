"""Laws every network obeys, whatever the shape; a new one is picked up by its name."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.core import Network, Spec, lookup, make, names
from diabolo.core.errors import UsageError
from diabolo.networks.convolutional import plan_level

B, FEATURES, CODE = 3, 6, 4
NORMS = [{"norm": norm, "dropout": dropout} for norm in ("none", "batch", "layer") for dropout in (0.0, 0.3)]
VARIANTS: dict[str, list[tuple[dict[str, Any], tuple[int, ...]]]] = {
    "dense": [
        *(({"hidden": (5,), **options}, (7,)) for options in NORMS),
        ({"hidden": ()}, (7,)),
        ({"hidden": (9, 5)}, (1,)),
        ({"hidden": (5,)}, (3, 2)),
        ({"hidden": (5,)}, (3, 2, 3)),
    ],
    "residual": [
        *(({"hidden": (5,), **options}, (7,)) for options in NORMS),
        ({"hidden": (5, 4)}, (3, 2)),
    ],
    "recurrent": [
        ({"width": 5}, (7,)),
        ({"width": 5, "cell": "lstm", "layers": 2, "bidirectional": False}, (7, 2)),
        ({"width": 5, "reverse": True}, (4, 3, 2)),
    ],
    "slots": [
        ({"width": 5}, (7,)),
        ({"width": 5}, (4, 3, 2)),
    ],
    "frames": [
        ({"vector": 4, "width": 5, "channels": (3, 4)}, (4, 6, 5)),
        ({"vector": 4, "width": 5, "channels": (3,), "cell": "lstm", "bidirectional": False}, (3, 6, 5, 3)),
    ],
    "transformer": [
        ({"width": 8, "heads": 2, "depth": 1}, (7,)),
        ({"width": 8, "heads": 2, "depth": 2, "positions": "learned", "dropout": 0.1}, (7, 2)),
        ({"width": 8, "heads": 2, "depth": 1, "pool": "none"}, (4, 3, 2)),
    ],
    "masked": [
        ({"width": 8, "heads": 2, "depth": 1, "decoder_width": 6, "decoder_depth": 1}, (7,)),
        ({"width": 8, "heads": 2, "depth": 1, "patch": 3}, (9, 7, 3)),
        ({"width": 8, "heads": 2, "depth": 1, "patch": (3,)}, (9, 2)),
    ],
    "selective": [
        ({"hidden": (5,)}, (7,)),
        ({"columns": [["numeric", 1], ["categorical", 2]], "indicators": [0], "hidden": ()}, (4,)),
        ({"way": "group", "keep": 2, "hidden": (5,)}, (7,)),
    ],
    "pyramid": [
        *(({"hidden": (5, 4), **options}, (7,)) for options in NORMS),
        ({"hidden": (9,)}, (3, 2)),
    ],
    "u-shaped": [
        *(({"width": 3, "depth": 2, "norm": norm}, (9, 7, 3)) for norm in ("none", "batch", "layer")),
        ({"width": 3, "depth": 1, "blocks": 2, "kernel": 5}, (4, 3)),
        ({"width": 3, "depth": 1}, (1, 1)),
        ({"width": 3, "depth": 1, "residual": False, "activation": "silu"}, (8, 8, 2)),
        ({"width": 3, "depth": 1, "image": (4, 5)}, (20,)),
        ({"width": 3, "depth": 2, "dims": 1}, (11, 2)),
        ({"width": 3, "depth": 1, "dims": 3}, (5, 4, 7)),
    ],
    "conv": [
        *(({"channels": (3, 4), **options}, (9, 7, 3)) for options in NORMS),
        *(({"channels": (3, 4), "stride": stride}, (9, 7, 3)) for stride in (1, 2, 3)),
        *(({"channels": (3, 4), "stride": stride}, side) for stride in (1, 2, 3) for side in [(1, 1), (1, 9), (2, 5)]),
        *(
            ({"channels": (3, 4), "pool": pool, "stride": stride}, (7, 5, 2))
            for pool in ("max", "average")
            for stride in (1, 2, 3)
        ),
        ({"channels": (3, 4), "pool": "max"}, (1, 5)),
        ({"channels": (3, 4, 5), "stride": (1, 2, 3), "kernel": (1, 4, 5)}, (11, 13)),
        ({"channels": (3, 4), "flat": False}, (9, 7)),
        ({"channels": (3, 4), "flat": False, "norm": "batch", "hidden": (5,)}, (9, 7, 3)),
        ({"channels": (3, 4), "hidden": (5,)}, (8, 8)),
        ({"channels": (3,), "image": (4, 5)}, (20,)),
        ({"channels": (3,), "image": (2, 5, 2)}, (20,)),
        ({"channels": (3, 4), "dims": 1}, (11,)),
        ({"channels": (3, 4), "dims": 1, "norm": "layer"}, (11, 2)),
        ({"channels": (3, 4), "dims": 3}, (5, 4, 7)),
        ({"channels": (3, 4), "dims": 3, "pool": "average", "norm": "batch"}, (5, 4, 7, 2)),
    ],
}
"""Network name -> (parameters, shape of a row); ``custom`` has tests of its own."""
CASES = [
    pytest.param(name, params, shape, id=f"{Spec(name, **params)} on {shape}")
    for name, variants in VARIANTS.items()
    for params, shape in variants
]


def build(name: str, params: dict[str, Any], shape: tuple[int, ...], features: int = FEATURES) -> tuple[Any, Any]:
    torch.manual_seed(0)
    network: Network = make("network", Spec(name, **params))
    return network.build(shape, features, CODE, shape)


def code_for(h: Tensor) -> Tensor:
    return h[..., :CODE]


@pytest.mark.parametrize(("name", "params", "shape"), CASES)
def test_what_goes_in_comes_out_in_the_same_shape(name: str, params: dict[str, Any], shape: tuple[int, ...]) -> None:
    encoder, decoder = build(name, params, shape)
    h = encoder(torch.randn(B, *shape))
    recon = decoder(code_for(h))
    assert h.shape[0] == B and h.shape[-1] == FEATURES
    assert (h.ndim == 2) == params.get("flat", params.get("pool") != "none" and name != "u-shaped")
    assert recon.shape == (B, *shape)


@pytest.mark.parametrize(("name", "params", "shape"), CASES)
def test_every_parameter_learns(name: str, params: dict[str, Any], shape: tuple[int, ...]) -> None:
    encoder, decoder = build(name, params, shape, features=CODE)
    parameters = {
        **dict(encoder.named_parameters(prefix="encoder")),
        **dict(decoder.named_parameters(prefix="decoder")),
    }
    seen = dict.fromkeys(parameters, False)
    for _ in range(4):  # a kernel on one pixel sees little of it, dropout may hide a unit once
        recon = decoder(encoder(torch.randn(4 * B, *shape)))
        gradients = torch.autograd.grad((recon * torch.randn_like(recon)).sum(), list(parameters.values()))
        seen = {key: seen[key] or bool(g.ne(0).any()) for key, g in zip(parameters, gradients, strict=True)}
    blind = {key for key, value in seen.items() if not value}
    norm = params.get("norm", "none")
    # a bias before a batch norm is subtracted again: its gradient is zero up to rounding, never needed
    assert not {key for key in blind if norm == "none" or not key.endswith("bias")}


@pytest.mark.parametrize(("name", "params", "shape"), CASES)
def test_in_evaluation_rows_do_not_see_each_other(name: str, params: dict[str, Any], shape: tuple[int, ...]) -> None:
    encoder, decoder = build(name, params, shape)
    encoder.eval(), decoder.eval()
    x = torch.randn(B, *shape)
    together = decoder(code_for(encoder(x)))
    alone = torch.cat([decoder(code_for(encoder(row[None]))) for row in x])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_every_network_is_covered() -> None:
    assert VARIANTS.keys() | {"custom"} == set(names("network"))


@pytest.mark.parametrize("name", names("network"))
def test_docstring_names_a_year_and_has_an_example(name: str) -> None:
    text = lookup("network", name).__doc__ or ""
    assert re.search(r"(19|20)\d\d", text) and ">>>" in text


# ── a level down and up again ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_a_level_is_undone_exactly_for_every_size(kernel: int, stride: int, pooled: bool) -> None:
    for size in range(1, 40):
        level = plan_level((size,), kernel, stride, pooled)
        (after,), (width,), (pad,), (extra,) = level.after, level.kernel, level.up_padding, level.up_extra
        assert (after - 1) * stride - 2 * pad + width + extra == size
        assert 1 <= after <= size and pad >= 0 and 0 <= extra < stride


def test_an_even_kernel_that_must_keep_the_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"kernel of 4 with stride 1 cannot be mirrored exactly on a side of 7"):
        plan_level((7,), 4, 1, True)


def test_positions_that_stay_halve_with_every_strided_level() -> None:
    encoder, decoder = build("conv", {"channels": (3, 4), "flat": False}, (28, 27))
    h = encoder(torch.randn(B, 28, 27))
    assert h.shape == (B, 7, 7, FEATURES) and decoder(code_for(h)).shape == (B, 28, 27)


# ── dense: the decoder mirrors ────────────────────────────────────────────────────────────────────


def test_the_decoder_mirrors_the_encoders_widths() -> None:
    encoder, decoder = build("dense", {"hidden": (9, 5)}, (7,))
    widths = [tuple(layer.weight.shape) for side in (encoder, decoder) for layer in side.modules() if is_linear(layer)]
    assert widths == [(9, 7), (5, 9), (FEATURES, 5), (5, CODE), (9, 5), (7, 9)]


def is_linear(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear)


def tied(act: str = "tanh") -> tuple[Any, Any]:
    return build("dense", {"hidden": (9, 5), "activation": act, "tied": True}, (7,), features=CODE)


def test_tied_weights_are_the_encoders_transposed_and_stay_so() -> None:
    encoder, decoder = tied()
    layers = [layer for layer in encoder.modules() if is_linear(layer)]
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.1)
    for _ in range(3):
        x = torch.randn(B, 7)
        (decoder(encoder(x)) - x).square().sum().backward()
        optimizer.step()
    z = torch.randn(B, CODE)
    by_hand = z
    for i, (layer, bias) in enumerate(zip(layers[::-1], decoder.biases, strict=True)):
        by_hand = (by_hand if i == 0 else torch.tanh(by_hand)) @ layer.weight + bias
    torch.testing.assert_close(decoder(z), by_hand)


def test_tying_leaves_the_decoder_only_its_biases() -> None:
    _, decoder = tied()
    assert sum(p.numel() for p in decoder.parameters()) == 5 + 9 + 7
    _, own = build("dense", {"hidden": (9, 5)}, (7,), features=CODE)
    assert sum(p.numel() for p in own.parameters()) == (CODE + 1) * 5 + (5 + 1) * 9 + (9 + 1) * 7


def test_the_gradient_of_a_tied_weight_is_the_sum_of_both_uses() -> None:
    encoder, decoder = build("dense", {"hidden": (), "tied": True}, (7,), features=CODE)
    x = torch.randn(B, 7)
    weight = encoder.body.first.weight
    (gradient,) = torch.autograd.grad((decoder(encoder(x)) - x).square().sum(), weight)
    residual = (decoder(encoder(x)) - x).detach()
    w = weight.detach()
    by_hand = 2 * (w @ residual.T @ x + (x @ w.T).T @ residual)
    torch.testing.assert_close(gradient, by_hand, rtol=1e-4, atol=1e-5)


# ── misuse is named ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "params", "shape", "message"),
    [
        ("dense", {"tied": True}, (7,), r"tied weights need .* 7 values to 6 and the decoder 4 .*Use tied=False"),
        ("dense", {"hidden": (0,)}, (7,), r"layer widths must be at least 1; got \(7, 0, 6\)"),
        ("dense", {"norm": "bach"}, (7,), r"norm 'bach' is unknown; did you mean 'batch'\?"),
        ("dense", {"activation": "rellu"}, (7,), r"activation 'rellu' is unknown; did you mean 'relu'\?"),
        ("dense", {"dropout": 1.0}, (7,), r"dropout must be in \[0, 1\); got 1.0"),
        ("dense", {"hiden": (3,)}, (7,), r"no parameter 'hiden'; did you mean 'hidden'\?"),
        ("conv", {}, (7,), r"needs rows of 2 positions .* shape \(7,\).*conv\(image="),
        ("conv", {"image": (3, 3)}, (7,), r"image=\(3, 3\) has 9 values, a row of the data has 7"),
        ("conv", {"channels": ()}, (7, 7), r"channels must name at least one level"),
        ("conv", {"channels": (2, 3), "kernel": (3,)}, (7, 7), r"one for each of the 2 levels"),
        ("conv", {"channels": (2,), "stride": 0}, (7, 7), r"stride must be .* at least 1; got 0"),
        ("conv", {"pool": "median"}, (7, 7), r"pool 'median' is unknown"),
        ("conv", {"pool": "max", "kernel": 4}, (7, 7), r"kernels must be odd .* got 4"),
        ("conv", {"dims": 4}, (7, 7), r"dims must be 1, 2 or 3; got 4"),
    ],
)  # fmt: skip
def test_misuse_says_what_was_given_and_what_to_do(
    name: str, params: dict[str, Any], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build(name, params, shape)


# ── starting at the mean ──────────────────────────────────────────────────────────────────────────


def test_a_centred_linear_network_reconstructs_the_mean_exactly() -> None:
    encoder, decoder = build("dense", {"hidden": ()}, (7,), features=CODE)
    mean = torch.randn(7)
    encoder.centre(mean)
    decoder.centre(mean)
    torch.testing.assert_close(decoder(encoder(mean[None]))[0], mean)


def test_a_convolution_starts_at_the_mean_of_each_channel() -> None:
    _, decoder = build("conv", {"channels": (3,)}, (5, 5, 3))
    mean = torch.randn(5, 5, 3)
    decoder.centre(mean)
    torch.testing.assert_close(decoder.stages[-1][-1].bias, mean.mean((0, 1)))
    assert prod(mean.shape) == 75
