"""New tables: rows that look like those of a table, and are none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..core import Spec, register
from ..core.errors import out_of_range, require
from ..data import Source, TableProcessor
from ..estimators.base import BaseAutoencoder
from ..estimators.variational import VAE
from ..train import Trainer
from .base import Assessment, TaskModel
from .closeness import MOST, Closeness, ratio_of
from .gaussians import Gaussians
from .neighbourhood import Neighbourhood
from .quality import compared_tables, taught
from .table_rows import Parts, as_table, part, settled
from .where import Condition, conditions, named, possible, rejected, satisfied

KEPT = 20_000
"""Rows whose codes are kept to draw around, at most."""
MOST_CODE = 64
CHUNK = BATCH = 4096
DENSITIES = ("neighbours", "mixture")
TRIED, SPREADS, HALVINGS = 1000, (0.25, 1.5), 7
ENOUGH = 50
TRIALS, LEAST_TO_CHOOSE = 3, 200
MATCHED = 4000
"""Draws that the columns' distributions are corrected by."""
"""The spread is found by halving, on so many rows."""
CLOSE = 100
"""Rows nearest to the conditions, where no row satisfies them."""


@dataclass(frozen=True)
class Drawn:
    """New rows, the target among their columns, and how many were drawn for them; ``near``: with help."""

    rows: Any
    draws: int
    near: bool


