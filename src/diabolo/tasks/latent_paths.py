"""Paths and arithmetic among codes: from one row to another, what makes two kinds differ, and more or less of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from ..core import Discrete, Windowed
from ..core.errors import DataError, ModelError, out_of_range, unknown
from ..estimators.base import BaseAutoencoder
from ..estimators.told import ClassTold
from ..priors.normal import StandardNormal

SHAPES = ("auto", "linear", "sphere")
PARALLEL = 1e-6
"""Sine of an angle below which two codes are taken to point the same way, or opposite ways."""


def interpolate(model: Any, a: Any, b: Any, steps: int = 10, *, shape: str = "auto") -> Any:
    """Rows on a path between two: the first is what a comes back as, the last what b comes back as.

        a, b ──encoder──▶ z_a, z_b ──path──▶ z_0 … z_n ──decoder──▶ rows

    model : fitted; any autoencoder. a, b : one row each, as `transform` takes rows (an array (1, *S), a DataFrame of a
        row, a list of one text, sound or series; of what is cut into windows the first window).
    steps : int >= 2, both ends included. shape : "linear"; "sphere", along a great circle; "auto": "sphere" where codes
        were brought to N(0, I), whose draws all lie about as far from 0, else "linear".

    A model that is told the class goes from one class to the other on the way; one with a discrete code takes the
    nearest code at every step. Raises `DataError` for no row or several, `UsageError` for parameters out of range.

    Reference: White (2016), "Sampling generative networks", section 2 (spherical interpolation).

    >>> from diabolo import Autoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = Autoencoder(2, trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> rows = interpolate(model, X[:1], X[1:2], 7)
    >>> rows.shape, bool(np.allclose(rows[-1], model.reconstruct(X[1:2])[0], atol=1e-5))
    ((7, 5), True)
    """
    ends = [code_of(model, row) for row in (a, b)]
    told = [condition(model, row) for row in (a, b)]
    return decoded(model, path(ends[0], ends[1], steps, shape_for(model, shape)), _between(told, steps))


def path(start: Float[ndarray, "*s"], end: Float[ndarray, "*s"], steps: int, shape: str = "linear") -> ndarray:
    """Codes from one to another (steps, *S), both included.

        linear   (1 - t) a + t b
        sphere   (sin((1 - t) w) a + sin(t w) b) / sin(w),    w the angle between them; linear where w is 0 or 180°

    >>> path(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3, "sphere").round(3).tolist()
    [[1.0, 0.0], [0.707, 0.707], [0.0, 1.0]]
    """
    if not isinstance(steps, int) or steps < 2:
        raise out_of_range("steps", "an int of at least 2", steps)
    if shape not in SHAPES[1:]:
        raise unknown("shape", shape, SHAPES[1:])
    first, last = (np.asarray(code, np.float64).ravel() for code in (start, end))
    share = np.linspace(0, 1, steps)[:, None]
    lengths = float(np.linalg.norm(first) * np.linalg.norm(last))
    angle = float(np.arccos(np.clip(first @ last / lengths, -1, 1))) if shape == "sphere" and lengths else 0.0
    weights = (1 - share, share)
    if np.sin(angle) > PARALLEL:
        weights = (np.sin((1 - share) * angle) / np.sin(angle), np.sin(share * angle) / np.sin(angle))
    made: ndarray = (weights[0] * first + weights[1] * last).reshape(steps, *np.shape(start))
    return made


def analogy(model: Any, a: Any, b: Any, c: Any) -> Any:
    """The row that is to c as b is to a: decoder(z_c + mean z_b - mean z_a). Of a and b any number of rows; c one.

    Reference: Radford, Metz & Chintala (2016), "Unsupervised representation learning with deep convolutional
    generative adversarial networks", section 6.3.2 (means of several rows; one row each is unstable).

    >>> from diabolo import Autoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = Autoencoder(2, trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> same = analogy(model, X[:9], X[:9], X[20:21])
    >>> bool(np.allclose(same, model.reconstruct(X[20:21]), atol=1e-5))
    True
    """
    return moved(model, c, middle(model, b) - middle(model, a), (1.0,))


def direction(model: Any, X: Any, y: Any, value: Any) -> Float[ndarray, "*s"]:
    """What makes rows of one value of an attribute differ from all others, as a vector of codes.

        mean z of the rows with y = value  -  mean z of the rows with another y

    X : rows. y : an attribute (N,) of any type. Raises `DataError` where all rows have that value, or none.

    Reference: Larsen et al. (2016), "Autoencoding beyond pixels using a learned similarity metric", section 4.2.
    """
    codes, having = model.transform(X), np.asarray(np.asarray(y) == value)
    if having.shape != (len(codes),):
        raise DataError(f"there are {np.size(having)} values of the attribute for {len(codes)} codes; give one each.")
    if having.all() or not having.any():
        few = "all" if having.all() else "none"
        raise DataError(f"{few} of the rows have {value!r}; an attribute's direction needs rows with and without it.")
    found: ndarray = codes[having].mean(0, dtype=np.float64) - codes[~having].mean(0, dtype=np.float64)
    return found


def moved(model: Any, row: Any, along: Float[ndarray, "*s"], amounts: Sequence[float]) -> Any:
    """A row with so much more (or less) of a direction: decoder(z + amount · along), one row an amount.

    >>> from diabolo import Autoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = Autoencoder(2, trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> moved(model, X[:1], direction(model, X, X[:, 0] > 0, True), (-1.0, 0.0, 1.0)).shape
    (3, 5)
    """
    code, along = code_of(model, row), np.asarray(along, np.float64)
    if along.shape != code.shape:
        raise DataError(f"a direction among codes of this model has shape {code.shape}; got {along.shape}.")
    amount = np.asarray(amounts, np.float64).reshape(-1, *(1,) * code.ndim)
    told = condition(model, row)
    return decoded(model, code + amount * along, None if told is None else told.expand(len(amount), -1))


# ── what they share ───────────────────────────────────────────────────────────────────────────────


def code_of(model: BaseAutoencoder, row: Any) -> Float[ndarray, "*s"]:
    """The code of one row. Raises `DataError` for none or several; of a row's windows the first is taken."""
    codes = model.transform(row)
    if len(codes) == 0 or (len(codes) > 1 and not isinstance(model.processor_, Windowed)):
        raise DataError(f"an end of a path is one row; got {len(codes)}. Take one: rows[:1].")
    found: ndarray = codes[0].astype(np.float64)
    return found


def middle(model: BaseAutoencoder, rows: Any) -> Float[ndarray, "*s"]:
    """The mean code of rows."""
    codes = model.transform(rows)
    if not len(codes):
        raise DataError("there are no rows to take the mean code of.")
    found: ndarray = codes.mean(0, dtype=np.float64)
    return found


def condition(model: BaseAutoencoder, row: Any) -> Tensor | None:
    """What the decoder is told of a row: its likeliest class, one-hot (1, C); None: this model is told nothing."""
    if not isinstance(model, ClassTold) or model._label_role != "cond":
        return None
    return model.labels_.one_hot(model.labels_.encode(model.predict(row)))


def _between(told: list[Tensor | None], steps: int) -> Tensor | None:
    """From one condition to the other, in step with the path."""
    first, last = told
    return None if first is None or last is None else torch.lerp(first, last, torch.linspace(0, 1, steps)[:, None])


def decoded(model: BaseAutoencoder, codes: ndarray, told: Tensor | None = None) -> Any:
    """Rows from codes; of a discrete code the nearest one there is."""
    z = np.ascontiguousarray(codes, np.float32)
    neck: Any = model.module_.bottleneck
    if isinstance(neck, Discrete):
        with torch.inference_mode():
            z = neck.indices_to_codes(neck.codes_to_indices(torch.from_numpy(z))).numpy()
    return model.inverse_transform(z) if told is None else model._decoded(z, told)


def shape_for(model: BaseAutoencoder, shape: str) -> str:
    """The shape of a path among a model's codes; see `interpolate`."""
    if shape not in SHAPES:
        raise unknown("shape", shape, SHAPES)
    if shape != "auto":
        return shape
    normal = isinstance(model.module_.prior, StandardNormal) and model.objective_.ties_prior
    return "sphere" if normal and len(model.code_shape_) == 1 else "linear"


def remark(model: BaseAutoencoder) -> str:
    """What a user should know of paths among this model's codes; '' where there is nothing to say."""
    if isinstance(model.module_.bottleneck, Discrete):
        return "the code is discrete: every step takes the nearest code there is, so rows change by jumps"
    if "prior_" in vars(model) or model.objective_.ties_prior:
        return ""
    return (
        "no term of this model brought its codes to a prior, so what lies between two codes may decode to nothing "
        "known; a variational model (--model vae) or a regularised one (--model rae) fills the gaps"
    )


def must_decode(model: Any) -> BaseAutoencoder:
    """The model, if it has codes that can be decoded. Raises `ModelError`."""
    if not isinstance(model, BaseAutoencoder):
        raise ModelError(f"paths are among the codes of an autoencoder; got {type(model).__name__}.")
    return model
