"""Noise taken out of pictures of any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..core import Batch, Corruption, Spec, make
from ..core.errors import DataError
from ..corruptions.blind_spots import surroundings
from ..data import Source
from ..estimators.base import BaseAutoencoder
from ..estimators.denoising import DenoisingAutoencoder
from ..train import Trainer
from . import pictures
from .base import Assessment
from .decibels import psnr, verdict
from .denoise_domain import Domain
from .exhibit import Exhibit, Strip
from .noise_level import noise_std

WIDTH, DEPTH = 32, 2
"""Of the default network."""
STEPS, MOST_EPOCHS, BATCH, RATE = 1500, 300, 16, 2e-3
"""Steps of training, where the trainer leaves it open: noise is drawn anew all the time, so more of it does good."""
USUAL = 0.2
"""The strongest noise, of the range from black to white: 51 of 255."""
STEP = 4
"""Side of the cells of blind spots."""
MOST_PICTURES, SHOWN = 40, 4
Filter = Callable[[ndarray], ndarray]


class PictureNoise(Domain):
    """Pictures, grey or colour, as values in [0, 1]."""

    def prepared(self, X: Any) -> tuple[BaseAutoencoder, Source]:
        task = self.task
        held = self._taken(X, None)
        task.facts_.update(channels=held.channels, range=list(pictures.range_of(held)))
        model = self.base()
        tiles = self._tiles(held, int(model.random_state))
        model.trainer = self._trained(model.trainer, len(tiles))
        return model, Source(tiles, "array")

    def _taken(self, X: Any, channels: int | None) -> pictures.Pictures:
        held = pictures.taken(X, channels=channels)
        if not all(known.all() for known in held.known):
            raise DataError("these pictures have missing pixels (NaN, or transparent ones): fill them first (inpaint).")
        return held

    def _tiles(self, held: pictures.Pictures, seed: int) -> ndarray:
        """Tiles (N, H, W[, C]) of values in [0, 1], some turned over."""
        shapes = [picture.shape for picture in held.pictures]
        side, ends = pictures.sides(shapes, self.task.tile), self._ends()
        self.task.facts_["tile"] = list(side)
        draw, made = np.random.default_rng(seed), []
        for number, top, left in pictures.places(shapes, side, seed):
            tile = held.pictures[number][top : top + side[0], left : left + side[1]]
            tile = tile[:: draw.choice((-1, 1)), :: draw.choice((-1, 1))]
            made.append(pictures.scaled(tile, np.ones(tile.shape[:2], bool), ends))
        if len(made) < 2:
            raise DataError("a single tile is too little to learn from; give more pictures, or larger ones.")
        tiles = np.stack(made)
        return tiles[..., 0] if held.channels == 1 else tiles

    def _ends(self) -> tuple[float, float]:
        low, high = self.task.facts_["range"]
        return low, high

    def damage(self) -> Any:
        """What is done to tiles in training, and to held-out pictures."""
        task = self.task
        if not task.clean:
            return Spec("blind-spots", step=STEP, dims=2)
        if task.damage is not None:
            return task.damage
        low, high = task.strengths(USUAL)
        return Spec("noise", std=high, least=low / high)

    def default(self) -> BaseAutoencoder:
        side = min(self.task.facts_.get("tile", [self.task.tile]))
        network = Spec("u-shaped", width=WIDTH, depth=DEPTH if side >= 4 * 2**DEPTH else 1, dims=2)
        return DenoisingAutoencoder(WIDTH, network=network, loss="squared")

    def _trained(self, trainer: Trainer | None, tiles: int) -> Trainer:
        """A copy of a trainer in which "auto" is what suits: about `STEPS` steps; nothing held out, for there it would
        see clean tiles."""
        made = Trainer(**(trainer or Trainer()).get_params(deep=False))
        if self.task.clean:
            made.validation = 0.0
        if self.task.autoencoder is None and made.optimizer == "auto":
            made.optimizer = "adamw"
            made.lr = RATE if made.lr == "auto" else made.lr
        if self.task.autoencoder is None and made.batch_size == "auto":
            made.batch_size = BATCH
        if made.epochs == "auto":
            batch = made.batch_size if isinstance(made.batch_size, int) else BATCH
            made.epochs = int(np.clip(math.ceil(STEPS / math.ceil(tiles / batch)), 2, MOST_EPOCHS))
        return made

    # restoring ----------------------------------------------------------------------------------------------

    def restored(self, X: Any) -> Any:
        held = self._taken(X, self.task.facts_["channels"])
        ends = self._ends()
        whole = (
            pictures.scaled(picture, known, ends) for picture, known in zip(held.pictures, held.known, strict=True)
        )
        return held.as_given([pictures.unscaled(self.said(one), ends, held.dtype) for one in whole])

    def said(self, picture: ndarray) -> ndarray:
        """A picture (H, W, C) with values in [0, 1] without its noise."""
        row = torch.from_numpy(picture)[None]
        with torch.inference_mode():
            out = self._passed(row) if self.task.clean else self._blind(row, noise_std(picture))
        made: ndarray = out[0].numpy()
        return made

    def _passed(self, rows: Tensor) -> Tensor:
        model = self.task.autoencoder_
        module, link = model.module_, model.objective_.loss.link
        grey = len(model.processor_.shape) == 2

        def said(x: Tensor) -> Tensor:
            x = x[..., 0] if grey else x
            back = link(module.decoded(Batch(x, x)))
            return back[..., None] if grey else back

        return pictures.over(said, module.encoder, rows, tuple(self.task.facts_["tile"]))  # type: ignore[arg-type]

    def _blind(self, rows: Tensor, noise: float) -> Tensor:
        """What the surroundings say of every pixel, and what the pixel itself does.

            x̂ = (1 - w) f + w x,    w = (e - σ²) / e,    e = mean (f - x)²

        f does not depend on the pixel's own noise, so e is its own error and the noise, σ²: w weighs two guesses of
        known variance.
        """
        around, said = surroundings(rows), torch.empty_like(rows)
        for top in range(STEP):
            for left in range(STEP):
                seen = rows.clone()
                spots = (slice(None), slice(top, None, STEP), slice(left, None, STEP))
                seen[spots] = around[spots]
                said[spots] = self._passed(seen)[spots]
        error = float(torch.square(said - rows).mean())
        own = max(0.0, error - noise**2) / max(error, 1e-12)
        return said + own * (rows - said)

    def levels(self, X: Any) -> list[str]:
        held = self._taken(X, self.task.facts_["channels"])
        low, high = self._ends()
        return [
            f"noise of about {100 * noise_std(picture) / (high - low):.1f} % of the range" for picture in held.pictures
        ]

    # judging and showing ------------------------------------------------------------------------------------

    def inner_rows(self, source: Source) -> Source:
        return pictures.middles(source, self.task.facts_)

    def trials(self, source: Source, seed: int) -> list[tuple[ndarray, ndarray]]:
        """Middles of pictures, clean and damaged (H, W, C), values in [0, 1]."""
        held = self._taken(source, self.task.facts_["channels"])
        damage: Corruption = make("corruption", self.damage())
        generator = torch.Generator().manual_seed(seed)
        found = []
        for place in np.unique(np.linspace(0, len(held) - 1, min(len(held), MOST_PICTURES)).astype(int)):
            picture = pictures.middle(held.pictures[place])
            clean = pictures.scaled(picture, np.ones(picture.shape[:2], bool), self._ends())
            row = torch.from_numpy(clean)[None]
            found.append((clean, damage(Batch(row, row), generator).x[0].numpy()))
        return found

    def assess(self, held: Source, seed: int) -> Assessment | None:
        cases = self.trials(held, seed)
        makers: Mapping[str, Filter] = {"this model": self.said, **RIVALS}
        found = {
            name: np.array([psnr(clean, make_(seen).clip(0, 1)) for clean, seen in cases])
            for name, make_ in makers.items()
        }
        title = f"{len(cases)} held-out pictures, damaged as in training"
        lines = tuple((name, f"{values.mean():.2f}") for name, values in found.items())
        return Assessment(title, ("", "PSNR, dB"), lines, verdict(found, seed))

    def exhibits(self, source: Source, seed: int) -> Sequence[Exhibit]:
        if self.task.clean:
            text, made = "These pictures may be ones it was trained on.", self._given_back
        else:
            text, made = "Nothing is known of how they looked without noise.", self._taken_out
        return (Exhibit("Noise taken out", text, tuple(made(source, seed))),)

    def _given_back(self, source: Source, seed: int) -> Iterator[Strip]:
        for number, (clean, seen) in enumerate(self.trials(source, seed)[:SHOWN]):
            back = self.said(seen).clip(0, 1)
            names = ("as it was", f"damaged, {psnr(clean, seen):.1f} dB", f"restored, {psnr(clean, back):.1f} dB")
            yield Strip(f"picture {number}", (clean, seen, back), names)

    def _taken_out(self, source: Source, seed: int) -> Iterator[Strip]:
        held = self._taken(source, self.task.facts_["channels"])
        for number, picture in enumerate(held.pictures[:SHOWN]):
            part = pictures.middle(picture)
            noisy = pictures.scaled(part, np.ones(part.shape[:2], bool), self._ends())
            back, names = self.said(noisy), ("as it is", "restored", "what was taken out")
            yield Strip(f"picture {number}", (noisy, back, 0.5 + noisy - back), names)


def _gaussian(picture: ndarray) -> ndarray:
    """The best of three widths for the noise that is estimated: wider where there is more."""
    from scipy.ndimage import gaussian_filter

    width = float(np.clip(8 * noise_std(picture), 0.3, 2.0))
    return np.asarray(gaussian_filter(picture, (width, width, 0)))


def _median(picture: ndarray) -> ndarray:
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(picture, (3, 3, 1)))


RIVALS: Mapping[str, Filter] = {
    "nothing done": lambda seen: seen,
    "Gaussian filter": _gaussian,
    "median filter": _median,
}
