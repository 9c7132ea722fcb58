"""Writes the golden models of the present format. Run it once for a new format, never again for an old one.

    python tests/golden/make_golden.py

Every folder holds a saved model, ``rows.npy`` and what the model made of them: ``codes.npy`` and ``recon.npy``; of a
task's model ``answer.npy``, what `ANSWERS` names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def models() -> dict[str, Any]:
    """Name -> a small estimator that is not fitted."""
    from diabolo import Autoencoder, AutoencoderClassifier, AutoencoderRegressor, Trainer
    from diabolo.core import lookup, names

    trainer = Trainer(epochs=2, batch_size=8)
    given = {"trainer": trainer, "random_state": 0}
    plain = Autoencoder(2, network="dense", hidden=(4,), **given)
    special = {
        "autoencoder": plain,
        "conv": Autoencoder(2, network="conv(channels=(2, 3), norm='batch')", **given),
        "classifier": AutoencoderClassifier(plain, **given),
        "regressor": AutoencoderRegressor(plain, **given),
        "masked": lookup("model", "masked")(2, width=8, depth=1, **given),
        "sequence": lookup("model", "sequence")(2, network="recurrent(width=4)", **given),
        "hierarchical-vae": lookup("model", "hierarchical-vae")(2, **given),
    }
    for name in names("model"):
        if name not in special:
            cls = lookup("model", name)
            takes = inspect.signature(cls).parameters
            small = {key: (4,) for key in ("hidden", "critic") if key in takes}
            special[name] = cls(2, **small, **given)
    return special


def rows(name: str) -> np.ndarray:
    """24 rows of 5 numbers far from unit scale, or of 5 counts, or 24 pictures of 6 x 5 (of 8 x 8 for tasks), or the
    samples of 6 sounds."""
    random = np.random.default_rng(0)
    if name in SOUNDS:
        pitch = np.arange(6)[:, None] / 40 + 0.02
        return (0.3 * np.sin(2 * np.pi * pitch * np.arange(400)) + 0.01 * random.normal(size=(6, 400))).astype(
            "float32"
        )
    if name == "conv":
        return random.integers(0, 256, (24, 6, 5), dtype=np.uint8)
    if name in PICTURES:
        return random.random((24, 8, 8)).astype("float32")
    if name == "recommend":
        return (random.random((24, 5)) < 0.5).astype("float32")
    if name in ("count-vae", "topic-model", "topics"):
        return random.poisson(4.0, (24, 5)).astype("float32")
    return (random.normal(size=(24, 5)) * 10 + 3).astype("float32")


PICTURES = ("denoise", "inpaint", "segment")
SOUNDS = ("segment-sounds",)


def as_given(name: str, X: np.ndarray) -> Any:
    """Rows as the task takes them."""
    from diabolo.data.sound import Sound

    return [Sound(row, 1000) for row in X] if name in SOUNDS else X


ANSWERS: dict[str, Callable[[Any, np.ndarray], Any]] = {
    "augment": lambda model, X: model.sample(3, y=1, random_state=0),
    "cluster": lambda model, X: model.predict_proba(X),
    "detect": lambda model, X: model.score_samples(X),
    "generate": lambda model, X: model.sample(3, random_state=0),
    "impute": lambda model, X: model.transform(np.where(X > 15, np.nan, X)),
    "search": lambda model, X: model.search(X, 3).distances,
    "denoise": lambda model, X: model.transform(X),
    "inpaint": lambda model, X: model.transform(np.where(X > 0.7, np.nan, X)),
    "recommend": lambda model, X: model.scores(X),
    "segment": lambda model, X: model.predict_proba(X),
    "segment-sounds": lambda model, X: model.segment(as_given("segment-sounds", X))[0].novelty,
    "select": lambda model, X: model.get_support(),
    "topics": lambda model, X: model.topics_of(X),
}
"""What is kept of a model of each task."""


def task(name: str) -> Any:
    """A small model of a task that is not fitted."""
    from diabolo import VAE, Autoencoder, TopicModel, Trainer
    from diabolo.core import lookup

    special: dict[str, dict[str, Any]] = {
        "augment": {"autoencoder": VAE(2, hidden=(4,)), "how": "interpolation"},
        "cluster": {"autoencoder": Autoencoder(2, hidden=(4,)), "n_clusters": 2},
        "detect": {"autoencoder": Autoencoder(2, hidden=(4,)), "folds": 1},
        "generate": {"autoencoder": VAE(2, hidden=(4,))},
        "impute": {"autoencoder": Autoencoder(2, hidden=(4,)), "members": 1},
        "search": {"autoencoder": Autoencoder(2, hidden=(4,)), "metric": "euclidean"},
        "denoise": {"autoencoder": Autoencoder(2, network="u-shaped(width=2, depth=1)", loss="squared"), "tile": 8},
        "inpaint": {"autoencoder": Autoencoder(2, network="u-shaped(width=2, depth=1)", loss="squared"), "tile": 8},
        "recommend": {"autoencoder": VAE(2, hidden=(4,)), "penalty": 2.0},
        "segment": {"autoencoder": Autoencoder(2, network="u-shaped(width=2, depth=1)"), "tile": 8},
        "segment-sounds": {"autoencoder": Autoencoder(2, hidden=(4,)), "splices": 10, "pieces": 2},
        "select": {"n_features": 2},
        "topics": {"autoencoder": TopicModel(2, hidden=(4,)), "top": 3},
    }
    made: Any = lookup("task", name)(**special[name], trainer=Trainer(epochs=2, batch_size=8), random_state=0)
    return made


def main() -> None:
    from diabolo.estimators.saving import FORMAT

    for name, answer in ANSWERS.items():
        folder = HERE / f"format{FORMAT}-task-{name}"
        if folder.exists():
            continue
        X = rows(name)
        y = {"augment": X.reshape(len(X), -1)[:, 0] > 3, "segment": X > 0.5}.get(name)
        fitted = task(name).fit(as_given(name, X)) if y is None else task(name).fit(X, y.astype(int))
        fitted.save(folder)
        np.save(folder / "rows.npy", X)
        np.save(folder / "answer.npy", answer(fitted, X))
    for name, model in models().items():
        folder = HERE / f"format{FORMAT}-{name}"
        if folder.exists():  # golden models of a format are never written again
            continue
        X = rows(name)
        fitted = model.fit(X, (X.reshape(len(X), -1)[:, 0] > 3).astype(int))
        fitted.save(folder)
        np.save(folder / "rows.npy", X)
        np.save(folder / "codes.npy", fitted.transform(X))
        np.save(folder / "recon.npy", fitted.reconstruct(X))


if __name__ == "__main__":
    main()
