"""Noise taken out: of pictures of any size, of sounds, of tables and arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..core import register
from ..core.errors import DataError, UsageError, out_of_range
from ..data import Source, Stored, is_frame, kind_of
from ..data import open as open_source
from ..estimators.base import BaseAutoencoder
from ..train import Trainer
from .base import Assessment, TaskModel
from .denoise_domain import Domain
from .denoise_pictures import PictureNoise
from .denoise_recordings import SoundNoise
from .denoise_rows import RowNoise
from .exhibit import Exhibit

DOMAINS: dict[str, type[Domain]] = {"pictures": PictureNoise, "sounds": SoundNoise, "rows": RowNoise}


@register("task", "denoise")
class Denoiser(TransformerMixin, TaskModel):
    """Takes noise out by an autoencoder that learnt to give clean rows back from damaged ones.

        clean rows:  x ──noise──▶ x̃ ──▶ autoencoder ──▶ x̂                 cost(x, x̂)
        noisy rows:  x ──some pixels hidden──▶ x̃ ──▶ autoencoder ──▶ x̂    cost(x, x̂) at those pixels alone

    Pictures (``(N, H, W[, C])``, or a list of pictures of any sizes) go through a U-shaped network that sees any size
    whole, so nothing shows where parts meet. Of sounds the network says how much of every bin of the spectrum is kept
    (see `denoise_recordings.SoundNoise`). Tables and arrays go through a dense one. What comes back is of the kind
    given.

    From **noisy pictures alone** (``clean=False``) it learns what every pixel's surroundings say of it, which cannot
    be the noise of that pixel; restoring goes over all pixels so, and what a pixel itself says is weighed in by the
    noise that was estimated. Noise must be independent from pixel to pixel for that.

    Parameters
    ----------
    autoencoder : any that learns without labels; None: for pictures one with network "u-shaped", else a dense one.
    clean : whether the rows to learn from are clean; False: they hold the noise that is to be taken out.
    noise : standard deviation of the noise that is added in training, > 0: of pictures as a share of the range from
        black to white (25 of 255 is .098), of numbers as a share of a column's spread; every row gets a strength of
        its own below it. (low, high): between these two; (s, s): always s. "auto": 0.2 for pictures, 0.5 for numbers.
        Of sounds recordings of the noise to expect: a path, or sounds (a model that is to be saved takes a path);
        "auto": white noise, -5 to 15 dB of signal to noise.
    damage : any other corruption instead of noise, by name or Spec, such as "blur(std=1.5)", "salt-and-pepper" or
        "several(parts=['blur', 'noise(std=0.05)'])", of sounds "background(low=0, high=10)"; None: noise. Only with
        ``clean``.
    tile : side of the tiles of pictures it learns from, in pixels, int >= 8.
    trainer, random_state : as in `Autoencoder`.

    Raises `DataError` for rows it cannot read, `UsageError` for parameters out of range.

    Reference: Vincent et al. (2008), "Extracting and composing robust features with denoising autoencoders"; Zhang et
    al. (2017), "Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising"; from noisy rows alone:
    Batson & Royer (2019), "Noise2Self: blind denoising by self-supervision".

    >>> import numpy as np
    >>> from diabolo import Denoiser, Trainer
    >>> X = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (12, 16, 1))
    >>> model = Denoiser(noise=(0.1, 0.1), trainer=Trainer(epochs=3), random_state=0).fit(X)
    >>> noisy = X + np.random.default_rng(0).normal(0, 0.1, X.shape).astype("float32")
    >>> float(np.square(model.transform(noisy) - X).mean()) < float(np.square(noisy - X).mean())
    True
    """

    _any_size: ClassVar[bool] = True

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        clean: bool = True,
        noise: float | Sequence[float] | str = "auto",
        damage: Any = None,
        tile: int = 48,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.clean, self.noise, self.damage, self.tile = autoencoder, clean, noise, damage, tile
        self.trainer, self.random_state = trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows, clean ones or (``clean=False``) noisy ones; y is not looked at."""
        self._begin()
        domain = self._domain_for(X)
        model, rows = domain.prepared(X)
        with domain.fitting(model):
            self._member("autoencoder", model, rows)
        return self

    def plan(self, X: Any, y: Any = None) -> Self:
        self._begin()
        model, rows = self._domain_for(X).prepared(X)
        self._shown = model.plan(rows)
        self.models_["autoencoder"] = self._shown
        return self

    def transform(self, X: Any) -> Any:
        """The rows without their noise, as they were given."""
        return self._domain(X).restored(X)

    def noise_levels(self, X: Any) -> list[str]:
        """How much noise each row seems to hold, in words; [] for tables and arrays."""
        return self._domain(X).levels(X)

    def strengths(self, usual: float) -> tuple[float, float]:
        """Weakest and strongest noise that is learnt from. Raises `UsageError` for what is none."""
        given: Any = usual if isinstance(self.noise, str) and self.noise == "auto" else self.noise
        ends = (0.0, given) if _is_number(given) else given
        pair = isinstance(ends, list | tuple) and len(ends) == 2 and all(_is_number(end) for end in ends)
        if not (pair and 0 <= ends[0] <= ends[1] < np.inf and ends[1]):
            raise out_of_range("noise", "a number above 0, a pair low <= high of them, or 'auto'", self.noise)
        return float(ends[0]), float(ends[1])

    def _default(self) -> BaseAutoencoder:
        return DOMAINS[self.facts_["domain"]](self).default()

    def _domain_for(self, X: Any) -> Domain:
        """The domain of rows to learn from; which one is kept. Raises `UsageError` for parameters out of range."""
        if not isinstance(self.clean, bool):
            raise out_of_range("clean", "True or False", self.clean)
        if not isinstance(self.tile, int) or self.tile < 8:
            raise out_of_range("tile", "an int of at least 8", self.tile)
        if self.damage is not None and not self.clean:
            raise UsageError(
                "damage is done to clean rows; with clean=False the rows hold their own noise: leave it out."
            )
        self.facts_["domain"] = domain_of(X)
        return DOMAINS[self.facts_["domain"]](self)

    def _domain(self, X: Any) -> Domain:
        """The domain at fit. Raises `DataError` for rows of another one."""
        check_is_fitted(self, "models_")
        learnt, found = self.facts_["domain"], domain_of(X)
        if learnt != found:
            raise DataError(f"this denoiser learnt from {learnt}; it was given {found}.")
        return DOMAINS[learnt](self)

    def inner_rows(self, source: Source) -> Source:
        """Parts of the size the autoencoder takes."""
        return self._domain(source).inner_rows(source)

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Damage held-out rows as in training and restore them, beside simple methods; None without clean ones."""
        return self._domain(held).assess(held, seed) if self.clean else None

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """Rows as they were, damaged, and restored."""
        return self._domain(source).exhibits(source, seed)


def domain_of(X: Any) -> str:
    """Which domain rows belong to. Raises `UsageError` for kinds that none takes, and for rows that stay on disk."""
    if isinstance(X, str | Path):
        X = open_source(X)
    rows = X.rows if isinstance(X, Source) else X
    if isinstance(rows, Stored):
        raise UsageError("noise is taken out of rows in memory; give more with --memory, or fewer of them.")
    kind = (X.modality if isinstance(X, Source) else None) or kind_of(rows)
    if isinstance(X, Source) and kind == "array":
        kind = kind_of(rows) or kind
    if kind == "audio" and "sounds" in DOMAINS:
        return "sounds"
    if kind in ("image", "photos") or _are_pictures(rows):
        return "pictures"
    if kind in (None, "array", "table", "counts") or is_frame(rows):
        return "rows"
    raise UsageError(f"noise is taken out of pictures, sounds, tables and arrays; rows of kind {kind!r} are none.")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _are_pictures(rows: Any) -> bool:
    if isinstance(rows, np.ndarray) and rows.dtype != object:
        return rows.ndim in (3, 4)
    return isinstance(rows, list | tuple | np.ndarray) and len(rows) > 0 and np.ndim(rows[0]) in (2, 3)
