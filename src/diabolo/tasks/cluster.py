"""Clusters of rows by their codes, and codes that are moved towards the clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import ClusterMixin, TransformerMixin
from sklearn.utils import ClassifierTags
from sklearn.utils.validation import check_is_fitted

from ..core import Spec, register
from ..core.errors import DataError, ModelError, UsageError, out_of_range
from ..data import Source
from ..data import open as open_source
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..estimators.from_disk import on_disk
from ..estimators.recipe import Choice
from ..estimators.variational import VAE
from ..penalties.clustering import Clustering, own_spread
from ..train import Trainer
from .base import Assessment, TaskModel
from .clusters import best_count, kmeans, mixed, moved
from .judge_clusters import judged

HOWS = ("idec", "dec", "vade", "codes")
SMALL_CODE = 10
"""Values of a code where no autoencoder was asked for: distances in many dimensions say little."""


@register("task", "cluster")
class AutoencoderClusterer(ClusterMixin, TransformerMixin, TaskModel):
    """Clusters of rows: an autoencoder's codes, clustered, and moved until the clusters are clear.

        x ──▶ autoencoder, trained ──▶ codes ──▶ k-means ──▶ centres μ          how="codes" ends here
        then encoder and centres together:   KL(p ‖ q) [+ reconstruction],    q_ij ∝ 1 / (1 + |z_i − μ_j|² / s²)

        dec     the divergence alone (Xie et al. 2016): the decoder is left behind and reconstructs no more
        idec    beside the reconstruction (Guo et al. 2017), which keeps what the codes held
        vade    a variational autoencoder whose prior is a mixture of Gaussians, one a cluster, begun by EM on its codes
                and trained with it (Jiang et al. 2017)

    p is made anew about every 140 steps, from what q was for every row when it was last seen. Training ends early
    when at most ``tol`` of the rows changed their cluster between two refreshes (not with vade).

    Parameters
    ----------
    autoencoder : any autoencoder that learns without labels; vade needs one with a Gaussian posterior and a prior.
        None: an `Autoencoder` (a `VAE`) whose code has at most 10 values.
    n_clusters : int >= 1, or "auto": of 2 to 12 the number whose k-means has the largest mean silhouette in the codes,
        of at most 2,000 rows.
    how : "idec", "dec", "vade" or "codes".
    epochs : of the phase after k-means: int >= 1, or "auto", about 3,000 steps.
    weight : of the divergence beside the reconstruction (idec): a number > 0, or "auto": what the code is worth to the
        decoder (how much more a row costs if the mean code is decoded in place of its own).
    tol : in [0, 1).
    trainer : of both phases; the second keeps its batch size and device.
    random_state : seed.

    Attributes after ``fit``: ``labels_`` (N,), ``cluster_centers_`` (K, D), ``n_clusters_``, ``autoencoder_``. Rows
    that are cut into windows (series, sounds) have one label a window. A code that keeps positions counts as one
    vector.

    Raises `UsageError` for parameters out of range, `DataError` for fewer rows than clusters.

    Reference: Xie, Girshick & Farhadi (2016), "Unsupervised deep embedding for clustering analysis"; Guo, Gao, Liu &
    Yin (2017), "Improved deep embedded clustering with local structure preservation"; Jiang, Zheng, Tan, Tang & Zhou
    (2017), "Variational deep embedding".

    >>> import numpy as np
    >>> from diabolo import AutoencoderClusterer, Trainer
    >>> X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32") + 5 * np.repeat([0, 1], 30)[:, None]
    >>> model = AutoencoderClusterer(n_clusters=2, epochs=3, trainer=Trainer(epochs=3), random_state=0).fit(X)
    >>> model.predict_proba(X).shape, int((model.labels_[:30] == model.labels_[0]).sum())
    ((60, 2), 30)
    """

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        n_clusters: int | str = "auto",
        how: str = "idec",
        epochs: int | str = "auto",
        weight: float | str = "auto",
        tol: float = 0.001,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.n_clusters, self.how, self.epochs = autoencoder, n_clusters, how, epochs
        self.weight, self.tol, self.trainer, self.random_state = weight, tol, trainer, random_state

    # fitting ------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train the autoencoder, find clusters in its codes, move both; y is not looked at."""
        self._begin()
        self._check()
        X = open_source(X) if isinstance(X, str | Path) else X
        if self.how != "codes" and on_disk(X):
            raise UsageError(
                f"how={self.how!r} needs the rows in memory; give more with --memory, or take how='codes', which goes "
                "over rows on disk."
            )
        model = self._member("autoencoder", self._chosen(X), X)
        codes = self._codes(X)
        self._count(codes)
        if self.how == "vade":
            self._fit_mixture(model, X)
        else:
            self._fit_centres(model, X, codes)
        self.arrays_["labels"] = self.predict(X)
        return self

    def plan(self, X: Any, y: Any = None) -> Self:
        """Decide everything of the autoencoder and build it, but do not train."""
        self._begin()
        self._check()
        self._shown = self._chosen(X).plan(X)
        self.models_["autoencoder"] = self._shown
        return self

    def _check(self) -> None:
        """Raise `UsageError` for parameters out of range."""
        if self.how not in HOWS:
            raise out_of_range("how", " or ".join(map(repr, HOWS)), self.how)
        for name, value in (("n_clusters", self.n_clusters), ("epochs", self.epochs)):
            if value != "auto" and (not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1):
                raise out_of_range(name, "an int of at least 1, or 'auto'", value)
        if self.weight != "auto" and not (isinstance(self.weight, int | float) and self.weight > 0):
            raise out_of_range("weight", "a positive number, or 'auto'", self.weight)
        if not (isinstance(self.tol, int | float) and 0 <= self.tol < 1):
            raise out_of_range("tol", "a share in [0, 1)", self.tol)

    def _default(self) -> BaseAutoencoder:
        return VAE() if self.how == "vade" else Autoencoder()

    def _chosen(self, X: Any) -> BaseAutoencoder:
        """The autoencoder that was asked for, or one of a small code."""
        if self.autoencoder is not None:
            return self._base()
        found = self._base().plan(X).n_components_
        return self._base().set_params(n_components=min(SMALL_CODE, found))

    def _count(self, codes: np.ndarray) -> None:
        """Decide how many clusters there are."""
        count, why = self.n_clusters, "as it was given"
        if count == "auto":
            count, scores = best_count(codes, self._seed_now())
            said = ", ".join(f"{k}: {score:.3f}" for k, score in scores.items())
            why = f"largest mean silhouette of k-means on the codes ({said})"
        if len(codes) < int(count):
            raise DataError(f"n_clusters is {count}, more than there are rows (n_samples={len(codes)}).")
        self.facts_.update(n_clusters=int(count), why=why)

    def _fit_centres(self, model: BaseAutoencoder, X: Any, codes: np.ndarray) -> None:
        """k-means on the codes; then codes and centres move towards each other."""
        found = kmeans(codes, self.n_clusters_, self._seed_now())
        self.arrays_["first_labels"] = found.labels_.astype(np.int64)
        z, centres = torch.from_numpy(codes), torch.from_numpy(found.cluster_centers_.astype(np.float32))
        term = Clustering(codes.shape[1], self.n_clusters_)
        term.take(centres, own_spread(z, centres))
        if self.how != "codes":
            history = moved(
                model, X, z, term, decoded=self.how == "idec", epochs=self.epochs, weight=self.weight, tol=self.tol,
                seed=self._seed_now(),
            )  # fmt: skip
            self.facts_.update(epochs=len(history), changed=float(term.changed))
        self.arrays_["centres"] = term.centres.detach().numpy().copy()
        self.facts_["spread"] = float(term.spread)

    def _fit_mixture(self, model: BaseAutoencoder, X: Any) -> None:
        """The prior becomes a mixture, begun by EM on the codes; all is trained on."""
        if not model.objective_.ties_prior or len(model.code_shape_) != 1:
            raise UsageError(
                "how='vade' needs an autoencoder with a posterior, a prior and one code a row, such as VAE; got "
                f"{type(model).__name__} with codes of shape {model.code_shape_}."
            )
        model.fit_prior(X, Spec("mixture", components=self.n_clusters_))
        self.arrays_["first_labels"] = self.predict(X)
        self.facts_["epochs"] = len(mixed(model, X, epochs=self.epochs, seed=self._seed_now()))

    # using --------------------------------------------------------------------------------------------------

    @property
    def n_clusters_(self) -> int:
        """The number of clusters."""
        return int(self.facts_["n_clusters"])

    @property
    def labels_(self) -> np.ndarray:
        """Cluster of every row given to `fit` (N,), 0 to K - 1."""
        return self._fitted().arrays_["labels"]

    @property
    def cluster_centers_(self) -> np.ndarray:
        """Centres in the space of the codes, (K, D)."""
        if "centres" in self._fitted().arrays_:
            return self.arrays_["centres"]
        prior: Any = self.autoencoder_.module_.prior
        centres: np.ndarray = prior.means.detach().numpy()
        return centres

    @property
    def choices_(self) -> list[Choice]:
        """What was decided of the autoencoder and of the number of clusters, and why."""
        own = [Choice("n_clusters", self.n_clusters_, self.facts_["why"])] if "why" in self.facts_ else []
        return [*self.autoencoder_.choices_, *own]

    def predict_proba(self, X: Any) -> np.ndarray:
        """How far a row belongs to each cluster (N, K), rows summing to 1: Student's t, or the mixture's posterior."""
        return self._shares(self._fitted()._codes(X))

    def predict(self, X: Any) -> np.ndarray:
        """The cluster of every row (N,), the likeliest one."""
        return self.predict_proba(X).argmax(1)

    def fit_predict(self, X: Any, y: Any = None) -> np.ndarray:
        """`fit`, then ``labels_``."""
        return self.fit(X, y).labels_

    def transform(self, X: Any) -> np.ndarray:
        """Codes of rows (N, D)."""
        return self._fitted()._codes(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the code's columns: z0, z1 …"""
        return self._fitted().autoencoder_.get_feature_names_out()

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Beside k-means on the rows and on as many principal components, on rows it has not seen."""
        return judged(self, learn, held, seed)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.input_tags.sparse = True
        tags.classifier_tags = ClassifierTags()  # of `predict_proba`; it is a clusterer all the same
        return tags

    def _fitted(self) -> Self:
        check_is_fitted(self, "models_")
        return self

    def _codes(self, X: Any) -> np.ndarray:
        """Codes as vectors. Raises `ModelError` if some are not finite."""
        codes = self.autoencoder_.transform(X)
        codes = codes.reshape(len(codes), -1)
        if not np.isfinite(codes).all():
            raise ModelError("some codes are not finite; they cannot be clustered. Train the autoencoder again.")
        return codes

    @torch.no_grad()
    def _shares(self, codes: np.ndarray) -> np.ndarray:
        z = torch.from_numpy(codes)
        if "centres" not in self.arrays_:
            prior: Any = self.autoencoder_.module_.prior
            return prior.responsibilities(z).numpy()  # type: ignore[no-any-return]
        centres = self.arrays_["centres"]
        term = Clustering(centres.shape[1], len(centres))
        term.take(torch.from_numpy(centres), self.facts_["spread"])
        return term.assign(z).numpy()
