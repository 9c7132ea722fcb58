"""No variational model forgets to use its code: active units, and reconstructions far better than the mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from diabolo import VAE, BetaVAE, Trainer
from diabolo.core import lookup
from diabolo.core.metrics import active_units

DIGITS = (load_digits().data / 16).astype("float32")
EXPECTED = {
    "vae": (10, 0.2), "iwae": (10, 0.2), "beta-vae": (8, 0.3), "beta-tcvae": (5, 0.35), "factor-vae": (10, 0.2),
    "info-vae": (10, 0.2), "wae": (10, 0.2), "rae": (10, 0.2), "vamp-vae": (8, 0.2), "flow-vae": (8, 0.2),
    "hierarchical-vae": (8, 0.2),
}  # fmt: skip
"""Model -> least active units, largest error as a share of that of the mean."""


def measures(model: Any) -> tuple[int, float]:
    fitted = model.fit(DIGITS[:1200])
    fresh = DIGITS[1200:]
    error = np.square(fitted.reconstruct(fresh) - fresh).sum() / np.square(fresh - DIGITS[:1200].mean(0)).sum()
    return active_units(fitted.transform(fresh)), float(error)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_code_is_used(name: str) -> None:
    trainer = Trainer(epochs=20, batch_size=64)
    units, error = measures(lookup("model", name)(20, hidden=(64,), trainer=trainer, random_state=0))
    assert units >= EXPECTED[name][0] and error < 0.5  # training is short; a collapsed model stays at 1


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPECTED)
def test_the_code_is_used_with_all_defaults(name: str) -> None:
    units, error = measures(lookup("model", name)(random_state=0))
    least, most = EXPECTED[name]
    assert units >= least and error < most


def test_the_check_finds_a_collapse() -> None:
    units, error = measures(VAE(20, hidden=(64,), beta=60.0, trainer=Trainer(epochs=20, batch_size=64), random_state=0))
    assert units == 0 and error > 0.9


def test_a_capacity_is_what_the_code_holds_in_the_end() -> None:
    model = BetaVAE(10, beta=50.0, capacity=12.0, hidden=(64,), trainer=Trainer(epochs=30), random_state=0)
    model.fit(DIGITS)
    held = model.objective_.terms(model.module_, *_seen(model))["kl"].mean() / 50
    assert float(held) < 2.0


def _seen(model: Any) -> tuple[Any, Any]:
    import torch

    from diabolo.core import Batch

    x = torch.from_numpy(DIGITS)
    batch = Batch(x, x)
    with torch.no_grad():
        return batch, model.module_(batch)
