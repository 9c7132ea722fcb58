"""Pictures with missing pixels: what is gone, from what is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy import ndarray
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..core import Batch, Spec, register
from ..core.errors import DataError, out_of_range, unknown
from ..corruptions.holes import KINDS, with_guess
from ..data import Source
from ..data.process_holed import HoledImage
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..train import Trainer
from . import pictures
from .base import Assessment, TaskModel
from .exhibit import Exhibit
from .steps import in_steps

WIDTH, DEPTH = 32, 2
"""Of the default network."""
STEPS, MOST_EPOCHS, BATCH, RATE = 1000, 300, 16, 2e-3
"""Steps of training, where the trainer leaves it open: pixels are hidden anew all the time, so more of it does good."""
LEAST_KNOWN = 0.02
"""Tiles of which less is known teach nothing."""


@register("task", "inpaint")
class Inpainter(TransformerMixin, TaskModel):
    """Fills missing pixels by an autoencoder that learnt to give hidden pixels back.

        picture, mask ──smooth guess──▶ [guess | known?] ──▶ U-shaped network ──▶ correction ──(+)──▶ filled picture

    In training it hides known pixels of tiles, anew in every epoch, and is asked for these; so it learns from whole
    pictures, and from damaged ones alone. Known pixels come back as they were, to the bit.

    X is an array (N, H, W[, C]) or a list of pictures (H, W[, C]) of any sizes, uint8 or floats, grey or colour; what
    comes back is of the same kind, size and dtype. **Missing pixels** are those of a mask given beside X (True or not
    0 where a pixel is *missing*, as scikit-image has it, the other way round than this package's own masks), those of
    NaN, those of colour ``missing_value``, and the wholly transparent ones of pictures with four channels.

    Parameters
    ----------
    autoencoder : any that learns without labels, told ``[guess | known?]`` and asked for the hidden pixels; None: one
        with network "u-shaped", which takes pictures of any size. Others take tiles, which fade into each other.
    mask : what is hidden in training: pixels, rectangles, strokes, mixed (each in turn), others (what other tiles
        lack); "auto": others where pixels are missing, else mixed.
    share : mean share of the pixels that is hidden; tiles differ by half of it either way; in (0, 1).
    size : mean side of rectangles and strokes, as a share of the tile's; in (0, 1].
    tile : side of the tiles it learns from, in pixels, int >= 8; smaller pictures are learnt from whole.
    missing_value : a number, or one a channel, in the pictures' own units; None: no colour means missing.
    trainer, random_state : as in `Autoencoder`.

    Raises `DataError` for rows that are no pictures, masks of another size, and pictures without a known pixel;
    `UsageError` for parameters out of range.

    Reference: Pathak et al. (2016), "Context encoders: feature learning by inpainting"; Xie, Xu & Chen (2012), "Image
    denoising and inpainting with deep neural networks"; from damaged pictures alone: Batson & Royer (2019),
    "Noise2Self: blind denoising by self-supervision".

    >>> import numpy as np
    >>> from diabolo import Inpainter, Trainer
    >>> X = np.tile(np.linspace(0, 1, 16, dtype=np.float32), (12, 16, 1))
    >>> missing = np.random.default_rng(0).random(X.shape) < 0.25
    >>> model = Inpainter(trainer=Trainer(epochs=1), random_state=0).fit(X, missing)
    >>> filled = model.transform(X, missing)
    >>> filled.shape, bool((filled == X)[~missing].all()), float(np.abs(filled - X).max()) < 0.1
    ((12, 16, 16), True, True)
    """

    _takes_missing: ClassVar[bool] = True
    _any_size: ClassVar[bool] = True

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        mask: str = "auto",
        share: float = 0.25,
        size: float = 0.3,
        tile: int = 48,
        missing_value: float | Sequence[float] | None = None,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.mask, self.share, self.size, self.tile = autoencoder, mask, share, size, tile
        self.missing_value, self.trainer, self.random_state = missing_value, trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from pictures; y: where their pixels are missing, True or not 0 (class labels are not looked at)."""
        self._begin()
        model, rows = self._prepared(X, y)
        given = model.trainer
        model.trainer = self._longer(given, len(rows))
        self._member("autoencoder", model, rows)
        model.trainer = given
        return self

    def plan(self, X: Any, y: Any = None) -> Self:
        self._begin()
        model, rows = self._prepared(X, y)
        model.trainer = self._longer(model.trainer, len(rows))
        self._shown = model.plan(rows)
        self.models_["autoencoder"] = self._shown
        return self

    def _prepared(self, X: Any, y: Any) -> tuple[BaseAutoencoder, Source]:
        """The autoencoder, not fitted, and the tiles it is to learn from."""
        self._check()
        held = pictures.taken(X, beside(X, y), self.missing_value)
        self.facts_.update(channels=held.channels, range=list(pictures.range_of(held)))
        model = self._base()
        tiles = self._tiles(held, int(model.random_state))
        kind = self.mask
        if kind == "auto":
            kind = "mixed" if all(known.all() for known in held.known) else "others"
        self.facts_["mask"] = kind
        return model, Source(tiles, "array", processor=HoledImage(kind, self.share, self.size))

    def _check(self) -> None:
        if self.mask not in ("auto", *KINDS):
            raise unknown("kind of mask", self.mask, ["auto", *KINDS])
        if not isinstance(self.tile, int) or self.tile < 8:
            raise out_of_range("tile", "an int of at least 8", self.tile)
        HoledImage("pixels", self.share, self.size)

    def _tiles(self, held: pictures.Pictures, seed: int) -> ndarray:
        """Tiles (N, H, W, C + 1) of values in [0, 1] and of what is known; bytes stay bytes."""
        shapes = [picture.shape for picture in held.pictures]
        side = pictures.sides(shapes, self.tile)
        self.facts_["tile"] = list(side)
        made = []
        for number, top, left in pictures.places(shapes, side, seed):
            spot = (slice(top, top + side[0]), slice(left, left + side[1]))
            known = held.known[number][spot]
            if known.mean() < LEAST_KNOWN:
                continue
            values, shown = held.pictures[number][spot], known[..., None]
            if held.dtype == np.uint8:
                values, sign = np.where(shown, values, np.uint8(0)), shown * np.uint8(255)
            else:
                values, sign = pictures.scaled(values, known, self.facts_["range"]), shown.astype(np.float32)
            made.append(np.concatenate([values, sign], -1))
        if len(made) < 2:
            raise DataError(
                f"these {len(held)} pictures hold {len(made)} tiles with known pixels; at least 2 are needed. Is the "
                "mask the wrong way round? It is True, or not 0, where a pixel is missing."
            )
        return np.stack(made)

    def _default(self) -> BaseAutoencoder:
        network = Spec("u-shaped", width=WIDTH, depth=self._depth())
        return Autoencoder(WIDTH, network=network, loss="squared")

    def _depth(self) -> int:
        """Halvings: fewer for tiles that are too small for them."""
        return DEPTH if min(self.facts_.get("tile", [self.tile])) >= 4 * 2**DEPTH else 1

    def _longer(self, trainer: Trainer | None, rows: int) -> Trainer:
        """A copy of a trainer in which "auto" is what suits hidden pixels: about `STEPS` steps, however many tiles."""
        rate = RATE if self.autoencoder is None else None
        return in_steps(trainer, rows, steps=STEPS, fewest=2, most=MOST_EPOCHS, batch=BATCH, rate=rate)

    # filling ------------------------------------------------------------------------------------------------

    def transform(self, X: Any, missing: Any = None) -> Any:
        """The pictures with every missing pixel filled, as they were given; ``missing``: True where one is."""
        check_is_fitted(self, "models_")
        held = pictures.taken(X, beside(X, missing), self.missing_value, self.facts_["channels"])
        return held.as_given(self.filled(held))

    def filled(self, held: pictures.Pictures) -> list[ndarray]:
        """The filled pictures (H, W, C), of the dtype given; known pixels are untouched."""
        ends = pictures.ends_for(held, (self.facts_["range"][0], self.facts_["range"][1]))
        made: list[ndarray] = []
        for begin, end in _alike(held.pictures):
            known = np.stack(held.known[begin:end])
            each = zip(held.pictures[begin:end], known, strict=True)
            values = np.stack([pictures.scaled(picture, mask, ends) for picture, mask in each])
            said = self.predicted(torch.from_numpy(values), torch.from_numpy(known)).numpy()
            for picture, mask, new in zip(held.pictures[begin:end], known, said, strict=True):
                out = picture.copy()
                out[~mask] = pictures.unscaled(new[~mask], ends, held.dtype)
                made.append(out)
        return made

    def predicted(self, values: Tensor, known: Tensor) -> Tensor:
        """What the network says of pictures (B, H, W, C) of one size with values in [0, 1], known (B, H, W)."""
        model = self.autoencoder_
        module, link = model.module_, model.objective_.loss.link

        def said(x: Tensor) -> Tensor:
            return link(module.decoded(Batch(x, x[..., :-1])))

        with torch.inference_mode():
            x = with_guess(values, known)
            return pictures.over(said, module.encoder, x, tuple(self.facts_["tile"]))  # type: ignore[arg-type]

    def inner_rows(self, source: Source) -> Source:
        """The middle tile of every picture."""
        return pictures.middles(source, self.facts_, self.missing_value)

    # judging and showing ------------------------------------------------------------------------------------

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Hide known pixels of held-out pictures, as in training; fill them by this model and by simple methods."""
        from .inpaint_rivals import assessment

        return assessment(self, held, seed=seed)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """Pictures as they were, with pixels hidden, and filled; and how well by kind of hole."""
        from .inpaint_rivals import shown

        return shown(self, source, seed=seed)


def beside(X: Any, masks: Any) -> Any:
    """The masks given, or those a source brings; labels of whole pictures are none."""
    if masks is None and isinstance(X, Source):
        masks = X.target
    if masks is None or not len(masks):
        return None
    return masks if np.ndim(masks[0]) >= 1 else None


def _alike(held: Sequence[ndarray], most: int = pictures.AT_ONCE) -> list[tuple[int, int]]:
    """Runs of pictures of one shape, begin and end, of at most ``most`` pixels."""
    runs: list[tuple[int, int]] = []
    for place, picture in enumerate(held):
        begin = runs[-1][0] if runs else 0
        fits = (place - begin + 1) * picture.shape[0] * picture.shape[1] <= most
        if runs and held[begin].shape == picture.shape and fits:
            runs[-1] = (begin, place + 1)
        else:
            runs.append((place, place + 1))
    return runs
