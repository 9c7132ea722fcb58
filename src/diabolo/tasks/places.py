"""Where in a picture or a clip something is strange: patches, their reconstruction, and that of their features."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from ..core import Batch, Processor
from ..data.process_video import VideoProcessor
from ..estimators.base import BaseAutoencoder
from ..estimators.denoising import DenoisingAutoencoder
from ..estimators.rows import bare
from ..train import Trainer
from .neighbours import nearest
from .patches import Grid, greys, motion, portions, stills

LEVELS = ("both", "pixels", "features")
LOCAL = ("image", "video")
"""Kinds of rows that are looked at place by place."""
PATCHES, PICTURES, REFERENCE, STEPS, BATCH = 20_000, 1500, 5000, 800, 256
"""Most patches learnt from; pictures that they and usual residuals come from, that neighbours are looked for among."""
PEAKS, MEMORY = 200, 4000
"""Pictures held out that say how strange the strangest pixel of a normal one is; features of clips remembered."""
LAYOUT, CELL, SOFT, STEADY, FEW = 7, 3, 0.6, 0.5, 10
"""Cells a side of a layout; of a context; softness of the contrast; share of the spread that all places have in common;
pictures that what is known of all places is worth."""
Fit = Callable[[str, BaseAutoencoder, Any], BaseAutoencoder]


@dataclass
class Places:
    """Autoencoders of patches and of their features, and how large their residuals usually are at every place.

        picture ──cut──▶ patches ──▶ encoder ──▶ codes ──▶ decoder ──▶ patches̃      pixels: residual of a pixel
                                        │
                              contrast ─┴─▶ 3 x 3 codes ──▶ autoencoder ──▶ codes̃    features: residual of a code
                                        │
                                        └─▶ mean over 7 x 7 cells                    layout: distance to the k-th

    The encoder slides over the picture, as a convolution does, and has seen nothing but the user's own normal pictures.
    Its codes are turned so that distances between them are distances between the patches they stand for, counted from
    that of black, and brought to a common contrast, f / (|f| + c). A residual is told in standard deviations of those
    of the training pictures at the same place (half of the spread is that of all places).

    Of clips a patch holds how fast what is seen moves (`patches.motion`), features keep their size, for it is the
    speed, and what comes back of them is the nearest of those remembered: an autoencoder goes on in a straight line,
    and gives back a speed that it has never seen.

    Reference: Bergmann, Fauser, Sattlegger & Steger (2020), "Uninformed students" (features are reconstructed rather
    than pixels); Coates, Lee & Ng (2011), "An analysis of single-layer networks in unsupervised feature learning"
    (encoders of patches, pooled); Gong et al. (2019), "Memorizing normality to detect anomaly" (memory).
    """

    models: dict[str, BaseAutoencoder]
    grid: Grid
    k: int
    level: str
    arrays: dict[str, Tensor] = field(default_factory=dict)

    # learning -----------------------------------------------------------------------------------------------

    @classmethod
    def learn(
        cls, X: Any, processor: Processor, fit: Fit, trainer: Trainer | None, *, k: int, level: str, seed: int
    ) -> Places:
        """Fit both autoencoders to training rows, and see what is usual of them."""
        made, moves = cls({}, grid_of(processor), k, level), isinstance(processor, VideoProcessor)
        view = View(processor, bare(X), made.grid)
        if moves:
            made.arrays["usual"] = view.mean()
        random = np.random.default_rng(seed)
        order = random.permutation(view.count)
        some = np.sort(order[:PICTURES])
        made._learn_patches(view, some, fit, trainer, random)
        made._learn_features(view, some[:: max(1, len(some) // 300)], fit, trainer, random)
        made._usual(view, some)
        if made._has_layout:
            kept = np.sort(order[:REFERENCE])
            made.arrays["layouts"] = torch.cat([made._layout(made._looked(x)[1]) for x in view.at(kept, made.arrays)])
        return made

    def _learn_patches(
        self, view: View, some: ndarray, fit: Fit, trainer: Trainer | None, random: np.random.Generator
    ) -> None:
        share = max(1, 4 * PATCHES // len(some))
        drawn = []
        for small in view.at(some, self.arrays):
            cut = self.grid.cut(small).flatten(0, 1)
            drawn.append(cut[random.permutation(len(cut))[: share * len(small)]])
        found = torch.cat(drawn)
        contrast = found.std(1).double().numpy()
        weight = 0.05 + contrast / max(float(contrast.mean()), 1e-12)
        chosen = random.choice(len(found), min(PATCHES, len(found)), replace=False, p=weight / weight.sum())
        found = found[torch.from_numpy(chosen)]
        self.arrays["patch"], self.arrays["spread"] = found.mean(0), found.std().clamp_min(1e-4)
        values = (found - self.arrays["patch"]) / self.arrays["spread"]
        size = 16 if values.shape[1] < 100 else 32
        model = fit("patches", _small(size, 4 * size, 0.3, trainer, values), values.numpy())
        self.models["patches"] = model
        codes = torch.from_numpy(model.transform(values.numpy()))
        nothing = -(self.arrays["patch"] / self.arrays["spread"]).expand(2, -1)
        self.arrays["origin"] = torch.from_numpy(model.transform(nothing.numpy()))[0]
        self.arrays["metric"] = _metric(codes, values)
        lengths = ((codes - self.arrays["origin"]) @ self.arrays["metric"]).square().sum(1)
        self.arrays["contrast"] = SOFT * lengths.mean().sqrt().clamp_min(1e-6)

    def _learn_features(
        self, view: View, some: ndarray, fit: Fit, trainer: Trainer | None, random: np.random.Generator
    ) -> None:
        if self.level == "pixels":
            return
        share, drawn = max(1, PATCHES // len(some)), []
        for small in view.at(some, self.arrays):
            features = self._looked(small)[1]
            context = (features if "usual" in self.arrays else self._context(features)).flatten(0, 2)
            drawn.append(context[random.permutation(len(context))[: share * len(small)]])
        values = torch.cat(drawn)
        if "usual" in self.arrays:
            self.arrays["memory"] = values[torch.from_numpy(random.permutation(len(values))[:MEMORY])]
            return
        size = self.models["patches"].n_components_
        self.models["features"] = fit("features", _small(size, 4 * size, 0.05, trainer, values), values.numpy())

    def _usual(self, view: View, some: ndarray) -> None:
        """Mean and spread of the residuals at every place."""
        sums: dict[str, Any] = {}
        for small in view.at(some, self.arrays):
            for name, found in self._residuals(small).items():
                old = sums.get(name, (0.0, 0.0))
                sums[name] = (old[0] + found.double().sum(0), old[1] + found.double().square().sum(0))
        count = len(some)
        for name, (total, squares) in sums.items():
            mean = total / count
            spread = (squares / count - mean.square()).clamp_min(0)
            part = count / (count + FEW)
            mean = part * mean + (1 - part) * mean.mean()
            spread = (part * (1 - STEADY)) * spread + (1 - part * (1 - STEADY)) * spread.mean()
            self.arrays[f"{name}.mean"], self.arrays[f"{name}.scale"] = (
                mean.float(), spread.sqrt().clamp_min(1e-6).float(),
            )  # fmt: skip

    # looking ------------------------------------------------------------------------------------------------

    @property
    def _has_layout(self) -> bool:
        return "usual" not in self.arrays and self.level != "pixels"

    @property
    def names(self) -> tuple[str, ...]:
        """The measures of a row."""
        places = ("pixels", "features") if self.level == "both" else (self.level,)
        return (("layout",) if self._has_layout else ()) + places

    def _looked(self, small: Float[Tensor, "n c h w"]) -> tuple[Tensor, Tensor]:
        """Squared residual of every pixel (n, h, w), and the features of every place (n, h', w', D)."""
        cut = self.grid.cut(small)
        values = ((cut - self.arrays["patch"]) / self.arrays["spread"]).flatten(0, 1)
        model = self.models["patches"]
        size = model.n_components_

        def both(batch: Batch) -> Tensor:
            z = model.module_.code(batch.x)
            return torch.cat([z.flatten(1), model.objective_.loss.link(model.module_.decode(z, batch))], 1)

        found = torch.from_numpy(model._apply(values.numpy(), both))
        away = (found[:, size:] - values).square().reshape(cut.shape)
        features = (found[:, :size] - self.arrays["origin"]) @ self.arrays["metric"]
        if "usual" not in self.arrays:
            features = features / (features.square().sum(1, keepdim=True).sqrt() + self.arrays["contrast"])
        return self.grid.back(away), features.reshape(len(small), *self.grid.shape, -1)

    def _context(self, features: Float[Tensor, "n h w d"]) -> Float[Tensor, "n h w e"]:
        """The features of every place and of those around it."""
        whole = functional.pad(features.movedim(-1, 1), (CELL // 2,) * 4, mode="replicate")
        return functional.unfold(whole, CELL).transpose(1, 2).unflatten(1, self.grid.shape)

    def _layout(self, features: Float[Tensor, "n h w d"]) -> Float[Tensor, "n e"]:
        """Features of either sign, averaged over the cells of a coarse grid."""
        both = torch.cat([features.clamp_min(0), (-features).clamp_min(0)], -1).movedim(-1, 1)
        cells = (min(LAYOUT, both.shape[2]), min(LAYOUT, both.shape[3]))
        return functional.adaptive_avg_pool2d(both, cells).flatten(1)

    def _residuals(self, small: Tensor) -> dict[str, Tensor]:
        return self._of_both(*self._looked(small))

    def _of_both(self, away: Tensor, features: Tensor) -> dict[str, Tensor]:
        """Residuals of pixels and of features, as roots of means."""
        found = {}
        if self.level != "features":
            found["pixels"] = functional.avg_pool2d(away[:, None], 3, 1, 1, count_include_pad=False)[:, 0].sqrt()
        if self.level != "pixels":
            found["features"] = self._lacking(features).reshape(features.shape[:3])
        return found

    def _lacking(self, features: Tensor) -> Tensor:
        """How far features are from what comes back: from their autoencoder; of clips, from memory."""
        if "memory" in self.arrays:
            return nearest(features.flatten(0, 2), self.arrays["memory"], self.k)[0][:, -1]
        context = self._context(features).flatten(0, 2)
        back = torch.from_numpy(self.models["features"].reconstruct(context.numpy()))
        return (back - context).square().mean(1).sqrt()

    def _scaled(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        return {n: (v - self.arrays[f"{n}.mean"]) / self.arrays[f"{n}.scale"] for n, v in found.items()}

    # answers ------------------------------------------------------------------------------------------------

    def each(self, view: View) -> Float[ndarray, "n m"]:
        """Every measure of every picture or frame: of places the strangest one."""
        parts = []
        for small in view.at(None, self.arrays):
            away, features = self._looked(small)
            places = {n: v.flatten(1).amax(1) for n, v in self._scaled(self._of_both(away, features)).items()}
            if self._has_layout:
                places["layout"] = nearest(self._layout(features), self.arrays["layouts"], self.k)[0][:, -1]
            parts.append(torch.stack([places[name] for name in self.names], 1))
        return torch.cat(parts).double().numpy()

    def strangeness(self, processor: Any, X: Any) -> Float[ndarray, "n m"]:
        """Every measure of every row: of a window of frames that of its strangest frame."""
        view = View(processor, bare(X), self.grid)
        found = self.each(view)
        if not isinstance(processor, VideoProcessor):
            return found
        begins = np.cumsum([0, *view.lengths])
        number, start, stop = processor.places(bare(X))
        first = begins[number] + start // processor.every
        after = begins[number] + -(-stop // processor.every)
        return np.stack([found[a:b].max(0) for a, b in zip(first, after, strict=True)])

    def maps(self, view: View, places: ndarray | None = None) -> Iterator[Float[ndarray, "n H W"]]:
        """Strangeness of every pixel, mean over the levels, by portions of pictures or frames."""
        for small in view.at(places, self.arrays):
            scaled = self._scaled(self._residuals(small)).values()
            yield torch.stack([self.grid.full(part) for part in scaled]).mean(0).numpy()

    def peaks(self, view: View, most: int = PEAKS) -> Float[ndarray, " n"]:
        """The largest value of the maps of some pictures or frames."""
        some = np.unique(np.linspace(0, view.count - 1, most).astype(np.int64))
        parts = self.maps(view, some)
        return np.concatenate([part.max((1, 2)) for part in parts])


@dataclass
class View:
    """Pictures, or the frames of clips, one after the other, as the patches are cut from."""

    processor: Any
    rows: Any
    grid: Grid

    def __post_init__(self) -> None:
        moves = isinstance(self.processor, VideoProcessor)
        self._clips = (
            [torch.from_numpy(np.ascontiguousarray(f)) for f in self.processor.seen(self.rows)] if moves else []
        )
        self._pictures = torch.empty(0) if moves else self.processor.encode(self.rows)["x"]
        self.lengths = [len(clip) for clip in self._clips] if moves else [len(self._pictures)]
        self.count = sum(self.lengths)

    def mean(self) -> Float[Tensor, "h w"]:
        """The usual frame."""
        total: Any = 0.0
        for clip in self._clips:
            total = total + sum(
                self.grid.shrunk(greys(part), self.grid.fine).double().sum(0)[0] for part in clip.split(256)
            )
        found: Tensor = (total / self.count).float()
        return found

    def at(self, places: ndarray | None, arrays: dict[str, Tensor]) -> Iterator[Float[Tensor, "n c h w"]]:
        """Shrunken pictures at those places (None: all, in order), by portions."""
        if not self._clips:
            chosen = self._pictures if places is None else self._pictures[torch.from_numpy(places)]
            channels = chosen.shape[3] if chosen.ndim == 4 else 1
            for part in portions(len(chosen), self.grid.together(channels)):
                yield self.grid.shrunk(stills(chosen[part]))
            return
        begin = 0
        for clip in self._clips:
            grey = torch.cat([self.grid.shrunk(greys(part), self.grid.fine)[:, 0] for part in clip.split(256)])
            own = np.arange(begin, begin + len(clip)) if places is None else places
            own = own[(own >= begin) & (own < begin + len(clip))] - begin
            for part in portions(len(own), self.grid.together(3 * 4)):
                moving = motion(grey, arrays["usual"], torch.from_numpy(own[part]))
                yield self.grid.shrunk(moving, self.grid.shrink // self.grid.fine)
            begin += len(clip)


def _metric(codes: Tensor, values: Tensor) -> Float[Tensor, "d d"]:
    """Axes (D, D) on which codes are as far apart as the patches that they stand for, as far as this is linear.

    In double precision, rounded at the end: LAPACK's last digits are not the same every time.
    """
    z, x = (part.double() - part.double().mean(0) for part in (codes, values))
    squares = z.T @ z
    ridge = 1e-9 * squares.diagonal().mean().clamp_min(1e-12) * torch.eye(len(squares), dtype=torch.float64)
    linear = torch.linalg.solve(squares + ridge, z.T @ x)
    stretch, axes = torch.linalg.eigh(linear @ linear.T)
    first = axes.abs().argmax(0)
    signs = axes[first, torch.arange(len(axes))].sign()
    return (axes * signs * stretch.clamp_min(0).sqrt()).flip(1).float()


def grid_of(processor: Any) -> Grid:
    """How pictures or frames like those at fit are cut."""
    moves = isinstance(processor, VideoProcessor)
    return Grid.of(tuple((processor.picture if moves else processor.shape)[:2]), moving=moves)


def _small(size: int, hidden: int, noise: float, trainer: Trainer | None, values: Tensor) -> BaseAutoencoder:
    """A denoising autoencoder of one hidden layer, trained for a moment."""
    own = Trainer(**(trainer or Trainer()).get_params(deep=False))
    batch = min(BATCH, len(values))
    own.set_params(validation=0.0, batch_size=batch, optimizer="adam", lr=3e-3)
    if own.epochs == "auto":
        own.set_params(epochs=max(1, round(STEPS * batch / len(values))))
    return DenoisingAutoencoder(size, corruption=f"noise(std={noise})", network="dense", hidden=(hidden,), trainer=own)
