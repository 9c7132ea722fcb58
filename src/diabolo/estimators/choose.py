"""Automatic choices, from the data's shape, spectrum and size; never from a timing.

The rules are few and said aloud: every choice comes with its reason, and any of them can be set by hand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import ceil, prod
from typing import Any

import torch
from torch import Tensor

from ..core import Batch, Processor, Spec, Uncompressed, make
from ..core.interfaces import Shape
from ..core.sparse import dense, is_sparse, rows_at
from ..losses.categorical import Categorical
from .recipe import Choice, Recipe

VARIANCE = 0.9
MAX_CODE = 64
TOKEN_CODE = 32
SAMPLE = 2000
CONV_FROM = 3000
NARROW, FEW_STEPS, STEPS = 32, 600, 1200
"""Rows of at most 32 values settle in half the steps, if no layer is small: small ones move by small steps."""
SMALL = 10_000
PIECE = 128
"""Sparse rows written out at a time."""


def spectrum(rows: Tensor) -> Tensor:
    """Variances along the principal axes of (N, *S) rows, largest first."""
    if is_sparse(rows):
        return _sparse_spectrum(rows)
    flat = rows.flatten(1).double()
    centred = flat - flat.mean(0)
    small = centred @ centred.T if len(centred) < centred.shape[1] else centred.T @ centred
    return torch.linalg.eigvalsh(small).flip(0).clamp_min(0) / max(1, len(flat) - 1)


def _sparse_spectrum(rows: Tensor) -> Tensor:
    """The same from the products of the rows with each other, which stay small."""
    rows = rows.double()
    parts = torch.arange(len(rows)).split(PIECE)
    products = torch.cat([rows @ dense(rows_at(rows, part)).T for part in parts], 1)
    centred = products - products.mean(0) - products.mean(1, keepdim=True) + products.mean()
    return torch.linalg.eigvalsh(centred).flip(0).clamp_min(0) / max(1, len(products) - 1)


def code_size(sample: Batch) -> Choice:
    """The fewest components that hold 90 % of the variance, at least 2, at most 64, fewer than the columns."""
    if not sample.target.is_floating_point():
        return Choice("n_components", TOKEN_CODE, "sequences of tokens")
    variances = spectrum(sample.target)
    total = float(variances.sum())
    width = prod(sample.target.shape[1:])
    if total <= 0:
        return Choice("n_components", 1, "all rows are the same")
    share = variances.cumsum(0) / total
    needed = int((share < VARIANCE).sum()) + 1
    size = max(1, min(max(2, needed), MAX_CODE, max(1, width - 1)))
    return Choice("n_components", size, f"{needed} principal components hold 90 % of the variance of {width} columns")


def network(processor: Processor) -> Choice:
    """What the kind of data asks for; else convolutions for large pictures, dense layers for everything else."""
    modality: str = processor.part_name  # type: ignore[attr-defined]
    shape, asked = processor.shape, processor.defaults().get("network")
    if asked is not None:
        return Choice("network", asked, f"rows are of kind {modality!r}")
    values = prod(shape)
    if modality == "image" and values >= CONV_FROM and len(shape) in (2, 3):
        return Choice("network", "conv", f"pictures of {values} values: shared weights need fewer rows")
    return Choice("network", "dense", f"{values} values a row: a dense network is small enough and fastest")


def hidden(kind: str, shape: Shape, size: int) -> Choice:
    """Two layers that first widen small rows, then narrow; a convolution narrows by itself."""
    if kind not in ("dense", "pyramid"):
        return Choice("hidden", (), f"network {kind!r} does the narrowing by parameters of its own")
    first = min(256, max(64, 2 ** ceil(torch.tensor(4.0 * prod(shape)).log2().item())))
    widths = tuple(max(width, size) for width in (first, first // 2))
    return Choice("hidden", widths, f"from {prod(shape)} values to a code of {size} in two steps")


def training(rows: int, values: int, matrices: Sequence[tuple[int, int]], given: dict[str, Any]) -> list[Choice]:
    """Batch size, optimiser and epochs, for rows of so many values and (short, long) sides of the weight matrices."""
    choices = []
    batch = given["batch_size"]
    if batch == "auto" and given["optimizer"] != "auto" and make("optimizer", given["optimizer"]).closure:
        batch = "full"
        choices.append(Choice("batch_size", batch, "a line search needs the same rows at every try"))
    if batch == "auto":
        batch = 64 if rows < 4000 else 128 if rows < 20_000 else 256
        choices.append(Choice("batch_size", min(batch, rows), f"{rows} rows"))
    if given["optimizer"] == "auto":
        widest = max((short for short, _ in matrices), default=1)
        if widest <= 256:
            decay = min(1.0 if rows < SMALL else 0.3, harmless_decay(matrices))
            why = f"layers of at most {widest} units: few, large steps pay; decay for {rows} rows"
            choices.append(Choice("optimizer", f"muon(weight_decay={decay})", why))
        else:
            choices.append(
                Choice(
                    "optimizer",
                    "adamw",
                    f"a layer has {widest} units: orthogonal steps would cost too much",
                )
            )
    if given["epochs"] == "auto":
        steps = ceil(rows / (rows if batch == "full" else min(batch, rows)))
        wide = all(long >= 2 * NARROW for _, long in matrices)
        wanted = FEW_STEPS if values <= NARROW and wide else STEPS
        epochs = max(10, min(100, ceil(wanted / steps)))
        choices.append(
            Choice("epochs", epochs, f"{steps} steps an epoch, about {wanted} steps for {values} values a row")
        )
    return choices


def harmless_decay(matrices: Sequence[tuple[int, int]]) -> float:
    """The largest weight decay that lets every matrix keep a gain of 2, to two digits.

    Muon's step has spectral norm 0.2 sqrt(long side) at most, so decay d holds a matrix below 0.2 sqrt(long) / d:
    with d = 1, a layer of five units could pass on less than half of its input.

    >>> harmless_decay([(2, 5), (64, 128)])
    0.22
    """
    return round(min((0.1 * math.sqrt(long) for _, long in matrices), default=1.0), 2)


def warnings(recipe: Recipe, width: int) -> list[Choice]:
    """What a user should know about the composition: a wide code that nothing constrains."""
    neck, around = recipe.module.bottleneck, isinstance(recipe.module.encoder, Uncompressed)
    free = not recipe.objective.penalties and recipe.corruption is None and neck.in_features == neck.out_features
    if not free or isinstance(recipe.objective.loss, Categorical) or (around and recipe.redraw is not None):
        return []
    if around:
        why = "this network passes every detail on, so it can copy: add a corruption (noise, masking, occlusion)"
        return [Choice("constraint", "none", why)]
    if neck.out_features < width:
        return []
    why = "a code as wide as the data can copy it: add a corruption (noise, masking) or a penalty, or narrow it"
    return [Choice("constraint", "none", why)]


def loss(processor: Processor) -> Choice:
    """What the kind of data asks for."""
    spec = processor.defaults()["loss"]
    why = {
        "multinomial": "how often every word is there: which words a text is made of, in nats",
        "categorical": "which token every step is, in nats",
        "mixed": "columns of several kinds, each with its own likelihood",
        "bernoulli": "every value is a 0 or a 1, drawn anew in every epoch",
    }.get(spec.name, "plain squared error")
    if spec.params.get("low") is not None:
        low, high = spec.params["low"], spec.params["high"]
        why = f"squared error; the values lie between {low:g} and {high:g}, so the output does too"
    return Choice("loss", spec, why)


def likelihood(choice: Choice) -> Choice:
    """The same for variational models, which need a likelihood: squared error becomes a Gaussian of learned scale."""
    spec: Spec = choice.value
    if spec.name != "squared":
        return choice
    return Choice(
        "loss", Spec("gaussian", **spec.params), "a Gaussian with learned scale: a fixed one collapses the code"
    )
