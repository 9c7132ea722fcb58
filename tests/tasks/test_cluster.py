"""Clusters: blobs whose answer is known, what deep embedded clustering must do, scikit-learn's contract, the verb."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_blobs
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import VAE, Autoencoder, AutoencoderClusterer, CountVAE, Trainer, load
from diabolo import data as diabolo_data
from diabolo.core.errors import DataError, Interrupted, ModelError, UsageError
from diabolo.train.callbacks import Callback
from diabolo.train.checkpoint import Checkpoint

HOWS = ("idec", "dec", "vade", "codes")


def blobs(n: int = 240, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Four round clusters on a plane that lies in eight dimensions."""
    flat, truth = make_blobs(n, 2, centers=[[-4, -4], [-4, 4], [4, -4], [4, 4]], random_state=seed)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0][:2]
    return (flat @ turn).astype(np.float32), truth


def clusterer(**given: Any) -> AutoencoderClusterer:
    base = VAE(2) if given.get("how") == "vade" else Autoencoder(2)
    knobs = {"n_clusters": 4, "epochs": 4, "trainer": Trainer(epochs=30, batch_size=32), "random_state": 0}
    return AutoencoderClusterer(given.pop("autoencoder", base), **{**knobs, **given})


@pytest.mark.parametrize("how", HOWS)
def test_clusters_that_are_there_are_found_in_new_rows_too(how: str) -> None:
    X, truth = blobs()
    model = clusterer(how=how).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.98
    others, their = blobs(seed=3)
    assert adjusted_rand_score(their, model.predict(others)) > 0.98
    shares = model.predict_proba(others)
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(shares.argmax(1), model.predict(others))
    assert model.cluster_centers_.shape == (4, 2) and model.transform(X).shape == (240, 2)
    own = model.predict(np.asarray(model.autoencoder_.inverse_transform(model.cluster_centers_)))
    if how != "dec":  # whose decoder stayed behind
        assert sorted(own) == [0, 1, 2, 3]


def test_the_number_of_clusters_is_found_and_said() -> None:
    model = clusterer(n_clusters="auto", how="codes").fit(blobs()[0])
    assert model.n_clusters_ == 4
    said = {choice.name: choice for choice in model.choices_}["n_clusters"]
    assert said.value == 4 and "silhouette" in said.why


def test_the_divergence_makes_clusters_tighter_and_the_reconstruction_keeps_the_code() -> None:
    X = (load_digits().data / 16).astype(np.float32)[:300]
    found = {}
    for how in ("codes", "dec", "idec"):
        model = clusterer(autoencoder=Autoencoder(6), how=how, n_clusters=10, epochs=20, tol=0.0).fit(X)
        z, centres = model.transform(X), model.cluster_centers_
        within = np.square(z - centres[model.labels_]).sum(1).mean()
        found[how] = within / z.var(0).sum(), -model.autoencoder_.score(X), model
    assert found["dec"][0] < found["idec"][0] < found["codes"][0]
    assert found["idec"][1] < 1.5 * found["codes"][1] < 0.7 * found["dec"][1]
    np.testing.assert_array_equal(found["codes"][2].arrays_["first_labels"], found["dec"][2].arrays_["first_labels"])


def test_training_stops_when_no_row_changes_its_cluster() -> None:
    model = clusterer(how="dec", epochs=90).fit(blobs()[0])
    assert model.facts_["epochs"] < 90 and model.facts_["changed"] == 0
    stages = [record["stage"] for record in model.autoencoder_.history_]
    assert stages.count(1) == model.facts_["epochs"]


