"""Recommendation: items for users given by their history, users never seen before included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy import ndarray
from scipy.sparse import csr_matrix, identity, issparse
from sklearn.utils.validation import check_is_fitted

from ..core import Processor, Spec
from ..core.errors import DataError, ModelError, UsageError, out_of_range
from ..core.registry import register
from ..data import InteractionProcessor, Source, is_frame, processor_for
from ..data import open as open_source
from ..data.write_interactions import best
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..estimators.recipe import Choice
from ..estimators.variational import VAE
from ..train import Trainer
from .base import Assessment, TaskModel
from .exhibit import Exhibit
from .item_weights import MOST_ITEMS, gram, linear_weights
from .ranking import GAIN, halves, measured
from .side_items import carried

KINDS = ("auto", "vae", "dae", "ease", "edlae")
CODE, HIDDEN, BETA, HIDES = 200, (600,), 0.2, 0.5
STEPS, BATCH, RATE = 1500, 250, 1e-3
"""Training of the default autoencoders, where the trainer leaves it open."""
PENALTIES = (5.0, 20.0, 50.0, 100.0, 200.0, 400.0, 800.0)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the linear autoencoder's scores beside the other's, from which kind 'auto' chooses."""
ENOUGH, FEW, MOST = 50, 200, 1000
"""Users from which some are kept to choose on: a tenth, a quarter where that is fewer than so many, and at most."""
USERS = 512
"""Users whose scores of all items are held at a time."""
COMMON = 500
"""Items whose scores are averaged to tell what is near an item from what is near all."""


