"""What every model of a task shares: members, one folder on disk, resume, errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from sklearn.base import clone

from diabolo import VAE, Autoencoder, AutoencoderClassifier, Trainer, load
from diabolo.core import registry
from diabolo.core.errors import Interrupted, ModelError, UsageError
from diabolo.tasks.base import Assessment, TaskModel
from diabolo.train.callbacks import Callback
from diabolo.train.checkpoint import Checkpoint

X = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)


class Twins(TaskModel):
    """Two autoencoders, and the mean error of each."""

    part_name = "twins"

    def __init__(
        self,
        autoencoder: Any = None,
        *,
        size: int = 2,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.size, self.trainer, self.random_state = autoencoder, size, trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        self._begin()
        self._member("one", self._base(), X)
        self._member("two", VAE(self.size, trainer=self.trainer, random_state=1), X)
        self.arrays_["errors"] = np.array([-model.score(X) for model in self.models_.values()])
        self.facts_["rows"] = len(X)
        return self


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    registry.names("task")
    monkeypatch.setitem(registry._parts["task"], "twins", Twins)


def twins(**trainer: Any) -> Twins:
    return Twins(trainer=Trainer(epochs=2, batch_size=16, **trainer), random_state=0)


def test_members_and_what_was_learnt_beside_them_survive_the_disk(tmp_path: Path) -> None:
    model = twins().fit(X)
    model.metrics_["said"] = Assessment("t", ("a", "b"), (("x", "1"),), "good").as_dict()
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert isinstance(again, Twins) and list(again.models_) == ["one", "two"]
    for name, held in model.models_.items():
        np.testing.assert_array_equal(held.transform(X), again.models_[name].transform(X))
    np.testing.assert_array_equal(again.arrays_["errors"], model.arrays_["errors"])
    assert again.facts_ == {"rows": 90} and again.size == 2 and again.n_features_in_ == 6
    assert again.metrics_["said"]["verdict"] == "good"
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["config.json", "model.safetensors"]
    again.save(tmp_path / "n")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "n" / name).read_bytes()
    assert again.describe()["members"] == {"one": "autoencoder", "two": "vae"}


def test_a_damaged_or_unknown_folder_is_refused(tmp_path: Path) -> None:
    twins().fit(X).save(tmp_path / "m")
    with pytest.raises(ModelError, match="exists already"):
        twins().fit(X).save(tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    held = json.loads(config.read_text())
    config.write_text(json.dumps({**held, "facts": {"rows": 1}}))
    with pytest.raises(ModelError, match="altered"):
        load(tmp_path / "m")


class StopAt(Callback):
    def on_step(self, loop: Any) -> None:
        if loop.step == 7:
            self.seen = [*vars(self).get("seen", []), loop.step]
            if len(self.seen) == 2:  # in the second member
                loop._interrupted = True


def test_an_interrupted_fit_resumes_every_member(tmp_path: Path) -> None:
    straight = twins().fit(X)
    with pytest.raises(Interrupted):
        twins(callbacks=(Checkpoint(tmp_path / "training.safetensors"), StopAt())).fit(X)
    assert (tmp_path / "training-two.safetensors").exists()
    model = twins(callbacks=(Checkpoint(tmp_path / "training.safetensors", resume=True),)).fit(X)
    for name, held in straight.models_.items():
        np.testing.assert_array_equal(held.transform(X), model.models_[name].transform(X))


def test_the_seed_the_trainer_and_the_parameters_are_the_task_s() -> None:
    one, two = (twins().fit(X).arrays_["errors"] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert Twins(random_state=3).fit(X).arrays_["errors"][0] != one[0]
    assert clone(Twins(Autoencoder(3), size=5)).get_params()["autoencoder__n_components"] == 3
    own = Twins(Autoencoder(1, trainer=Trainer(epochs=1)), trainer=Trainer(epochs=3)).fit(X)
    assert [len(model.history_) for model in own.models_.values()] == [1, 3]
    assert own.autoencoder.trainer.callbacks == () and own.models_["one"].trainer.epochs == 1


@pytest.mark.parametrize("given", ["vae", AutoencoderClassifier()])
def test_what_is_no_autoencoder_is_refused(given: Any) -> None:
    with pytest.raises(UsageError, match="autoencoder"):
        Twins(given).fit(X)


def test_a_plan_trains_nothing() -> None:
    planned = twins().plan(X)
    assert planned.autoencoder_.history_ == [] and planned.choices_
    assert planned.describe()["parameter_count"] > 0
