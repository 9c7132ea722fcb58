"""Rare classes filled up with rows that an autoencoder makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..core import Batch, register
from ..core.errors import DataError, UsageError, out_of_range, unknown
from ..data import Source
from ..estimators.base import BaseAutoencoder
from ..estimators.rows import CHUNK
from ..estimators.told import ClassTold
from ..train import Trainer
from .base import Assessment, TaskModel
from .cells import Cells, as_input, as_rows, joined
from .classes import Classes
from .exhibit import Exhibit
from .latent_draws import around, between, from_generator, told
from .oversample import wanted
from .warped import are_pictures

WAYS = ("density", "interpolation", "conditional", "ae-gan")
KEPT = 5000
"""Rows of a class, at most, whose codes are kept to start from."""


@register("task", "augment")
class AutoencoderSampler(TaskModel):
    """Fills up rare classes with rows made in the codes of an autoencoder; imbalanced-learn's interface.

        row i of the class ──encoder──▶ z_i ──way──▶ z ──decoder g──▶ g(z)
        made = g(z) + (x_i - g(z_i))        what the code does not hold of row i stays with it

    Without the last term made rows would be smoother than real ones, and a classifier would learn to tell the two
    apart. Pictures do without it: what is left of picture i would lie over another one as a ghost. Made rows stay in
    the range of the rows at ``fit``; whole numbers stay whole, categories stay categories, and a cell that row i lacks
    is lacking in what was made of it.

    Parameters
    ----------
    autoencoder : any autoencoder that learns without labels, or is told the class. None: the one that suits ``how``.
    how : where z comes from. "density": a kernel density of the class's codes whose covariance leans on that of the
        other classes, the more the fewer rows the class has; one row is enough. Its autoencoder is a `ConditionalVAE`:
        told the class, its codes hold what rows of all classes have in common, so that a rare class learns from the
        others how rows vary. "interpolation": between z_i and a code near it, of the class (SMOTE in codes), of an
        `Autoencoder`. "conditional": the prior of a `ConditionalVAE` (row i is then any of the class). "ae-gan": the
        generator of an `AEGAN`, those of its codes that a linear discriminant gives to the class.
    sampling_strategy : "auto" (all classes get as many rows as the largest), "minority", "not minority", "all"; a
        float (two classes: smallest / largest); a dict class -> rows in all; or a function of y giving a dict.
    k_neighbors : int >= 1; near codes for "interpolation", fewer where the class has fewer rows.
    trainer, random_state : of the autoencoder; all randomness comes from the seed.

    Attributes after ``fit``: ``classes_``, and those of `TaskModel`. The model keeps codes of up to 5,000 rows a
    class, so it holds data of the rows it was trained on.

    Raises `DataError` for classes of which nothing can be made, `UsageError` for parameters out of range.

    Reference: Dablain, Krawczyk & Chawla (2022), "DeepSMOTE: fusing deep learning and SMOTE for imbalanced data";
    Chawla et al. (2002), "SMOTE"; Sohn, Lee & Yan (2015), "Learning structured output representation" (conditional).

    >>> import numpy as np
    >>> from diabolo import AutoencoderSampler, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> y = np.where(np.arange(64) < 8, "rare", "usual")
    >>> more, labels = AutoencoderSampler(trainer=Trainer(epochs=2), random_state=0).fit_resample(X, y)
    >>> more.shape, bool((more[:64] == X).all()), int((labels == "rare").sum())
    ((112, 5), True, 56)
    """

    _label_role = "label"

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        how: str = "density",
        sampling_strategy: Any = "auto",
        k_neighbors: int = 5,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.how, self.sampling_strategy = autoencoder, how, sampling_strategy
        self.k_neighbors, self.trainer, self.random_state = k_neighbors, trainer, random_state

    # fitting ------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows and their classes.

        X : array (N, *S), a DataFrame, a path or what `diabolo.data.open` gives; y : classes (N,), None where X has
            them as its target.
        """
        self._begin()
        self._check()
        rows, places = self._labelled(X, y)
        base = self._base()
        model = self._member("autoencoder", base, as_input(rows), places if isinstance(base, ClassTold) else None)
        self._keep(model, rows, places)
        return self

    def plan(self, X: Any, y: Any = None) -> Self:
        """What `fit` would begin with; nothing is trained."""
        self._begin()
        self._check()
        rows, places = self._labelled(X, y)
        self._shown = self._base()
        self._shown.plan(as_input(rows), places if isinstance(self._shown, ClassTold) else None)
        self.models_["autoencoder"] = self._shown
        return self

    def _check(self) -> None:
        if self.how not in WAYS:
            raise unknown("how", self.how, WAYS)
        if not isinstance(self.k_neighbors, int) or self.k_neighbors < 1:
            raise out_of_range("k_neighbors", "an int of at least 1", self.k_neighbors)

    def _labelled(self, X: Any, y: Any) -> tuple[Any, ndarray]:
        """Rows, and the place of each one's class; the classes are learnt."""
        rows, found = as_rows(X)
        y = found if y is None else y
        if y is None:
            raise UsageError(
                "augment requires y to be passed, but the target y is None; give the class of every row (--target)."
            )
        known = Classes.learn(y)
        if len(known.values) < 2:
            raise DataError(f"y holds only one class, {known.values[0]!r}; there is nothing to balance.")
        self.facts_["classes"] = known.state()
        return rows, known.places(y, len(rows))

    def _default(self) -> BaseAutoencoder:
        from ..estimators.adversarial import AEGAN
        from ..estimators.composed import Autoencoder
        from ..estimators.conditional import ConditionalVAE

        made: dict[str, type[BaseAutoencoder]] = {"interpolation": Autoencoder, "ae-gan": AEGAN}
        return made.get(self.how, ConditionalVAE)()

    def _keep(self, model: BaseAutoencoder, rows: Any, places: ndarray) -> None:
        """Codes of rows to start from, and what their codes do not hold of them."""
        cells = Cells.learn(model.processor_, rows)
        values, known = cells.encode(rows)
        random = np.random.default_rng(self._seed_now())
        kept = np.sort(np.concatenate([_some(places, place, random) for place in np.unique(places)]))
        place = places[kept]
        taught = {"y": places} if isinstance(model, ClassTold) else {}
        codes = model.transform(as_input(rows), **taught)[kept]
        stays = known[kept] & (not are_pictures(rows))
        rest = np.where(stays, values[kept] - self._decoded(model, codes, place), 0.0)
        self.arrays_.update(codes=codes, rest=rest.astype(np.float32), places=place, low=cells.low, high=cells.high)
        self.arrays_["whole"] = cells.whole
        if not known.all():
            self.arrays_["known"] = known[kept]
        self.facts_.update(dtype=cells.dtype, counts=np.bincount(places).tolist())

    def _decoded(self, model: BaseAutoencoder, codes: ndarray, places: ndarray) -> ndarray:
        """Values (N, F) that codes of rows of these classes are decoded to."""
        parts = []
        with torch.inference_mode():
            for rows in torch.arange(len(codes)).split(CHUNK):
                z = torch.from_numpy(np.ascontiguousarray(codes[rows], np.float32))
                batch = None
                if isinstance(model, ClassTold):
                    cond: Tensor = model.labels_.one_hot(torch.from_numpy(places[rows]))
                    batch = Batch(z, z, cond=cond)
                parts.append(model.objective_.loss.link(model.module_.decode(z, batch)).flatten(1).float())
        return torch.cat(parts).numpy()

    # using --------------------------------------------------------------------------------------------------

    @property
    def classes_(self) -> ndarray:
        """The classes at fit, in order."""
        check_is_fitted(self, "models_")
        return self._classes.values

    @property
    def ways_(self) -> tuple[str, ...]:
        """What this fitted model can do: ways for ``how``."""
        check_is_fitted(self, "models_")
        more = {"conditional-vae": "conditional", "ae-gan": "ae-gan"}.get(self.autoencoder_.part_name)  # type: ignore[attr-defined]
        return (*WAYS[:2], *([more] if more else []))

    @property
    def _classes(self) -> Classes:
        return Classes(**self.facts_["classes"])

    def sample(self, n_samples: int = 1, *, y: Any, how: str | None = None, random_state: Any = None) -> Any:
        """n new rows of class ``y``, of the kind at fit. ``how``: another way than at fit, of those in ``ways_``."""
        check_is_fitted(self, "models_")
        way = self.how if how is None else how
        if way not in WAYS:
            raise unknown("how", way, WAYS)
        place = int(self._classes.places([y], 1)[0])
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        values, base = self._values(place, n_samples, way, seed)
        known = self.arrays_["known"][base] if "known" in self.arrays_ else None
        return self._cells.decode(values + self.arrays_["rest"][base], known)

    @property
    def _cells(self) -> Cells:
        low, high, whole = (self.arrays_[name] for name in ("low", "high", "whole"))
        return Cells(self.processor_, low, high, whole, self.facts_["dtype"])

    def _values(self, place: int, n: int, way: str, seed: int) -> tuple[ndarray, ndarray]:
        """What new codes of a class are decoded to (n, F), and the row each starts from (n,)."""
        model, codes, places = self.autoencoder_, self.arrays_["codes"], self.arrays_["places"]
        own, random = np.flatnonzero(places == place), np.random.default_rng(seed)
        flat = codes.reshape(len(codes), -1).astype(np.float64)
        if way == "interpolation":
            self._more_than_one(place, own)
            z, base = between(flat, own, n, self.k_neighbors, random)
        elif way == "density":
            z, base = around(flat, places, own, n, random)
        else:
            base = own[random.integers(len(own), size=n)]
            if way == "conditional":
                return told(model, place, n, seed).reshape(n, -1), base
            z = from_generator(model, flat, places, place, n, seed)
        return self._decoded(model, z.reshape(n, *codes.shape[1:]), np.full(n, place)), base

    def _more_than_one(self, place: int, own: ndarray) -> None:
        if len(own) < 2:
            raise DataError(
                f"class {self.classes_[place].item()!r} has one row, and between one row there is nothing to "
                "interpolate; take how='density', or leave the class out of sampling_strategy (a dict)."
            )

    def made_for(
        self, y: Any, *, sampling_strategy: Any = None, how: str | None = None, random_state: Any = None
    ) -> tuple[Any, ndarray]:
        """The rows that would fill up the classes of ``y``, and their classes; rows is None where none are wanted."""
        known = self._classes
        places = known.places(y, len(y))
        counts = np.bincount(places, minlength=len(known.values))
        strategy = self.sampling_strategy if sampling_strategy is None else sampling_strategy
        strategy = strategy(y) if callable(strategy) else strategy
        random = check_random_state(self.random_state if random_state is None else random_state)
        rows, labels = None, known.values[:0]
        for place, n in wanted(strategy, known.values, counts).items():
            made = self.sample(n, y=known.values[place], how=how, random_state=random)
            rows = made if rows is None else joined(rows, made)
            labels = np.concatenate([labels, np.repeat(known.values[place : place + 1], n)])
        return rows, labels

    def resample(self, X: Any, y: Any = None, **asked: Any) -> tuple[Any, Any]:
        """Rows and classes with the rare ones filled up by the fitted model: the given first, untouched, then the made.

        ``asked`` : sampling_strategy, how, random_state, as `made_for` takes them.
        """
        check_is_fitted(self, "models_")
        rows, found = as_rows(X)
        y = found if y is None else y
        if y is None:
            raise UsageError("augment requires y to be passed, but the target y is None; give the class of every row.")
        made, labels = self.made_for(y, **asked)
        return (joined(rows, rows[:0] if made is None else made), self._classes.joined(y, labels))

    def fit_resample(self, X: Any, y: Any = None) -> tuple[Any, Any]:
        """`fit`, then `resample` of the same rows."""
        return self.fit(X, y).resample(X, y)

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """A random forest taught by the rows with and without what was made, on rows it has not seen; of pictures
        warped ones beside them."""
        from .verdict import held_out

        return held_out(self, learn, held, seed=seed)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """Of pictures: each rare class, real and made."""
        from .show_made import of_sampler

        return of_sampler(self, source, seed=seed)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan, tags.target_tags.required = True, True
        return tags


def _some(places: ndarray, place: int, random: np.random.Generator) -> ndarray:
    own = np.flatnonzero(places == place)
    return own if len(own) <= KEPT else random.choice(own, KEPT, replace=False)