@pytest.mark.parametrize("how", HOWS)
def test_a_folder_and_a_pickle_hold_all_of_it(how: str, tmp_path: Path) -> None:
    X, _ = blobs(80)
    model = clusterer(how=how, trainer=Trainer(epochs=3, batch_size=32)).fit(X)
    model.save(tmp_path / "m")
    for again in (load(tmp_path / "m"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.labels_, model.labels_)
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(again.cluster_centers_, model.cluster_centers_)
        assert again.how == how and again.n_clusters_ == 4


class StopAt(Callback):
    """Interrupts in the second phase."""

    def on_step(self, loop: Any) -> None:
        if any("clustering" in name for name in loop.sums) and loop.step == 4:
            loop._interrupted = True


@pytest.mark.parametrize("how", ["dec", "idec"])
def test_an_interrupted_fit_resumes_with_the_same_bits(how: str, tmp_path: Path) -> None:
    X, _ = blobs(80)

    def made(*callbacks: Callback) -> AutoencoderClusterer:
        return clusterer(how=how, tol=0.0, epochs=5, trainer=Trainer(epochs=2, batch_size=32, callbacks=callbacks))

    straight = made().fit(X)
    with pytest.raises(Interrupted):
        made(Checkpoint(tmp_path / "training.safetensors"), StopAt()).fit(X)
    assert (tmp_path / "training-clusters.safetensors").exists()
    model = made(Checkpoint(tmp_path / "training.safetensors", resume=True)).fit(X)
    np.testing.assert_array_equal(model.predict_proba(X), straight.predict_proba(X))


def test_a_table_with_missing_cells() -> None:
    X, truth = blobs()
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    frame.loc[::9, "a"] = np.nan
    frame["kind"] = np.where(truth == 0, "first", "other")
    model = AutoencoderClusterer(n_clusters=4, epochs=3, trainer=Trainer(epochs=30), random_state=0).fit(frame)
    assert adjusted_rand_score(truth, model.labels_) > 0.9
    assert list(model.feature_names_in_) == [*"abcdefgh", "kind"]


def test_pictures_and_series() -> None:
    pictures = load_digits().images[:60].astype(np.uint8)
    quick = Trainer(epochs=2)
    model = AutoencoderClusterer(n_clusters=3, epochs=2, trainer=quick, random_state=0).fit(pictures)
    assert model.labels_.shape == (60,) and model.transform(pictures).shape == (60, 10)
    steps = np.arange(400)
    series = pd.DataFrame({"t": steps, "a": np.sin(steps / np.where(steps < 200, 3.0, 20.0))})
    source = diabolo_data.open(series, time="t")
    model = AutoencoderClusterer(n_clusters=2, epochs=2, trainer=quick, random_state=0).fit(source)
    assert len(model.labels_) == len(model.transform(source)) > 2


def test_counts() -> None:
    random = np.random.default_rng(0)
    truth = np.repeat([0, 1], 60)
    rates = np.where(truth[:, None] == 0, [9, 9, 9, 1, 1, 1], [1, 1, 1, 9, 9, 9])
    X = random.poisson(rates * random.lognormal(0, 0.7, (120, 1)))
    model = clusterer(autoencoder=CountVAE(2), how="codes", n_clusters=2).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.9


def test_a_verdict_beside_k_means() -> None:
    X, truth = blobs()
    learn, held = (diabolo_data.Source(X[rows], "array", target=truth[rows]) for rows in (slice(160), slice(160, None)))
    model = clusterer().fit(X[:160])
    said = model.assess(learn, held)
    assert said is not None and said.columns[-2:] == ("ARI", "NMI") and len(said.rows) == 3
    assert all(row[3] == "1.000" for row in said.rows) and said.verdict.startswith("a tie with k-means")
    held.target = None
    blind = model.assess(learn, held)
    assert blind is not None and len(blind.columns) == 3 and "k-means is enough" in blind.verdict


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"how": "kmeans"}, "'idec' or 'dec'"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_clusters": "many"}, "n_clusters"),
        ({"epochs": 1.5}, "epochs"),
        ({"weight": -1.0}, "weight"),
        ({"tol": 1.0}, "tol"),
        ({"n_clusters": 100, "how": "codes"}, "more than there are rows"),
        ({"how": "vade", "autoencoder": Autoencoder(2)}, "such as VAE"),
    ],
)
def test_errors(given: dict[str, Any], error: str) -> None:
    with pytest.raises((UsageError, DataError), match=error):
        clusterer(**given, trainer=Trainer(epochs=1)).fit(blobs(30)[0])


def test_inside_scikit_learns_tools() -> None:
    X, truth = blobs()
    model = clusterer(how="codes")
    assert clone(model).get_params()["n_clusters"] == 4
    pipe = make_pipeline(StandardScaler(), model)
    assert adjusted_rand_score(truth, pipe.fit_predict(X)) > 0.98
    codes = clone(model).set_output(transform="pandas").fit_transform(X)
    assert list(codes.columns) == ["z0", "z1"]
    np.testing.assert_array_equal(clone(model).fit_predict(X), clone(model).fit(X).labels_)


# scikit-learn skips its array-API check, with a warning, unless scipy was told to support other arrays at start
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderClusterer(n_clusters=4, epochs=2, trainer=Trainer(epochs=2))])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_model_without_clusters_is_refused() -> None:
    from diabolo.cli.apply import prepared

    with pytest.raises(ModelError, match="--task cluster"):
        prepared(Autoencoder(1, trainer=Trainer(epochs=1)).fit(blobs(30)[0]), "cluster")
