"""Laws of the comparison with PCA: a linear model of PCA's own weights must tie with it, exactly."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor, nn

from diabolo.core import (
    AutoencoderModule,
    Batch,
    Bottleneck,
    Decoder,
    Encoder,
    Latent,
    Objective,
    ReconstructionLoss,
    Spec,
)
from diabolo.core.errors import DataError, ModelError
from diabolo.core.metrics import Interval
from diabolo.tasks import principal, reduce
from diabolo.tasks.reduce import Comparison, compare, entry_mask

FEATURES, SIZE = 12, 3


class Linear(Encoder, Decoder):
    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.layer = nn.Linear(weight.shape[1], weight.shape[0]).double()
        self.layer.weight.data, self.layer.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)

    def forward(self, x: Tensor, *_: Any) -> Tensor:
        return self.layer(x.double())


class Same(Bottleneck):
    def code(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        return h

    def forward(self, h: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Latent:
        return Latent(h, h)


class Half(ReconstructionLoss):
    def elementwise(self, recon: Tensor, target: Tensor) -> Tensor:
        return (recon - target) ** 2 / 2

    def link(self, recon: Tensor) -> Tensor:
        return recon


class Stub:
    """A processor that gives x back; ``scored`` rides along; ``columns`` are what the mixed loss would name."""

    target_shape = (FEATURES,)

    def __init__(self, columns: list[Any] | None = None) -> None:
        self.columns = columns

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        return Batch(tensors["x"], tensors["x"], scored=tensors.get("scored"))

    def defaults(self) -> dict[str, Spec]:
        return {} if self.columns is None else {"loss": Spec("mixed", columns=self.columns)}


def rows(n: int, seed: int) -> Tensor:
    mixing = np.random.default_rng(0).normal(size=(FEATURES, FEATURES)) * np.linspace(3, 0.2, FEATURES)[:, None]
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, FEATURES)) @ mixing + 5).float()


def linear_model(train: Tensor, size: int = SIZE, spoil: float = 0.0, processor: Stub | None = None) -> Any:
    """A fitted model whose weights are PCA's, bent by ``spoil``."""
    pca = PCA(size, svd_solver="full").fit(train.double().numpy())
    up, mean = pca.components_.T, pca.mean_
    noise = spoil * np.random.default_rng(1).normal(size=up.shape)
    module = AutoencoderModule(Linear(up.T.copy(), -up.T @ mean), Same(), Linear(up + noise, mean))
    return SimpleNamespace(
        processor_=processor or Stub(), module_=module, objective_=Objective(Half()), n_components_=size
    )


TRAIN, HELD_OUT = rows(5000, 1), rows(700, 2)  # train spans two chunks


def test_pca_as_an_autoencoder_ties_with_pca() -> None:
    found = compare(linear_model(TRAIN), {"x": TRAIN}, {"x": HELD_OUT})
    assert found.ratio.value == pytest.approx(1, abs=1e-4)
    assert found.model.value == pytest.approx(found.pca.value, rel=1e-4)
    assert (found.n_components, found.pca_components, found.features, found.rows) == (SIZE, SIZE, FEATURES, 700)


def test_baselines_are_those_of_scikit_learn() -> None:
    found = compare(linear_model(TRAIN, spoil=0.3), {"x": TRAIN}, {"x": HELD_OUT})
    pca = PCA(SIZE, svd_solver="full").fit(TRAIN.double().numpy())
    data = HELD_OUT.double().numpy()
    error = ((pca.inverse_transform(pca.transform(data)) - data) ** 2).sum(1)
    np.testing.assert_allclose(found.errors["pca"], error, rtol=1e-6)
    np.testing.assert_allclose(found.errors["mean"], ((data - TRAIN.double().numpy().mean(0)) ** 2).sum(1), rtol=1e-6)


def test_mean_baseline_on_the_training_rows_is_the_total_variance() -> None:
    found = compare(linear_model(TRAIN), {"x": TRAIN}, {"x": TRAIN})
    assert found.mean.value == pytest.approx(TRAIN.double().var(0, unbiased=False).sum().item(), rel=1e-6)
    assert found.gap == pytest.approx(0, abs=1e-6)
    assert found.train_error == pytest.approx(found.model.value, rel=1e-6)


def test_intervals_cover_the_value_and_the_truth() -> None:
    few = TRAIN[:500]
    model = linear_model(few)
    truth = compare(model, {"x": few}, {"x": rows(20_000, 7)}).pca.value
    covered = 0
    for seed in range(12):
        found = compare(model, {"x": few}, {"x": rows(200, 100 + seed)}, seed=seed)
        assert found.pca.low < found.pca.value < found.pca.high
        covered += found.pca.low < truth < found.pca.high
    assert covered >= 9


def test_worse_model_is_told_so_and_told_what_to_do() -> None:
    found = compare(linear_model(TRAIN, spoil=0.5), {"x": TRAIN}, {"x": HELD_OUT})
    assert found.verdict.startswith("no better than PCA: error ")
    assert "times as high" in found.verdict
    assert any("--network" in line for line in found.advice)


def test_better_model_is_told_so() -> None:
    better = linear_model(TRAIN, size=SIZE + 2)
    better.n_components_ = SIZE
    found = compare(better, {"x": TRAIN}, {"x": HELD_OUT})
    assert found.ratio.high < 1
    assert found.verdict.startswith("better than PCA: error ")
    assert "lower" in found.verdict
    assert found.advice == []


