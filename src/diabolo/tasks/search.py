"""Search by likeness: rows as codes, and the rows of an index whose codes are nearest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from sklearn.utils.validation import check_is_fitted

from ..core import Windowed, register
from ..core.errors import DataError, ModelError, UsageError, out_of_range
from ..data import Source
from ..data import open as open_source
from ..estimators import saving
from ..estimators.base import BaseAutoencoder
from ..estimators.from_disk import on_disk, pieces
from ..estimators.rows import bare
from ..train import Trainer
from .base import Assessment, TaskModel
from .code_store import HASHED, CodeStore
from .exhibit import Exhibit
from .nearest import Found
from .row_keys import NUMBER, RowKeys, columns_of
from .windows import bounds


class Hits(NamedTuple):
    """What was found for each query, nearest first: distances (Q, k) and keys of the rows (Q, k)."""

    distances: ndarray
    keys: ndarray


@register("task", "search")
class SearchIndex(TaskModel):
    """Rows that are like a row: an autoencoder's codes, searched for the nearest.

        add      rows ──encoder──▶ codes ──────────────▶ index (codes, or bits, and the keys of the rows)
        search   query ──the same encoder──▶ code ──▶ k nearest ──▶ distances, keys

        exact    every code is compared, in blocks; nothing is missed, ties are in the order of the rows
        hnsw     a graph of neighbours that is walked (FAISS): large sets, memory for 64 links a row
        ivf-pq   cells, and codes cut into pieces of a byte (FAISS): quicker to build than the graph
        binary   the signs of codes, as bits; Hamming distance (FAISS): 32 bits a row are 4 bytes, codes are not kept

    hnsw and ivf-pq measure what they find by the codes themselves, and look as far as is needed to find the share
    ``recall`` of the true neighbours of some of the rows, which are asked for before they are put in. Rows that are cut
    into windows (sounds, series, clips) have one code a window, and the keys ``start`` and ``end`` beside the row's
    own. A code that keeps positions counts as one vector.

    Parameters
    ----------
    autoencoder : any autoencoder. Fitted: its codes are searched, `add` may be called at once. Not fitted (None: an
        `Autoencoder`): `fit` trains it on the rows, then adds them.
    kind : "exact", "hnsw", "ivf-pq" or "binary". All but exact need the extra ``search``.
    metric : "cosine" or "euclidean", between codes; bits have their own.
    bits : of kind "binary", at most the values of a code; None: as many, 64 at most. Codes that are bits already
        (bottleneck "binary") stay as they are; others are turned by iterative quantisation, learnt from the first rows
        that are added.
    recall : in (0, 1]; share of the 10 nearest that hnsw and ivf-pq are to find.
    trainer : of the autoencoder, if it is to be fitted.
    random_state : seed; also: None lets the graph be built by several threads, which is quicker and never twice the
        same.

    Raises `UsageError` for parameters out of range, `DataError` for rows that cannot be used, `MissingExtra` where
    FAISS is not installed. A saved index holds plain arrays of every kind, checked before FAISS sees them: none of
    FAISS's own bytes, which it reads without suspicion.

    Reference: Krizhevsky & Hinton (2011), "Using very deep autoencoders for content-based image retrieval"; Malkov &
    Yashunin (2020), "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world
    graphs"; Jégou, Douze & Schmid (2011), "Product quantization for nearest neighbor search"; Salakhutdinov & Hinton
    (2009), "Semantic hashing".

    >>> import numpy as np
    >>> from diabolo import Autoencoder, SearchIndex, Trainer
    >>> X = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
    >>> model = Autoencoder(3, trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> index = SearchIndex(model).add(X, keys=[f"row {n}" for n in range(40)])
    >>> distances, keys = index.search(X[7:8], k=3)
    >>> keys.shape, str(keys[0, 0]), round(float(distances[0, 0]), 6)
    ((1, 3), 'row 7', 0.0)
    """

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        kind: str = "exact",
        metric: str = "cosine",
        bits: int | None = None,
        recall: float = 0.98,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.kind, self.metric, self.bits = autoencoder, kind, metric, bits
        self.recall, self.trainer, self.random_state = recall, trainer, random_state

    def __sklearn_clone__(self) -> Self:
        """A clone keeps a fitted autoencoder: its codes are what is searched."""
        made: Self = super().__sklearn_clone__()
        made.autoencoder = self.autoencoder if _fitted(self.autoencoder) else made.autoencoder
        return made

    # building -----------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, keys: Any = None) -> Self:
        """Train the autoencoder, unless it is fitted, and add the rows; what was in the index is forgotten."""
        X = open_source(X) if isinstance(X, str | Path) else X
        if _fitted(self.autoencoder):
            self._open()
        else:
            super()._begin()
            self._store.check()
            self._member("autoencoder", self._base(), X)
        return self.add(X, keys)

    def _begin(self) -> None:
        self.models_, self.arrays_, self.facts_, self.metrics_ = {}, {}, {}, {}

    def _open(self) -> None:
        """An empty index of the fitted autoencoder."""
        if not _fitted(self.autoencoder):
            raise ModelError("the autoencoder of this index is not fitted; fit it first, or fit the index to rows.")
        self._begin()
        self._store.check()
        model: Any = self.autoencoder
        self.models_["autoencoder"], self.n_features_in_ = model, vars(model).get("n_features_in_")
        if "feature_names_in_" in vars(model):
            self.feature_names_in_ = model.feature_names_in_
        self.metrics_ = {name: model.metrics_[name] for name in ("data",) if name in model.metrics_}

    def empty(self, **params: Any) -> SearchIndex:
        """An index of the same autoencoder without rows, other parameters as given here."""
        made = SearchIndex(**{**self.get_params(deep=False), **params})
        made.autoencoder = self.autoencoder_ if vars(self).get("models_") else self.autoencoder
        made._open()
        made.metrics_.update({name: held for name, held in vars(self).get("metrics_", {}).items() if name == "data"})
        return made

    @property
    def _store(self) -> CodeStore:
        """The codes that are searched."""
        held: CodeStore | None = vars(self).get("_made")
        if held is None or held.arrays is not self.arrays_:
            held = self._made = CodeStore(
                self.arrays_, self.facts_, self.kind, self.metric, self.bits, self.recall, self.random_state is not None
            )
        return held

    def add(self, X: Any, keys: Any = None) -> Self:
        """Add rows to the index, after those that are there.

        X : rows as the autoencoder takes them, on disk too. keys : what they are called, one a row: texts or numbers,
        or a DataFrame of several columns; None: the keys of a source (file names …), where it has some, else their
        numbers. Rows of an index all have the same key columns.
        """
        if "models_" not in vars(self):
            self._open()
        X = open_source(X) if isinstance(X, str | Path) else X
        if keys is not None and on_disk(X):
            raise UsageError("rows on disk bring their own keys; leave out keys=.")
        for piece in pieces(X) if isinstance(X, Source) else (X,):
            codes, named = self._codes(piece), self._named(piece, keys)
            self._must_fit(codes, named)
            if "values" not in self.facts_:
                self._store.learn(self._codes(X.rows.sample(HASHED)) if on_disk(X) else codes)
            self._keys.extend(named)
            self._store.add(codes)
            self.metrics_["rows"] = self.metrics_.get("rows", 0) + len(bare(piece))
        return self

    def _codes(self, X: Any) -> Float[ndarray, "n d"]:
        """Codes as vectors. Raises `ModelError` if some are not finite."""
        codes = self.autoencoder_.transform(X)
        codes = np.ascontiguousarray(codes.reshape(len(codes), -1), dtype=np.float32)
        if not np.isfinite(codes).all():
            raise ModelError("some codes are not finite; they cannot be searched. Train the autoencoder again.")
        return codes

    def _named(self, X: Any, keys: Any) -> dict[str, ndarray]:
        """The key columns of rows, one a code; {}: they go by their number."""
        if keys is None and isinstance(X, Source):
            keys = X.keys
        found = {} if keys is None else columns_of(keys)
        if not isinstance(self.processor_, Windowed):
            return found
        number, start, end = bounds(self.processor_, bare(X))
        if not found:
            found = {"row": np.arange(len(bare(X))) + self.metrics_.get("rows", 0)}
        return {
            **{name: column[number] for name, column in found.items()}, **columns_of({"start": start, "end": end})
        }  # fmt: skip

    def _must_fit(self, codes: ndarray, named: dict[str, ndarray]) -> None:
        """Raise `DataError` for keys that are not one a code."""
        if named and len(next(iter(named.values()))) != len(codes):
            raise DataError(f"there are {len(next(iter(named.values())))} keys for {len(codes)} codes.")
        if not named and self._keys.columns:
            raise DataError(f"the index knows its rows by {self._keys.names[0]!r}; give keys= with more of them.")
        if named and not self._keys.columns and len(self):
            raise DataError("the rows of this index go by their number; leave out keys=.")

    # searching ----------------------------------------------------------------------------------------------

    def search(self, X: Any, k: int = 10) -> Hits:
        """The k rows nearest to each row of X: distances, rising, and keys, both (Q, k).

        Keys are those given to `add` (numbers of the rows, where there were none; a tuple, where rows have several key
        columns). An index of fewer rows gives fewer columns. Where hnsw or ivf-pq find too few, the last distances are
        infinite and the keys None (-1 for numbers).
        """
        distances, numbers = self.nearest(self.queries(X), k)
        return Hits(distances, self.keys_of(numbers))

    def queries(self, X: Any) -> Float[ndarray, "q d"]:
        """Codes of rows (of windows), as `nearest` takes them."""
        check_is_fitted(self, "models_")
        X = open_source(X) if isinstance(X, str | Path) else X
        return np.concatenate([self._codes(piece) for piece in (pieces(X) if isinstance(X, Source) else (X,))])

    def nearest(self, codes: Float[ndarray, "q d"], k: int = 10) -> Found:
        """Distances and numbers of the k rows nearest to codes."""
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
            raise out_of_range("k", "an int of at least 1", k)
        return self._filled()._store.nearest(codes, int(k))

    def like(self, numbers: Any, k: int = 10) -> Found:
        """Distances and numbers of the k rows nearest to rows of the index, without themselves."""
        return self._filled()._store.like(np.atleast_1d(np.asarray(numbers, dtype=np.int64)), k)

    def where(self, key: Any) -> Int[ndarray, " m"]:
        """Numbers of the rows of that key (of that first key column: all windows of a file). Raises `DataError`."""
        found = self._keys.where(key)
        if not self._keys.columns and str(key).isdigit() and int(key) < len(self):
            return np.array([int(key)])
        if not len(found):
            name = self._keys.names[0] if self._keys.columns else "row"
            raise DataError(f"no row of this index has {name} {key!r}.")
        return found

    def keys_of(self, numbers: Int[ndarray, "*n"]) -> ndarray:
        """Keys of rows, in the shape of ``numbers``."""
        if not self._keys.columns:
            return numbers
        columns = list(self.columns_of(numbers).values())
        if len(columns) == 1:
            return columns[0]
        found = np.empty(numbers.shape, object)
        for at in np.ndindex(numbers.shape):
            found[at] = None if numbers[at] < 0 else tuple(column[at] for column in columns)
        return found

    def columns_of(self, numbers: Int[ndarray, "*n"]) -> dict[str, ndarray]:
        """The key columns of rows; their number, where they have none. Of -1: None, NaN."""
        missing = numbers < 0
        if not self._keys.columns:
            return {"row": numbers}
        found = self._keys.at(np.where(missing, 0, numbers))
        kinds = dict(self._keys.columns)
        if missing.any():
            for name, values in found.items():
                found[name] = np.where(missing, np.nan if kinds[name] == NUMBER else None, values)  # type: ignore[arg-type]
        return found

    def recall_at(self, codes: Float[ndarray, "q d"], k: int = 10) -> float:
        """Share of the k rows nearest to codes (`queries`) that is found, against exact search.

        What is as near as the k-th nearest counts as found. Raises `UsageError` for bits, which keep no codes.
        """
        return self._filled()._store.recall_at(codes, k)

    # what it is ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Codes in the index."""
        return len(self._store) if "arrays_" in vars(self) else 0

    @property
    def _keys(self) -> RowKeys:
        return RowKeys(self.arrays_, self.facts_.setdefault("keys", []))

    def _filled(self) -> Self:
        check_is_fitted(self, "models_")
        if not len(self):
            raise DataError("the index holds no rows; add some first.")
        return self

    def must_hold(self, model: BaseAutoencoder) -> None:
        """Raise `ModelError` unless the codes of this index are those of a model."""
        if fingerprint(model) != fingerprint(self.autoencoder_):
            ours, other = (f"{m.part_name!r} with codes of {m.n_components_}" for m in (self.autoencoder_, model))  # type: ignore[attr-defined]
            raise ModelError(
                f"this index holds codes of another model ({ours}) than the one given ({other}); codes of two models "
                "cannot be compared. Make an index of its own for this model."
            )

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Beside principal components and the rows as they are: are the rows found of the same class, or near?"""
        from .search_shown import judged

        return judged(self, learn, held, seed)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """Some rows and those nearest to them among the rows given, as pictures; what the index itself finds."""
        from .search_shown import shown

        return shown(self, source, seed)

    # on disk ------------------------------------------------------------------------------------------------

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write the index and its model into a folder; `diabolo.load` reads it.

        Raises `ModelError` if the folder holds something already, unless ``force``.
        """
        check_is_fitted(self, "models_")
        self._store.seal()
        try:
            super().save(path, force=force)
        finally:
            self._store.unseal()


def fingerprint(model: BaseAutoencoder) -> str:
    """What tells two models' codes apart: a hash of the weights and of how rows become tensors."""
    found = hashlib.sha256(json.dumps(model.processor_.state(), sort_keys=True, default=str).encode())
    for name, tensor in sorted(saving.tensors_of(model).items()):
        found.update(name.encode())
        found.update(tensor.flatten().view(-1).numpy().tobytes())
    return found.hexdigest()


def _fitted(model: Any) -> bool:
    return model is not None and "module_" in vars(model)
