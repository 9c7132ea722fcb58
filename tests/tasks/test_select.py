"""Selection of columns: what must be kept, what the rest is rebuilt from, and scikit-learn's contract."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import VAE, Autoencoder, AutoencoderSelector, Trainer, load
from diabolo.core.errors import DataError, Interrupted, UsageError
from diabolo.data import open as open_source
from diabolo.train.callbacks import Callback
from diabolo.train.checkpoint import Checkpoint

WAYS = ("concrete", "group")


def quick(epochs: int = 12, **knobs: Any) -> Trainer:
    return Trainer(epochs=epochs, **knobs)


def copies(rows: int = 300, independent: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Independent columns and two copies of each, shifted and stretched, in any order; and which are the same."""
    random = np.random.default_rng(seed)
    base = random.normal(size=(rows, independent))
    order = random.permutation(3 * independent)
    whole = np.hstack([base, 5 * base + 1, -100 * base])[:, order]
    return whole.astype("float32"), np.tile(np.arange(independent), 3)[order]


def people(rows: int = 240, seed: int = 0) -> pd.DataFrame:
    """Three things that say nothing of each other: a place (told twice), an age (told twice) and noise."""
    random = np.random.default_rng(seed)
    town = random.choice(["Rome", "Oslo", "Lima"], rows)
    age = random.normal(45, 12, rows)
    return pd.DataFrame(
        {
            "age": age,
            "town": town,
            "months": 12 * age,
            "code": pd.Series(town).map({"Rome": "r", "Oslo": "o", "Lima": "l"}),
            "noise": random.normal(size=rows),
        }
    )


@pytest.mark.parametrize("how", WAYS)
def test_of_columns_that_say_the_same_exactly_one_is_kept_and_the_rest_rebuilt(how: str) -> None:
    X, same = copies()
    model = AutoencoderSelector(n_features=4, how=how, trainer=quick(), random_state=0).fit(X)
    kept = model.get_support(indices=True)
    assert sorted(same[kept]) == [0, 1, 2, 3]
    back = model.inverse_transform(model.transform(X))
    np.testing.assert_array_equal(back[:, kept], X[:, kept])
    np.testing.assert_allclose((back - X) / X.std(0), 0, atol=0.05)
    for one in model.rebuilt_:
        assert one.r2 > 0.999
        assert [same[int(name[1:])] for name in one.carried_by] == [same[int(one.column[1:])]]


@pytest.mark.parametrize("how", WAYS)
def test_a_categorical_column_is_one_feature_and_is_rebuilt_from_its_other_name(how: str) -> None:
    frame = people()
    model = AutoencoderSelector(n_features=3, how=how, trainer=quick(30), random_state=0).fit(frame)
    kept = set(model.kept_names)
    assert len(kept & {"age", "months"}) == len(kept & {"town", "code"}) == 1 and "noise" in kept
    chosen = model.transform(frame)
    pd.testing.assert_frame_equal(chosen, frame[model.kept_names])
    back = model.inverse_transform(chosen)
    assert list(back) == list(frame) and (back["town"] == frame["town"]).all() and (back["code"] == frame["code"]).all()
    np.testing.assert_allclose(back["months"], 12 * back["age"], atol=30)
    carried = {one.column: one.carried_by for one in model.rebuilt_}
    (left,) = {"town", "code"} - kept
    assert carried[left] == tuple({"town", "code"} & kept)


def test_missing_cells_pass_and_noise_that_is_left_out_has_no_r2() -> None:
    frame = people()
    frame.loc[::7, "age"] = np.nan
    frame.loc[::9, "town"] = None
    frame["empty"], frame["when"] = np.nan, pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(frame)), "D")
    model = AutoencoderSelector(n_features=2, trainer=quick(), random_state=0).fit(frame)
    pd.testing.assert_frame_equal(model.transform(frame), frame[model.kept_names])
    back = model.inverse_transform(model.transform(frame))
    assert list(back) == list(frame) and back["when"].dtype == frame["when"].dtype
    r2 = {one.column: one.r2 for one in model.rebuilt_}
    assert "noise" not in r2 or r2["noise"] < 0.2
    assert model.inverse_transform(model.transform(frame).to_numpy()).shape == back.shape