@register("task", "generate")
class AutoencoderGenerator(TaskModel):
    """New rows of a table: mixed columns, missing cells, conditions; far enough from the real rows to be no copies.

        rows ──by rank──▶ VAE ──▶ codes ──▶ a draw near them ──decoder──▶ + residual ──▶ category draws ──▶ rows

    The code is wide and KL counts little, so the decoder gives rows back almost exactly; the density of codes is
    learnt afterwards. Density "neighbours" draws around the codes of real rows, as their neighbours spread, and
    keeps these codes in the model's folder, which then says much of the rows; "mixture" fits Gaussians to them and
    keeps none. Numbers come back within their range, with their decimals, whole where they were whole; categories
    are those that were there; cells are missing as often as they were.

    Parameters
    ----------
    autoencoder : None for a VAE with ``beta=0.1`` and a code of at most 64 values; one that has a code of one axis.
    density : "neighbours", "mixture", or "auto": with y the one whose rows teach a boosted forest better, on rows kept
        aside (``facts_["tried"]``); without y "neighbours".
    neighbours : int >= 3, rows that the spread of a draw is taken from.
    distance : mean distance to the closest real row, in units of that between real rows, above 0, at most 1; the
        spread of "neighbours" is widened or narrowed until it is reached. None: as the neighbours spread.
    trainer, random_state : as everywhere.

    ``fit(X, y)``: y is one more column, whose classes are kept apart; ``sample`` then gives (X, y).

    Reference: Xu et al. (2019), "Modeling tabular data using conditional GAN" (TVAE); Zhang et al. (2024),
    "Mixed-type tabular data synthesis with score-based diffusion in latent space", section 3 (a VAE of small beta,
    the density of its codes learnt afterwards).

    >>> import pandas as pd
    >>> random = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"age": random.integers(18, 80, 200), "city": random.choice(["Rome", "Oslo"], 200)})
    >>> model = AutoencoderGenerator(trainer=Trainer(epochs=2), random_state=0).fit(rows)
    >>> new = model.sample(5, where={"city": "Rome", "age": (30, 60)}, random_state=0)
    >>> list(new["city"].unique()), bool(new["age"].between(30, 60).all()), str(new["age"].dtype)
    (['Rome'], True, 'int64')
    """

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        density: str = "auto",
        neighbours: int = 20,
        distance: float | None = 0.9,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.density, self.neighbours = autoencoder, density, neighbours
        self.distance, self.trainer, self.random_state = distance, trainer, random_state

    # fitting ------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from a DataFrame, an array (N, F), a path or a source; ``y``: one more column, the target.

        Raises `DataError` for rows that are no table or stay on disk, `UsageError` for parameters out of range.
        """
        self._begin()
        self.__dict__.pop("_hood", None)
        self._check()
        given, _ = self._laid_out(X, y)
        model = self._member("autoencoder", self._base(), given)
        if len(model.code_shape_) != 1:
            raise out_of_range("autoencoder", "one with a code of one axis", model.part_name)  # type: ignore[attr-defined]
        self._name_features(given.rows)
        self._learn_density(model, given.rows)
        return self

    def _name_features(self, rows: Any) -> None:
        """scikit-learn's attributes, of X alone."""
        names = [name for name in rows.columns if not (self.facts_["target"] and name == self.facts_["target"]["name"])]
        self.n_features_in_ = len(names)
        self.__dict__.pop("feature_names_in_", None)
        if self.facts_["rows"] == "frame" and all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.asarray(names, dtype=object)

    def _check(self) -> None:
        if self.density not in ("auto", *DENSITIES):
            raise out_of_range("density", " or ".join(map(repr, ("auto", *DENSITIES))), self.density)
        if not isinstance(self.neighbours, int) or self.neighbours < 3:
            raise out_of_range("neighbours", "an int of at least 3", self.neighbours)
        if self.distance is not None and not 0 < self.distance <= 1:
            raise out_of_range("distance", "a number above 0 and at most 1, or None", self.distance)
        if self.autoencoder is not None and self.autoencoder._label_role is not None:
            raise out_of_range(
                "autoencoder", "one that is told no class: the target is a column here", self.autoencoder
            )

    def _laid_out(self, X: Any, y: Any) -> tuple[Any, Any]:
        rows, self.facts_ = as_table(X, y)
        self._width = TableProcessor(ranks=True).fit(rows).target_shape[0]
        return Source(rows, "table", processor=Spec("table", ranks=True)), None

    def _default(self) -> BaseAutoencoder:
        return VAE(min(self._width, MOST_CODE), hidden=(256, 128), beta=0.1)

    def _learn_density(self, model: BaseAutoencoder, rows: Any) -> None:
        draw = np.random.default_rng(self._seed_now())
        kept = rows.iloc[np.sort(draw.permutation(len(rows))[:KEPT])].reset_index(drop=True)
        learnt = model.transform(kept), self._unexplained(model, kept), self._groups(kept)
        self.arrays_["real"] = self._parts.quantiles(model.processor_.encode(kept)["x"].numpy())
        self.facts_["density"] = self._chosen(kept, learnt, draw) if self.density == "auto" else self.density
        self._put(kept, learnt, draw)
        self._match(MATCHED, draw)

    def _put(self, rows: Any, learnt: tuple[ndarray, ndarray, ndarray], draw: np.random.Generator) -> None:
        """Learn the density of codes, of the kind that the facts name."""
        if self.facts_["density"] == "mixture":
            self._hood: Neighbourhood | Gaussians = Gaussians.of(*learnt, int(draw.integers(2**31)))
        else:
            self._hood = Neighbourhood.of(*learnt, min(self.neighbours, len(rows)))
            if self.distance is not None:
                self._reach(rows, draw)
        self.arrays_.update(vars(self._hood))

    def _chosen(self, rows: Any, learnt: tuple[ndarray, ndarray, ndarray], draw: np.random.Generator) -> str:
        """The density whose rows teach a boosted forest best, on a quarter of the rows kept aside; without y the first.

        The second must be better by more than chance: 0.1 / √(rows kept aside of the rarest class), with rows as far
        from real ones as ``distance`` asks.
        """
        target = self.facts_["target"]
        if target is None or len(rows) < LEAST_TO_CHOOSE:
            return DENSITIES[0]
        order = draw.permutation(len(rows))
        held, teach = np.sort(order[: len(rows) // 4]), np.sort(order[len(rows) // 4 :])
        part = rows.iloc[teach].reset_index(drop=True)
        scores = {}
        for density in DENSITIES:
            self.facts_["density"] = density
            self._put(part, tuple(array[teach] for array in learnt), draw)  # type: ignore[arg-type]
            self._match(MATCHED, draw)
            made = [self._rows(len(part), draw) for _ in range(TRIALS)]
            scores[density] = [taught(None, new, rows.iloc[held], target["name"], trial)[1]
                               for trial, new in enumerate(made)]  # fmt: skip
            far = self.distance is None or Closeness(part).ratio(made[0]) >= self.distance
            for name in vars(self._hood):
                del self.arrays_[name]
        self.facts_["tried"] = {density: float(np.mean(found)) for density, found in scores.items()}
        first, second = self.facts_["tried"].values()
        rarest = np.bincount(learnt[2][held])
        return DENSITIES[int(far and second - first > 0.1 / np.sqrt(rarest[rarest > 0].min()))]

    def _unexplained(self, model: BaseAutoencoder, rows: Any) -> ndarray:
        """What the decoder does not give back of each number (N, numbers), zero where it is missing."""
        batch = model.processor_.collate(model.processor_.encode(rows))
        parts = Parts.of(model.processor_)
        away = batch.target.double().numpy() - self._decoded(model.transform(rows))
        known = np.ones(away.shape, bool)
        if batch.scored is not None:
            known = np.repeat(batch.scored.numpy(), parts.widths, 1)
        return np.where(known, away, 0.0)[:, parts.numeric].astype(np.float32)

    def _groups(self, rows: Any) -> ndarray:
        """The number of each row's class (N,), zeros where there are no classes."""
        target = self.facts_["target"]
        if target is None or not target["classes"]:
            return np.zeros(len(rows), np.int32)
        processor: Any = self.processor_
        held = processor.encode(rows)["x"][:, processor.slices[target["name"]]].numpy()
        return (held.argmax(1) if held.shape[1] > 1 else held[:, 0]).astype(np.int32)

    def _reach(self, rows: Any, draw: np.random.Generator) -> None:
        """Set the spread of each class so that new rows are as far from real ones as ``distance`` asks, if they can.

        A class of few rows, whose distances say little, stays as its neighbours spread.
        """
        hood: Any = self._hood
        group = hood.group
        names = [name for name, count in zip(*np.unique(group, return_counts=True), strict=True) if count >= ENOUGH]
        if not names:
            return
        some = np.concatenate([draw.permutation(np.flatnonzero(group == name))[:TRIED] for name in names])
        close, seed = Closeness(rows), int(draw.integers(2**31))
        real = close.others(rows.iloc[some])
        low, high = (np.full(len(names), end) for end in SPREADS)
        for _ in range(HALVINGS):
            middle = np.sqrt(low * high)
            hood.spread[names] = middle
            self._match(MATCHED, np.random.default_rng(seed))
            found = close.distances(self._rows(len(some), np.random.default_rng(seed + 1), some))
            ratios = [ratio_of(found[group[some] == name], real[group[some] == name]) for name in names]
            near = np.asarray(ratios) < (self.distance or 0)
            low, high = np.where(near, middle, low), np.where(near, high, middle)
        hood.spread[names] = high

    def _match(self, n: int, draw: np.random.Generator) -> None:
        """Learn the distribution of each number among draws, to bring it to that of the real rows."""
        self.arrays_["made"] = self._parts.quantiles(self._drawn(n, draw)[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # drawing ------------------------------------------------------------------------------------------------

    def sample(self, n_samples: int = 1, *, where: Any = None, random_state: Any = None) -> Any:
        """New rows of the kind given at fit; fitted with y: X and y.

        where : ``{column: value | (low, high) | [values]}``, ends that are None are open, a value that is None asks
            for a missing cell; or texts such as "age>=40". Every row satisfies it.

        Raises `UsageError` for conditions on columns or values that the table has not, `ModelError` if too few of
        the rows drawn satisfy them.
        """
        rows, y = part(self.draw(n_samples, where=where, random_state=random_state).rows, self.facts_)
        return rows if y is None else (rows, y)

    def draw(self, n: int, *, where: Any = None, random_state: Any = None) -> Drawn:
        """New rows as one table, the target among its columns, and how many were drawn for them."""
        check_is_fitted(self, "models_")
        if not isinstance(n, int | np.integer) or n < 1:
            raise out_of_range("n_samples", "an int of at least 1", n)
        draw = np.random.default_rng(check_random_state(random_state).randint(2**31 - 1))
        found = named(conditions(where), self.processor_.columns)  # type: ignore[attr-defined]
        if not found:
            pieces = [self._rows(min(BATCH, n - begin), draw) for begin in range(0, n, BATCH)]
            return Drawn(require("pandas", "table", "a table").concat(pieces, ignore_index=True), n, False)
        possible(found, self.processor_, self.facts_)
        pool, few_met = self._pool(found), []

        def rows(size: int, few: bool) -> Any:
            few_met.append(few)
            return self._rows(size, draw, self._density.pick(size, pool(few), draw))

        made, draws = rejected(rows, n, found)
        return Drawn(made, draws, any(few_met) and self.facts_["density"] == "neighbours")

    def _pool(self, found: list[Condition]) -> Callable[[bool], ndarray | None]:
        """Which rows to draw around: those that satisfy the conditions, where hardly any other draw does.

        Conditions on the target's classes alone choose rows at once: a draw is of the class of its row.
        """
        target = self.facts_["target"]
        of_class = target is not None and target["classes"] and all(c.column == target["name"] for c in found)
        chosen: list[ndarray | None] = []

        def rows(few: bool) -> ndarray | None:
            if not (of_class or (few and self.facts_["density"] == "neighbours")):
                return None
            if not chosen:
                chosen.append(self._of_class(found) if of_class else self._nearest(found))
            return chosen[0]

        return rows

    def _of_class(self, found: list[Condition]) -> ndarray | None:
        """Which rows, or Gaussians, are of the classes that satisfy the conditions; None: none is."""
        group = self._density.group
        names, first = np.unique(group, return_index=True)
        data = np.zeros((len(names), sum(self._parts.widths)))
        fits = np.flatnonzero(np.isin(group, names[satisfied(self._inverted(data, group[first]), found)]))
        return fits if len(fits) else None

    def _nearest(self, found: list[Condition]) -> ndarray:
        """Which rows satisfy the conditions; where none does, those that are nearest to them."""
        known = self._real()
        fits = np.flatnonzero(satisfied(known, found))
        away = np.sum([condition.away(known) for condition in found], 0)
        return fits if len(fits) else np.argsort(away, kind="stable")[:CLOSE]

    def _real(self) -> Any:
        """The rows whose codes are kept, as the model has them."""
        data = self._decoded(self.arrays_["codes"])
        data[:, self._parts.numeric] += self.arrays_["rest"]
        return self._inverted(data, self.arrays_["group"])

    def _rows(self, n: int, draw: np.random.Generator, index: ndarray | None = None) -> Any:
        """New rows as a table, drawn around these rows (None: all, one as often as another)."""
        data, group = self._drawn(n, draw, index)
        for at, made, real in zip(self._parts.numeric, self.arrays_["made"].T, self.arrays_["real"].T, strict=True):
            data[:, at] = np.interp(data[:, at], made, real)
        return self._inverted(data, group)

    def _drawn(self, n: int, draw: np.random.Generator, index: ndarray | None = None) -> tuple[ndarray, ndarray]:
        """Encoded new rows (n, F), and the classes of the rows that they were drawn around."""
        hood = self._density
        index = hood.pick(n, None, draw) if index is None else index
        z, rest = hood.draw(index, draw)
        return self._parts.drawn(self._decoded(z), rest, draw), hood.group[index]

    @property
    def _density(self) -> Neighbourhood | Gaussians:
        if "_hood" not in vars(self):
            kind: Any = Gaussians if self.facts_["density"] == "mixture" else Neighbourhood
            self._hood = kind(**{name: self.arrays_[name] for name in kind.__dataclass_fields__})
        return self._hood

    @property
    def _parts(self) -> Parts:
        return Parts.of(self.processor_)

    def _decoded(self, codes: ndarray) -> ndarray:
        """Data-space rows (n, F) from codes: means and shares."""
        model = self.autoencoder_
        with torch.inference_mode():
            parts = torch.from_numpy(np.ascontiguousarray(codes, np.float32)).split(CHUNK)
            found = [model.objective_.loss.link(model.module_.decode(z)) for z in parts]
            return np.asarray(torch.cat(found).double().numpy())

    def _inverted(self, data: ndarray, group: ndarray) -> Any:
        """The table of data-space rows, of the classes of the rows they were drawn around."""
        target, processor = self.facts_["target"], self.processor_
        if target is not None and target["classes"]:
            place = processor.slices[target["name"]]  # type: ignore[attr-defined]
            width = place.stop - place.start
            data[:, place] = np.eye(width)[group] if width > 1 else group[:, None]
        return settled(processor.invert(torch.from_numpy(data)), self.facts_)

    # judging ------------------------------------------------------------------------------------------------

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """New rows, rows of a Gaussian copula and shuffled columns against rows that were not seen."""
        real, facts = as_table(learn)
        made = {"this model": self.draw(min(len(real), MOST), random_state=seed).rows}
        target = facts["target"] and facts["target"]["name"]
        return compared_tables(real, as_table(held)[0], made, target=target, seed=seed)