@register("task", "recommend")
class Recommender(TaskModel):
    """Ranks items for a user by the user's history: nothing else is known of a user, so new users are served at once.

        history ──▶ autoencoder ──▶ log shares ──z-score──▶ (1 - w) ─┐
           │                                                         (+)──▶ scores ──without the history──▶ best k
           └──▶ x B, linear, in closed form ──────z-score──▶ w ──────┘

    ``kind``: "vae" is Mult-VAE (its beta rises to .2 over the first half of training), "dae" Mult-DAE, "ease" and
    "edlae" the linear autoencoders with a diagonal of zeros, in closed form (no hidden layer, so no codes), "auto" a
    VAE and an EDLAE together, their share w chosen by nDCG@100 on some of the users, who are kept from training;
    so is the penalty. The linear one is then made of all users. Above 20,000 items "auto" is a VAE alone.

    X: users x items, scipy sparse or an array of numbers >= 0 (0: none), or a source of interactions. What is not 0
    counts as one interaction; ``processor="interactions(at_least=4)"`` of a source leaves low ratings out.

    Parameters
    ----------
    autoencoder : one that learns from interactions, in place of the VAE or DAE; None: what ``kind`` says.
    kind : "auto", "vae", "dae", "ease" or "edlae".
    penalty : of the linear weights, in users, > 0; "auto": chosen on users kept from training.
    dropout : in [0, 1), of "edlae" and "auto": the chance that an entry of the input is dropped.
    trainer, random_state : as in `Autoencoder`.

    Raises `DataError` for rows that are no interactions, `UsageError` for parameters out of range.

    Reference: Liang, Krishnan, Hoffman & Jebara (2018), "Variational autoencoders for collaborative filtering"; Steck
    (2019), "Embarrassingly shallow autoencoders for sparse data"; Steck (2020), "Autoencoders that don't overfit
    towards the identity".

    >>> X = csr_matrix(np.kron(np.eye(2), np.ones((4, 3))))
    >>> model = Recommender(kind="ease", penalty=1.0).fit(X)
    >>> items, scores = model.recommend(csr_matrix([[1, 1, 0, 0, 0, 0]]), k=1)
    >>> items.tolist(), model.similar_items(0, k=2)[0].tolist()
    ([[2]], [1, 2])
    """

    _reads_as: ClassVar[str] = "interactions"

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        kind: str = "auto",
        penalty: float | str = "auto",
        dropout: float = 0.5,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.kind, self.penalty, self.dropout = autoencoder, kind, penalty, dropout
        self.trainer, self.random_state = trainer, random_state

    # fitting ------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from the histories of users; y is not looked at."""
        self._begin()
        self._check()
        source = self._read(X)
        seed, users = self._seed_now(), len(source)
        order = np.random.default_rng(seed).permutation(users)
        kept = min(MOST, max(users // 10, min(FEW, users // 4))) if users >= ENOUGH and self._chooses() else 0
        learn = source.take(np.sort(order[kept:])) if kept else source
        if self._neural():
            self._member("autoencoder", self._sized(learn), learn)
        if self._linear():
            self._closed_form(self._matrix(source), order[:kept], seed)
        counts = np.asarray(self._matrix(source).sum(0), np.float32).ravel()
        self.arrays_["popularity"] = counts
        self.n_features_in_ = len(counts)
        return self

    def plan(self, X: Any, y: Any = None) -> Self:
        """Decide everything and build, but do not train. Raises `UsageError` for kinds that are not trained."""
        self._begin()
        self._check()
        source = self._read(X)
        if not self._neural():
            raise UsageError(f"kind {self.kind!r} is one linear solution in closed form: there is nothing to plan.")
        self._shown = self._sized(source).plan(source)
        self.models_["autoencoder"] = self._shown
        return self

    def _check(self) -> None:
        if self.kind not in KINDS:
            raise out_of_range("kind", " or ".join(map(repr, KINDS)), self.kind)
        if self.penalty != "auto" and not (isinstance(self.penalty, int | float) and self.penalty > 0):
            raise out_of_range("penalty", "a positive number, or 'auto'", self.penalty)
        if not (isinstance(self.dropout, int | float) and 0 <= self.dropout < 1):
            raise out_of_range("dropout", "in [0, 1)", self.dropout)
        if self.autoencoder is not None and self.kind in ("ease", "edlae"):
            raise UsageError(f"kind {self.kind!r} has no autoencoder to be given; leave one of the two out.")

    def _read(self, X: Any) -> Source:
        """Interactions as a source; what this model knows of their form is kept."""
        X = open_source(X, as_="interactions") if isinstance(X, str | Path) else X
        source = X if isinstance(X, Source) else Source(_sparse(X), "interactions")
        if not issparse(source.rows):
            raise DataError(
                f"{source.origin or 'X'}: a recommender learns from interactions of users with items; these rows are "
                f"of kind {source.modality!r}. Read them with as_='interactions' (--as interactions)."
            )
        made: Any = processor_for(source)
        if not isinstance(made, InteractionProcessor) or made.values != "implicit":
            raise UsageError(
                "a recommender ranks items by what users have, not by the ratings they gave: take the processor "
                "'interactions', with at_least=4 to leave low ratings out."
            )
        self.facts_["processor"] = made.fit(source.rows).state()
        self.facts_["items"] = [str(name) for name in source.columns]
        return source

    def _neural(self) -> bool:
        return self.kind not in ("ease", "edlae")

    def _linear(self) -> bool:
        wide = self.facts_["processor"]["width"] > MOST_ITEMS
        return self.kind in ("ease", "edlae") or (self.kind == "auto" and not wide)

    def _chooses(self) -> bool:
        return self._linear() and (self.penalty == "auto" or self.kind == "auto")

    def _default(self) -> BaseAutoencoder:
        network = Spec("dense", activation="tanh", hides=HIDES)
        width = self.facts_["processor"]["width"]
        code, hidden = min(CODE, width), tuple(min(size, 2 * width) for size in HIDDEN)
        if self.kind == "dae":
            return Autoencoder(code, network=network, hidden=hidden)
        return VAE(code, network=network, hidden=hidden, beta=f"linear(start=0.0, end={BETA}, share=0.5)")

    def _sized(self, source: Source) -> BaseAutoencoder:
        """The autoencoder, and a trainer in which "auto" is what suits interactions."""
        model = self._base()
        made = Trainer(**(model.trainer or Trainer()).get_params(deep=False))
        if self.autoencoder is None:
            batch = min(BATCH, max(1, len(source) // 4)) if made.batch_size == "auto" else made.batch_size
            steps = max(1, len(source) // batch) if isinstance(batch, int) else 1
            made.batch_size = batch
            made.epochs = int(np.clip(STEPS // steps, 20, 200)) if made.epochs == "auto" else made.epochs
            if made.optimizer == "auto":
                made.optimizer, made.lr = "adam", RATE if made.lr == "auto" else made.lr
            made.validation = 0.0  # the weight of the divergence rises: early losses are no measure of late ones
        model.trainer = made
        return model

    def _closed_form(self, matrix: csr_matrix, kept: ndarray, seed: int) -> None:
        """The linear weights; penalty and share are chosen on the users kept, then all users are taken."""
        dropout = 0.0 if self.kind == "ease" else float(self.dropout)
        penalties = PENALTIES if self.penalty == "auto" else (float(self.penalty),)
        chosen, weight = penalties[len(penalties) // 2], 1.0 if self.kind != "auto" else 0.5
        if len(kept):
            told, hidden = halves(matrix[kept], seed=seed)
            learn = np.setdiff1d(np.arange(matrix.shape[0]), kept)
            counts, found = gram(matrix[learn]), {}
            deep = standard(self._deep(told)) if self._neural() else None
            for penalty in penalties:
                flat = np.asarray(told @ linear_weights(counts, penalty, dropout))
                for share in WEIGHTS if deep is not None else (1.0,):
                    mixed = flat if deep is None else (1 - share) * deep + share * standard(flat)
                    found[penalty, share] = float(measured(mixed, told, hidden)[f"nDCG@{GAIN}"].mean())
            chosen, weight = max(found, key=lambda pair: found[pair])
            self.facts_["chosen"] = {"users": len(kept), "gain": found[chosen, weight]}
        self.facts_.update(penalty=chosen, weight=weight)
        self.arrays_["weights"] = linear_weights(gram(matrix), chosen, dropout)

    # using --------------------------------------------------------------------------------------------------

    @property
    def items_(self) -> ndarray:
        """Names of the items (M,), in the order of the columns."""
        names = self._fitted().facts_["items"]
        return np.asarray(names) if names else np.arange(self.facts_["processor"]["width"])

    def scores(self, X: Any) -> ndarray:
        """A score of every item for every user, float32 (N, M): the higher, the sooner recommended.

        Users without a history get every item by its popularity. Raises `DataError` for other items than at fit.
        """
        return self._scores(self._fitted()._histories(X))

    def recommend(self, X: Any, k: int = 20, *, exclude_seen: bool = True) -> tuple[ndarray, ndarray]:
        """The k best items of every user (N, k), best first, as columns, and their scores.

        ``exclude_seen``: without those of the user's history; -1 and minus infinity where none are left. Users without
        a history (`without_history`) get what is most popular.
        """
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
            raise out_of_range("k", "an int of at least 1", k)
        matrix = self._fitted()._histories(X)
        parts = []
        for begin in range(0, matrix.shape[0], USERS):
            piece = matrix[begin : begin + USERS]
            parts.append(best(self._scores(piece), piece if exclude_seen else None, int(k)))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def without_history(self, X: Any) -> ndarray:
        """Which users have no item that this model knows (N,)."""
        return np.diff(self._fitted()._histories(X).indptr) == 0

    def similar_items(self, item: Any, k: int = 20) -> tuple[ndarray, ndarray]:
        """The k items nearest to one (a column, or its name), as columns, and how near.

        What a user gets who has this item alone, less what users get who have any other one: what is near to all,
        because it is popular, is near to none.
        """
        place, width = self.place_of(item), self.facts_["processor"]["width"]
        common = np.argsort(-self.arrays_["popularity"], kind="stable")[:COMMON]
        alone = csr_matrix(identity(width, dtype=np.float32, format="csr")[np.append(common, place)])
        scores = standard(self._scores(alone))
        lift = scores[-1:] - scores[:-1].mean(0)
        items, values = best(lift, alone[-1:], k)
        return items[0][items[0] >= 0], values[0][items[0] >= 0]

    def cold_scores(self, X: Any, known: Any, new: Any) -> ndarray:
        """Scores (N, J) of items that nobody has had, by side information: the user's scores carried over to them.

        ``known``: what is known of the items of this model (M, F), ``new``: the same of J new ones; see `side_items`.
        They compare with each other, and with standardised scores of the known items.
        """
        matrix = self._fitted()._histories(X)
        if known.shape[0] != self.facts_["processor"]["width"] or known.shape[1] != new.shape[1]:
            raise DataError(
                f"side information of {self.facts_['processor']['width']:,} items with the same columns is needed; got "
                f"{known.shape} of known and {new.shape} of new items."
            )
        pieces = range(0, matrix.shape[0], USERS)
        return np.concatenate([carried(standard(self._scores(matrix[b : b + USERS])), known, new) for b in pieces])

    def place_of(self, item: Any) -> int:
        """The column of an item by its name or number. Raises `UsageError` for one that is not known."""
        names = self.items_
        if isinstance(item, str):
            found = np.flatnonzero(names.astype(str) == item)
            if len(found):
                return int(found[0])
        elif 0 <= int(item) < len(names):
            return int(item)
        raise UsageError(f"item {item!r} is not one of the {len(names):,} this model knows, such as {names[0]!r}.")

    def _histories(self, X: Any) -> csr_matrix:
        X = open_source(X, as_="interactions", columns=self.facts_["items"] or None) if isinstance(X, str | Path) else X
        return self._matrix(X if isinstance(X, Source) else Source(_sparse(X), "interactions"))

    def _matrix(self, source: Source) -> csr_matrix:
        """What counts as an interaction, as ones."""
        processor = self._reader()
        return processor.encode(source.rows)["x"].csr(processor.width)

    def _reader(self) -> InteractionProcessor:
        return InteractionProcessor.from_state(self.facts_["processor"])

    def _deep(self, matrix: csr_matrix) -> ndarray:
        """Log shares by the autoencoder."""
        shares = np.asarray(self.models_["autoencoder"].reconstruct(matrix), np.float32)
        return np.log(np.maximum(shares, np.finfo(np.float32).tiny))

    def _scores(self, matrix: csr_matrix) -> ndarray:
        weight = self.facts_.get("weight", 0.0)
        flat = np.asarray(matrix @ self.arrays_["weights"]) if weight else None
        if not self._neural() and flat is not None:
            made = flat
        elif flat is None:
            made = self._deep(matrix)
        else:
            made = (1 - weight) * standard(self._deep(matrix)) + weight * standard(flat)
        empty = np.diff(matrix.indptr) == 0
        made[empty] = self.arrays_["popularity"]
        return made.astype(np.float32, copy=False)

    # what the base asks for ---------------------------------------------------------------------------------

    @property
    def autoencoder_(self) -> BaseAutoencoder:
        """The autoencoder. Raises `ModelError` for the linear kinds, which have no hidden layer and so no codes."""
        if "facts_" in vars(self) and self.facts_ and not self._neural():
            raise ModelError(
                f"kind {self.kind!r} is linear, from items to items, without a hidden layer: it has no codes and no "
                "reconstruction to show. diabolo recommend is the verb for it; --set kind=vae trains one with codes."
            )
        return super().autoencoder_

    @property
    def processor_(self) -> Processor:
        """How histories become tensors."""
        return self._reader()

    @property
    def choices_(self) -> list[Choice]:
        """What was decided, and why."""
        own = []
        if "chosen" in self.facts_:
            why = "best nDCG@{} on {:,} users kept from training: {:.4f}".format(GAIN, *self.facts_["chosen"].values())
            own = [Choice(name, self.facts_[name], why) for name in ("penalty", "weight")]
        return [*(self.autoencoder_.choices_ if self._neural() else []), *own]

    def describe(self) -> dict[str, Any]:
        """What `diabolo info` prints."""
        check_is_fitted(self, "models_")
        shown = {**self.facts_, "items": len(self.items_)}
        if self._neural():
            made = super().describe()
            more = self.arrays_["weights"].size if "weights" in self.arrays_ else 0
            choices = [choice.as_dict() for choice in self.choices_]
            return {
                **made, "facts": shown, "choices": choices, "parameter_count": made["parameter_count"] + more
            }  # fmt: skip
        width = self.facts_["processor"]["width"]
        return {
            "name": self.part_name, "modality": "interactions", "shape": [width], "n_components": width,
            "code_shape": [width], "parameters": {n: str(v) for n, v in self.get_params(deep=False).items()},
            "choices": [choice.as_dict() for choice in self.choices_], "layers": [], "members": {},
            "parameter_count": width * width, "epochs_run": 0, "facts": shown, "rows": self.metrics_.get("rows"),
            "metrics": self.metrics_,
        }  # fmt: skip

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Users never seen: a fifth of their history is hidden and asked for, by this model and by simple methods."""
        from .recommend_rivals import assessment

        train, asked = self._matrix(learn), self._matrix(held)
        ease = None
        if self.kind != "ease" and train.shape[1] <= MOST_ITEMS:
            ease = type(self)(kind="ease", random_state=seed).fit(train)
        return assessment(self, ease, train, asked, seed)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """What some users had and what they are recommended, and items near to some."""
        from .recommend_rivals import shown

        return shown(self, self._matrix(source), source.keys, seed)

    def _fitted(self) -> Self:
        check_is_fitted(self, "models_")
        return self


def standard(scores: ndarray) -> ndarray:
    """Scores of every user at mean 0 and standard deviation 1 over the items; of none that differ: 0."""
    spread = scores.std(1, keepdims=True)
    centred: ndarray = scores - scores.mean(1, keepdims=True)
    return centred / np.where(spread > 0, spread, 1)


def _sparse(X: Any) -> csr_matrix:
    """A matrix of interactions from what was given. Raises `DataError` for anything else."""
    if issparse(X):
        return csr_matrix(X)
    rows = None if is_frame(X) else np.asarray(X)
    if rows is None or rows.ndim != 2 or rows.dtype.kind not in "buif" or (rows < 0).any():
        raise DataError(
            "a recommender takes users x items: a scipy sparse matrix, an array (N, M) of numbers of at least 0, or "
            "data.open(path, as_='interactions') for a file of users and items."
        )
    return csr_matrix(rows)