def test_units_do_not_matter() -> None:
    random = np.random.default_rng(0)
    two = random.normal(size=(300, 2))[:, [0, 0, 0, 0, 0, 1, 1, 1]]
    X = (two + random.normal(size=two.shape) * [0.1, 0.5, 0.5, 0.5, 0.5, 0.1, 0.5, 0.5]).astype("float32")
    fitted = [
        AutoencoderSelector(n_features=2, trainer=quick(), random_state=0).fit(X * units)
        for units in (1.0, np.float32(10.0) ** np.arange(-4, 4, dtype=np.float32))
    ]
    assert [model.get_support(indices=True).tolist() for model in fitted] == [[0, 5], [0, 5]]
    np.testing.assert_allclose(*(model.arrays_["r2"] for model in fitted), atol=0.02)


def test_auto_takes_as_many_columns_as_there_are_independent_ones() -> None:
    X, _ = copies()
    model = AutoencoderSelector(trainer=quick(2), random_state=0).fit(X)
    assert model.facts_["n_features"] == 4 and "4 of 12 columns leave" in model.facts_["why"]
    assert AutoencoderSelector(n_features=0.5, trainer=quick(2), random_state=0).fit(X).get_support().sum() == 6


def test_all_columns_and_columns_that_never_change() -> None:
    X, _ = copies()
    every = AutoencoderSelector(n_features=12, trainer=quick(2), random_state=0).fit(X)
    np.testing.assert_array_equal(every.inverse_transform(every.transform(X)), X)
    assert every.rebuilt_ == []
    X[:, 3] = 7.0
    model = AutoencoderSelector(n_features=4, trainer=quick(), random_state=0).fit(X)
    assert not model.get_support()[3]
    np.testing.assert_allclose(model.inverse_transform(model.transform(X))[:, 3], 7.0, atol=1e-3)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    frame = people()
    model = AutoencoderSelector(n_features=2, trainer=quick(2), random_state=0).fit(frame)
    model.save(tmp_path / "m")
    for again in (load(tmp_path / "m"), pickle.loads(pickle.dumps(model))):
        pd.testing.assert_frame_equal(again.transform(frame), model.transform(frame))
        pd.testing.assert_frame_equal(
            again.inverse_transform(again.transform(frame)), model.inverse_transform(model.transform(frame))
        )
        assert again.rebuilt_ == model.rebuilt_ and list(again.models_) == ["rebuilder"]
    again = clone(model).fit(frame)
    np.testing.assert_array_equal(again.arrays_["r2"], model.arrays_["r2"])


def test_a_selector_of_an_array_is_saved_too(tmp_path: Path) -> None:
    X, _ = copies()
    model = AutoencoderSelector(n_features=4, how="group", trainer=quick(2), random_state=0).fit(X)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(
        again.inverse_transform(again.transform(X)), model.inverse_transform(X[:, model.get_support()])
    )


def test_in_a_pipeline_and_as_a_frame() -> None:
    X, _ = copies()
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    pipe = make_pipeline(AutoencoderSelector(n_features=4, trainer=quick(), random_state=0), LogisticRegression())
    assert pipe.fit(X / X.std(0), y).score(X / X.std(0), y) > 0.9
    frame = pd.DataFrame(X, columns=[f"c{i}" for i in range(12)])
    model = AutoencoderSelector(n_features=4, trainer=quick(2), random_state=0).fit(frame)
    assert list(model.get_feature_names_out()) == model.kept_names == list(model.transform(frame))
    array = AutoencoderSelector(n_features=4, trainer=quick(2), random_state=0).set_output(transform="pandas").fit(X)
    assert list(array.transform(X)) == array.kept_names


def test_the_network_and_trainer_given_are_used() -> None:
    X, _ = copies()
    given = Autoencoder(hidden=(7,), trainer=quick(3))
    model = AutoencoderSelector(given, n_features=4, random_state=0).fit(X)
    assert model.autoencoder_.module_.decoder.body.first.out_features == 7 and len(model.autoencoder_.history_) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n_features": 0}, "n_features must be an int from 1 to 12"),
        ({"n_features": 13}, "n_features must be an int from 1 to 12"),
        ({"n_features": 1.5}, "n_features must be"),
        ({"n_features": True}, "n_features must be"),
        ({"how": "concret"}, "did you mean 'concrete'"),
        ({"autoencoder": VAE()}, "an Autoencoder with a dense network"),
        ({"autoencoder": Autoencoder(network="conv")}, "an Autoencoder with a dense network"),
    ],
)
def test_parameters_out_of_range_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        AutoencoderSelector(**given, trainer=quick(1)).fit(copies()[0])


