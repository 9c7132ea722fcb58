"""Laws every corruption obeys; a new one is picked up by its name."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from diabolo.core import Batch, Corruption, Spec, lookup, make, names

EXAMPLES: dict[str, dict[str, Any]] = {
    "noise": {"std": 0.5},
    "masking": {"share": 0.5},
    "salt-and-pepper": {"share": 0.5},
    "dropout-columns": {"share": 0.5, "groups": 6},
    "occlusion": {"blocks": 2},
    "tokens": {"drop": 0.3, "mask": 0.3},
    "several": {"parts": ["noise(std=0.5)", "masking(share=0.5)"]},
}
"""Parameters under which a corruption certainly changes something; the defaults, if it has no entry."""


@pytest.fixture(params=names("corruption"))
def corruption(request: pytest.FixtureRequest) -> Corruption:
    return make("corruption", Spec(request.param, **EXAMPLES.get(request.param, {})))


@pytest.fixture(params=[(16,), (4, 8, 3)], ids=["table", "picture"])
def batch(request: pytest.FixtureRequest) -> Batch:
    x = torch.randn(6, *request.param, generator=torch.Generator().manual_seed(1)).abs() + 0.1
    return Batch(x, x, mask=torch.ones(6, request.param[0], dtype=torch.bool), cond=torch.ones(6, 2))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_encoder_sees_other_data_and_the_target_stays(corruption: Corruption, batch: Batch) -> None:
    before = batch.x.clone()
    seen = corruption(batch, seeded())
    assert seen.target is batch.target and torch.equal(batch.x, before)
    assert seen.x.shape == batch.x.shape and seen.x.dtype == batch.x.dtype
    assert seen.x.isfinite().all() and not torch.equal(seen.x, batch.x)


def test_nothing_else_of_the_batch_is_touched(corruption: Corruption, batch: Batch) -> None:
    seen = corruption(batch, seeded())
    assert seen.cond is batch.cond and seen.label is batch.label
    if corruption.defines_task:  # what is hidden is not looked at, and only that is scored
        assert seen.scored is not None and not torch.equal(seen.scored, torch.ones_like(seen.scored))
    else:
        assert seen.mask is batch.mask and seen.scored is batch.scored


def test_dtype_is_kept(corruption: Corruption, batch: Batch) -> None:
    for dtype in (torch.float64, torch.bfloat16):
        assert corruption(batch.map(lambda t, d=dtype: t.to(d)), seeded()).x.dtype == dtype


def test_the_generator_decides_everything(corruption: Corruption, batch: Batch) -> None:
    first, again, other = (corruption(batch, seeded(seed)).x for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_the_generator_moves_on(corruption: Corruption, batch: Batch) -> None:
    random = seeded()
    assert not torch.equal(corruption(batch, random).x, corruption(batch, random).x)


def test_without_a_generator_the_global_one_decides(corruption: Corruption, batch: Batch) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first = corruption(batch).x
        torch.manual_seed(0)
        assert torch.equal(first, corruption(batch).x)


@pytest.mark.parametrize("name", names("corruption"))
def test_docstring_names_its_reference_and_has_an_example(name: str) -> None:
    text = lookup("corruption", name).__doc__ or ""
    assert re.search(r"Reference: .*\((19|20)\d\d\)", text, re.DOTALL) and ">>>" in text


def test_examples_name_registered_corruptions() -> None:
    assert EXAMPLES.keys() <= set(names("corruption"))