def test_tie_is_called_a_tie() -> None:
    found = compare(linear_model(TRAIN, spoil=1e-4), {"x": TRAIN}, {"x": HELD_OUT[:40]})
    assert found.ratio.low <= found.ratio.value <= found.ratio.high
    assert reduce._verdict(Interval(0.99, 0.9, 1.1), exact=False) == "a tie with PCA: error 1.0 % lower [-10.0, 10.0]"


def test_over_fitting_is_noticed() -> None:
    few = TRAIN[:15]
    found = compare(linear_model(few, size=6), {"x": few}, {"x": HELD_OUT})
    assert found.gap > reduce.LARGE_GAP
    assert any("over-fits" in line for line in found.advice)


def test_overcomplete_code_and_exact_pca() -> None:
    found = compare(linear_model(TRAIN, size=FEATURES), {"x": TRAIN}, {"x": HELD_OUT})
    assert "exactly" in found.verdict
    assert any("over-complete" in line for line in found.advice)
    assert 0 < found.ratio.value < 1e10


def test_constant_rows_do_no_harm() -> None:
    train, held_out = torch.ones(30, FEATURES), torch.ones(10, FEATURES)
    found = compare(linear_model(TRAIN), {"x": train}, {"x": held_out})
    assert found.pca_components == 0
    assert found.pca.value == found.mean.value == 0
    json.dumps(found.as_dict(), allow_nan=False)


@pytest.mark.parametrize("columns", [None, [["categorical", 4], ["numeric", 1], ["categorical", 7]]])
def test_entries_that_are_not_scored_count_for_nobody(columns: list[Any] | None) -> None:
    widths = [1] * FEATURES if columns is None else [4, 1, 7]
    scored = torch.from_numpy(np.random.default_rng(3).random((len(HELD_OUT), len(widths))) < 0.6)
    wide = scored.repeat_interleave(torch.tensor(widths), dim=1)
    damaged = torch.where(wide, HELD_OUT, 1e3)  # a filled cell as far off as can be, in the target alone
    model = linear_model(TRAIN, processor=Stub(columns))
    model.module_.encoder.forward = lambda *_: torch.zeros(len(HELD_OUT), SIZE).double()
    found = compare(model, {"x": HELD_OUT}, {"x": damaged, "scored": scored})
    centred = torch.where(wide, HELD_OUT - HELD_OUT.double().mean(0), 0.0)
    np.testing.assert_allclose(found.errors["mean"], (centred**2).sum(1).numpy(), rtol=1e-5)
    assert found.model.value < 1e3


def test_entry_mask_of_positions_broadcasts_and_wrong_shapes_are_refused() -> None:
    target = torch.zeros(2, 3, 4)
    mask = entry_mask(Batch(target, target, scored=torch.ones(2, 3, dtype=torch.bool)), Stub())  # type: ignore[arg-type]
    assert mask is not None
    assert mask.shape == (2, 3, 1)
    with pytest.raises(DataError, match=r"\(2, 5\)"):
        entry_mask(Batch(target, target, scored=torch.ones(2, 5, dtype=torch.bool)), Stub())  # type: ignore[arg-type]


def test_same_seed_same_numbers_and_json_round_trip() -> None:
    first, second = (compare(linear_model(TRAIN), {"x": TRAIN}, {"x": HELD_OUT}, seed=4) for _ in range(2))
    assert first == second
    assert Comparison.from_dict(json.loads(json.dumps(first.as_dict()))) == first


def test_model_in_training_mode_is_judged_in_evaluation_mode_and_left_as_it_was() -> None:
    model = linear_model(TRAIN)
    model.module_.decoder = nn.Sequential(model.module_.decoder, nn.Dropout(0.9))
    model.module_.decoder.forward = lambda z, batch: model.module_.decoder[1](model.module_.decoder[0](z))
    model.module_.train()
    assert compare(model, {"x": TRAIN}, {"x": HELD_OUT}).ratio.value == pytest.approx(1, abs=1e-4)
    assert model.module_.training


def test_bad_input_is_named() -> None:
    model = linear_model(TRAIN)
    with pytest.raises(DataError, match="held_out has no rows"):
        compare(model, {"x": TRAIN}, {"x": HELD_OUT[:0]})
    model.module_.decoder.layer.bias.data[0] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        compare(model, {"x": TRAIN}, {"x": HELD_OUT})


@pytest.mark.parametrize("limits", [{}, {"EXACT_FEATURES": 5}, {"EXACT_FEATURES": 5, "SAMPLE_ENTRIES": 24_000}])
@pytest.mark.parametrize("n", [8, 5000])
def test_every_way_to_the_components_spans_the_same_space(
    n: int, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in limits.items():
        monkeypatch.setattr(principal, name, value)
    data = TRAIN[:n].double().numpy()
    found = principal.fit(lambda: iter(np.array_split(data, 3)), SIZE)
    error = ((found.reconstruct(data) - data) ** 2).sum()
    best = PCA(SIZE, svd_solver="full").fit(data)
    least = ((best.inverse_transform(best.transform(data)) - data) ** 2).sum()
    assert error == pytest.approx(least, rel=0.02 if "SAMPLE_ENTRIES" in limits else 1e-4)
    np.testing.assert_allclose(found.axes.T @ found.axes, np.eye(SIZE), atol=1e-6)
    assert ("of 5,000 rows" in found.method) == (n == 5000 and "SAMPLE_ENTRIES" in limits)
