"""Every variational model: on disk to the bit, resumed to the bit, its terms by name, and its ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diabolo import RAE, VAE, WAE, BetaTCVAE, BetaVAE, Checkpoint, FactorVAE, HierarchicalVAE, InfoVAE, Trainer, load
from diabolo.core import lookup
from diabolo.core.errors import UsageError
from diabolo.train import Callback

MODELS = {
    "vae": {}, "iwae": {"samples": 2}, "beta-vae": {"warm_up": 0.5, "capacity": 3.0}, "beta-tcvae": {},
    "factor-vae": {}, "info-vae": {}, "wae": {}, "rae": {"prior": None, "regulariser": "gradient"},
    "vamp-vae": {"components": 4},
    "flow-vae": {"flow": "planar", "prior": "flow(steps=2)"}, "hierarchical-vae": {"levels": 3},
}  # fmt: skip


def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(80, 3)) @ random.normal(size=(3, 6)) + 0.1 * random.normal(size=(80, 6))).astype("f4")


def made(name: str, *callbacks: Callback) -> Any:
    trainer = Trainer(epochs=3, batch_size=16, optimizer="adam", validation=0.2, callbacks=callbacks)
    return lookup("model", name)(4, hidden=(8,), trainer=trainer, random_state=0, **MODELS[name])


@pytest.mark.parametrize("name", MODELS)
def test_on_disk_to_the_bit(name: str, tmp_path: Path) -> None:
    model = made(name).fit(rows())
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    for call in ("transform", "reconstruct", "score_samples"):
        np.testing.assert_array_equal(getattr(again, call)(rows()), getattr(model, call)(rows()))
    if name != "rae":
        np.testing.assert_array_equal(again.sample(4, random_state=0), model.sample(4, random_state=0))
    if name not in ("rae", "wae"):
        bounds = [m.log_likelihood(rows(), 3, random_state=0) for m in (model, again)]
        np.testing.assert_array_equal(*bounds)


@pytest.mark.parametrize("name", MODELS)
def test_a_run_that_was_cut_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    class Cut(Callback):
        def on_step(self, loop: Any) -> None:
            loop._interrupted = loop.step == 6

    whole = made(name).fit(rows())
    with pytest.raises(Exception, match="interrupted in epoch"):
        made(name, Cut(), Checkpoint(tmp_path / "state")).fit(rows())
    again = made(name, Checkpoint(tmp_path / "state", resume=True)).fit(rows())
    np.testing.assert_array_equal(again.transform(rows()), whole.transform(rows()))
    np.testing.assert_array_equal(again.score_samples(rows()), whole.score_samples(rows()))


@pytest.mark.parametrize("name", MODELS)
def test_a_rows_score_does_not_depend_on_the_others(name: str) -> None:
    model = made(name).fit(rows())
    np.testing.assert_allclose(model.score_samples(rows())[:7], model.score_samples(rows()[:7]), rtol=1e-4, atol=1e-4)


def test_the_vae_is_the_limit_of_its_kin() -> None:
    def fitted(kind: Any, **params: Any) -> np.ndarray:
        trainer = Trainer(epochs=3, batch_size=16, validation=0.0)
        model = kind(3, hidden=(8,), trainer=trainer, random_state=0, **params).fit(rows())
        return np.asarray(model.transform(rows()))

    vae = fitted(VAE)
    np.testing.assert_array_equal(fitted(BetaVAE, beta=1.0), vae)
    np.testing.assert_allclose(fitted(BetaTCVAE, beta=1.0), vae, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        fitted(HierarchicalVAE, levels=1, free_bits=0.0, network="dense"), vae, rtol=0.1, atol=0.02
    )


def test_info_vae_weighs_its_two_divergences_as_the_paper_says() -> None:
    model = InfoVAE(3, alpha=0.25, lam=10.0, hidden=(8,), random_state=0).plan(rows())
    assert [penalty.weight for penalty in model.objective_.penalties] == [0.75, 9.25]
    free = InfoVAE(3, alpha=1.0, lam=10.0, hidden=(8,), random_state=0).plan(rows())
    assert [penalty.weight for penalty in free.objective_.penalties] == [0.0, 10.0] and free.objective_.ties_prior


def test_a_critic_has_its_own_player_and_the_number_of_rows_reaches_the_decomposition() -> None:
    factor = FactorVAE(3, hidden=(8,), trainer=Trainer(epochs=1), random_state=0).fit(rows())
    assert set(factor.history_[-1]["train"]) == {"loss", "reconstruction", "kl", "density-ratio"}
    model = BetaTCVAE(3, hidden=(8,), trainer=Trainer(epochs=1, validation=0.25), random_state=0).fit(rows())
    assert model.objective_.penalties[1].count == 60


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (BetaVAE(2, warm_up=1.5), r"warm_up must be a share of training in \[0, 1\]; got 1.5"),
        (BetaVAE(2, beta="linear", warm_up=0.5), "beta must be a number where warm_up is given; got 'linear'"),
        (BetaTCVAE(2, beta=-1.0), "beta must be a number of at least 0; got -1.0"),
        (InfoVAE(2, alpha=1.5), "alpha and lam must be such that alpha <= 1"),
        (WAE(2, lam="linea"), "schedule 'linea' is unknown; did you mean 'linear'"),
        (RAE(2, beta=None), "weight must be a number or a schedule"),
        (HierarchicalVAE(2, levels=0), "levels must be an int of at least 1; got 0"),
        (HierarchicalVAE(2, free_bits=-1.0), "free_bits must be a number of nats"),
    ],
)
def test_ranges(model: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model.fit(rows())