def test_rows_that_are_no_columns_are_refused() -> None:
    with pytest.raises(DataError, match="of tables and of arrays"):
        AutoencoderSelector(trainer=quick(1)).fit(np.zeros((30, 4, 4)))
    with pytest.raises(DataError, match="of tables and of arrays"):
        AutoencoderSelector(trainer=quick(1)).fit(["a text", "another"] * 10)
    with pytest.raises(DataError, match="at most 10,000"):
        AutoencoderSelector(trainer=quick(1)).fit(np.random.default_rng(0).normal(size=(4, 10_001)))
    model = AutoencoderSelector(n_features=4, trainer=quick(1), random_state=0).fit(copies()[0])
    with pytest.raises(DataError, match="rows of the 4 columns kept are needed"):
        model.inverse_transform(np.zeros((2, 12)))


def test_of_rows_on_disk_a_sample_is_learnt_from(tmp_path: Path) -> None:
    X, same = copies(rows=2000)
    pd.DataFrame(X, columns=[f"c{i}" for i in range(12)]).to_parquet(tmp_path / "rows.parquet", row_group_size=200)
    source = open_source(tmp_path / "rows.parquet", memory="20kB")
    model = AutoencoderSelector(n_features=4, trainer=quick(3), random_state=0).fit(source)
    assert sorted(same[model.get_support(indices=True)]) == [0, 1, 2, 3] and model.facts_["sample"] <= 2000
    with pytest.raises(DataError, match="diabolo select"):
        model.transform(source)


def test_of_many_rows_a_sample_finds_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diabolo.tasks.column_rows.SAMPLE", 60)
    frame = people()
    frame.loc[[3, 5], "town"] = ["Bonn", None]  # which the sample may lack
    model = AutoencoderSelector(n_features=3, trainer=quick(2), random_state=0).fit(frame)
    assert len(set(model.kept_names) & {"age", "months"}) == 1 and model.autoencoder_.processor_.shape == (10,)


def test_the_assessment_names_the_simple_methods_and_who_is_ahead() -> None:
    random = np.random.default_rng(0)
    # variance ranking takes the three loud columns, which are one; the others must be guessed then
    loud, quiet = 10 * random.normal(size=(400, 1)), random.normal(size=(400, 2))
    X = np.hstack([loud, loud + 0.1, 2 * loud, quiet, quiet]).astype("float32")
    learn, held = open_source(X[:300]), open_source(X[300:])
    model = AutoencoderSelector(n_features=3, trainer=quick(), random_state=0).fit(learn)
    found = model.assess(learn, held, seed=0)
    lost = {name: float(mean) for name, mean, _ in found.rows}
    assert lost["these 3 columns, by the decoder"] < 1e-2 and lost["variance, by ridge regression"] > 0.4
    assert {name.partition(",")[0] for name in lost} >= {"greedy", "pivoted QR", "PCA loadings", "variance", "random"}
    assert "a tie with the columns of the best simple method" in found.verdict


class StopAt(Callback):
    def __init__(self, step: int, time: int) -> None:
        self.step, self.left = step, time

    def on_step(self, loop: Any) -> None:
        self.left -= loop.step == self.step
        loop._interrupted = self.left == 0


@pytest.mark.parametrize("network", [1, 2])
def test_an_interrupted_fit_goes_on_where_it_stopped(tmp_path: Path, network: int) -> None:
    X, _ = copies()
    straight = AutoencoderSelector(n_features=4, trainer=quick(4), random_state=0).fit(X)

    def stopped(*callbacks: Any) -> AutoencoderSelector:
        return AutoencoderSelector(n_features=4, trainer=quick(4, callbacks=callbacks), random_state=0).fit(X)

    with pytest.raises(Interrupted):
        stopped(Checkpoint(tmp_path / "training.safetensors"), StopAt(6, network))
    again = stopped(Checkpoint(tmp_path / "training.safetensors", resume=True))
    np.testing.assert_array_equal(again.arrays_["r2"], straight.arrays_["r2"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderSelector(trainer=Trainer(epochs=1, batch_size=64))])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)
