"""What one fitted autoencoder and its training rows say against a row: several measures of how strange it is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from ..core import Batch, Windowed
from ..data.process_log_mel import LogMelProcessor
from ..estimators.base import BaseAutoencoder
from .neighbours import nearest
from .reduce import column_widths, entry_mask
from .suspects import samples, similarity

SPATIAL = ("array", "standardised", "image", "table", "series", "audio", "log-mel", "video", "binary")
"""Kinds of rows whose values have a distance; of all others only codes have one."""
FILLED = ("table", "standardised")
"""Kinds of which a row may lack cells."""
OF_WINDOWS, OF_SPECTRA = ("level", "density"), ("peaks", "density")
FLOOR = 1e-2
"""Smallest spread, in units of the data's own, that an entry or a code is measured in."""
LOUDEST = 6
"""One in so many bands of a spectrum is looked at: those furthest from their usual level."""
ROUNDS = 3
"""How often missing cells are decoded anew."""
WILD = 1e30
"""What stands for values beyond all floats."""
REFERENCE, ENTRIES = 10_000, 2**22
"""Most training rows that neighbours are looked for among, and most values that these may hold."""


@dataclass
class Witness:
    """An autoencoder, the rows it learnt from as a reference, and the units in which it speaks.

        x ──▶ z ──▶ x̂        reconstruction   Σ ((x̂ - x) / σ)²    σ: of the training rows, an entry
        │     │              neighbours       distance to the k-th nearest training row
        │     │              crowding         mean distance to the 2k nearest, over the same of those rows themselves
        │     │              similarity       distance to the nearest of a few rows, mean over many draws of them
        │     │              level            Σ (x - mean of the training rows)²                     of windows only
        │     │              peaks            mean over the bands b furthest from usual of ((x_b - mean_b) / σ_b)²,
        │     │                               x_b: mean level over the window          in place of level, of spectra
        │     │              density          squared distance of the code from the mean code, whitened        "
        └─────┴─▶ reference  latent           distance to the k-th nearest code

    Windows of a signal may be strange in their level or size alone, of which a reconstruction and neighbours say little
    once such windows were trained on: level and density (as Q and T² in the control of processes) see to that.
    Faults are heard in some bands only, and frames of noise vary by more than a fault changes the mean: so for spectra
    of sounds levels are averaged over the window, and peaks looks where they are furthest from usual.
    Pictures are blurred before their neighbours are looked for, and crowding is left to their places.
    Where training rows are doubtful similarity takes the place of crowding, which a cluster of anomalies escapes.
    Kinds of rows that have no distance (texts, interactions, ragged sequences) are judged by objective and latent.
    A missing cell is taken to be what the autoencoder expects there. An autoencoder that was asked for by name is
    judged by its own objective (minus its ELBO, say) in place of the reconstruction.

    Reference: Ramaswamy, Rastogi & Shim (2000), "Efficient algorithms for mining outliers from large data sets"
    (neighbours); Breunig, Kriegel, Ng & Sander (2000), "LOF: identifying density-based local outliers" (crowding);
    Sugiyama & Borgwardt (2013), "Rapid distance-based outlier detection via sampling" (a sample as reference);
    Jackson & Mudholkar (1979), "Control procedures for residuals associated with principal component analysis".
    """

    model: BaseAutoencoder
    k: int
    names: tuple[str, ...]
    arrays: dict[str, Tensor] = field(default_factory=dict)

    @classmethod
    def hear(cls, model: BaseAutoencoder, X: Any, k: int, *, own_objective: bool, doubtful: bool, seed: int) -> Self:
        """Take the training rows X as the reference."""
        spatial = model.processor_.part_name in SPATIAL  # type: ignore[attr-defined]
        first = "objective" if own_objective or not spatial else "reconstruction"
        near: tuple[str, ...] = ("neighbours", "similarity" if doubtful else "crowding")
        if is_picture(model):
            near = near if doubtful else near[:1]
        windows = OF_WINDOWS if isinstance(model.processor_, Windowed) else ()
        windows = OF_SPECTRA if isinstance(model.processor_, LogMelProcessor) else windows
        made = cls(model, k, (first, *near, *windows) if spatial else (first, "latent"))
        codes, unit = made._code_size, prod(model.processor_.target_shape)
        parts = torch.from_numpy(model._apply(X, made._seen))
        z, rest = parts[:, :codes], parts[:, codes:]
        made.arrays["code_mean"], made.arrays["code_scale"] = z.mean(0), z.std(0, correction=0).clamp_min(1e-6)
        if spatial:
            x, away = rest[:, :unit], rest[:, unit:]
            made.arrays["scale"] = away.square().mean(0).sqrt().clamp_min(FLOOR)
            if windows:
                made.arrays["mean"], made.arrays["whiten"] = x.mean(0), _whitening(z - z.mean(0))
            if "peaks" in windows:
                bands = made.bands(x)
                made.arrays["band_mean"] = bands.mean(0)
                made.arrays["band_scale"] = bands.std(0, correction=0).clamp_min(FLOOR)
                steps = x.reshape(len(x), *model.processor_.target_shape) - made.arrays["band_mean"]
                made.arrays["entry_scale"] = steps.square().mean((0, 1)).sqrt().clamp_min(FLOOR)
        kept = made._kept(len(parts), parts.shape[1], seed)
        if spatial:
            reference = x[kept]
            made.arrays["reference"] = reference
            if "similarity" in near:
                made.arrays["samples"] = samples(len(reference), seed)
            if "crowding" in near:
                made.arrays["crowding"] = nearest(reference, reference, 2 * k)[0].mean(1)
        else:
            made.arrays["codes"] = made._standard(z[kept])
        return made

    @staticmethod
    def _kept(rows: int, width: int, seed: int) -> Tensor:
        most = min(REFERENCE, max(500, ENTRIES // width))
        if rows <= most:
            return torch.arange(rows)
        return torch.from_numpy(np.sort(np.random.default_rng(seed).choice(rows, most, replace=False)))

    @property
    def _code_size(self) -> int:
        return self.model.n_components_

    def _standard(self, z: Tensor) -> Tensor:
        return (z - self.arrays["code_mean"]) / self.arrays["code_scale"]

    # what is measured ---------------------------------------------------------------------------------------

    def strangeness(self, X: Any) -> ndarray:
        """Every measure of every row (N, names), higher is stranger, float64."""
        found = self.model._apply(X, self._measures)
        return np.nan_to_num(found, nan=WILD, posinf=WILD, neginf=-WILD).clip(-WILD, WILD)

    def _measures(self, batch: Batch) -> Tensor:
        parts = self._seen(batch)
        z, rest = parts[:, : self._code_size], parts[:, self._code_size :]
        found = {}
        if self.names[0] == "objective":
            found["objective"] = -self.model._score(batch)
        if "latent" in self.names:
            found["latent"] = nearest(self._standard(z), self.arrays["codes"], self.k)[0][:, -1]
        if "neighbours" in self.names:
            x, away = rest.chunk(2, 1)
            found["reconstruction"] = (away / self.arrays["scale"]).square().sum(1)
            distance, index = nearest(x, self.arrays["reference"], 2 * self.k)
            found["neighbours"] = distance[:, self.k - 1]
            if "crowding" in self.names:
                found["crowding"] = distance.mean(1) / (self.arrays["crowding"][index].mean(1) + 1e-6)
            elif "similarity" in self.names:
                found["similarity"] = similarity(x, self.arrays["reference"][self.arrays["samples"]])
        if "level" in self.names:
            found["level"] = (x - self.arrays["mean"]).square().sum(1)
        if "peaks" in self.names:
            away = ((self.bands(x) - self.arrays["band_mean"]) / self.arrays["band_scale"]).square()
            found["peaks"] = away.topk(max(1, away.shape[1] // LOUDEST), 1).values.mean(1)
        if "density" in self.names:
            found["density"] = ((z - self.arrays["code_mean"]) @ self.arrays["whiten"]).square().sum(1)
        return torch.stack([found[name].double() for name in self.names], 1)

    def _seen(self, batch: Batch) -> Tensor:
        """Code, and for rows with a distance the row and what its reconstruction lacks, (B, D + 2 F)."""
        module, whole = self.model.module_, batch.dense()
        if "neighbours" not in self.names:
            return module.code(whole.x, whole.mask, whole.cond).flatten(1)
        target, recon = whole.target, self._recon(whole)
        mask = entry_mask(whole, self.model.processor_)
        if mask is not None:
            whole, recon = self._completed(whole, recon, torch.from_numpy(mask))
            target = torch.where(torch.from_numpy(mask), target, recon)
        z = module.code(whole.x, whole.mask, whole.cond)
        x, away = target * self._unit, (recon - target) * self._unit
        x = blurred(x) if is_picture(self.model) else x
        return torch.cat([z.flatten(1), x.flatten(1), away.flatten(1)], 1)

    def bands(self, x: Tensor) -> Tensor:
        """Mean level of every band over a window (B, bands), of spectra that lie flat (B, F)."""
        return x.reshape(len(x), *self.model.processor_.target_shape).mean(1)

    def _recon(self, batch: Batch) -> Tensor:
        return self.model.objective_.loss.link(self.model.module_.decoded(batch))

    def _completed(self, batch: Batch, recon: Tensor, mask: Tensor) -> tuple[Batch, Tensor]:
        """The batch as the encoder should see it, and its reconstruction: cells that a table lacks are filled with
        what is decoded there, again and again, and are no longer called missing."""
        if self.model.processor_.part_name not in FILLED:  # type: ignore[attr-defined]
            return batch, recon
        for _ in range(ROUNDS):
            filled = torch.where(mask, batch.target, recon)
            told = torch.zeros_like(batch.x[:, filled.shape[1] :])
            batch = replace(batch, x=torch.cat([filled, told], 1))
            recon = self._recon(batch)
        return batch, recon

    @property
    def _unit(self) -> Any:
        """What brings values to comparable units: two categories are as far apart as one standard deviation."""
        widths = column_widths(self.model.processor_)
        if not widths:
            return 1.0
        return torch.tensor([1.0 if width == 1 else 0.5**0.5 for width in widths for _ in range(width)])

    # which entries speak ------------------------------------------------------------------------------------

    def shares(self, X: Any) -> ndarray:
        """How much every entry of a row is away from its reconstruction and from its neighbours, squared, in their
        own units: (N, 2, F). Only of rows that have a distance."""
        return self.model._apply(X, self._split).astype(np.float64)

    def _split(self, batch: Batch) -> Tensor:
        x, away = self._seen(batch)[:, self._code_size :].chunk(2, 1)
        _, index = nearest(x, self.arrays["reference"], self.k)
        size = max(1, ENTRIES // (self.k * x.shape[1]))
        near = [
            (part[:, None] - self.arrays["reference"][places]).square().mean(1)
            for part, places in zip(x.split(size), index.split(size), strict=True)
        ]
        return torch.stack([(away / self.arrays["scale"]).square(), torch.cat(near)], 1)

    def neighbour(self, X: Any) -> Any:
        """The training row nearest to every row, in the rows' own kind."""

        def closest(batch: Batch) -> Tensor:
            x = self._seen(batch)[:, self._code_size :].chunk(2, 1)[0]
            place = nearest(x, self.arrays["reference"], 1)[1][:, 0]
            return self.arrays["reference"][place].reshape(batch.target.shape) / self._unit

        return self.model.processor_.invert(torch.from_numpy(self.model._apply(X, closest)))

    def usual(self, rows: int) -> Any:
        """The average training row, so many times, in the rows' own kind."""
        mean = self.arrays["reference"].mean(0).reshape(1, *self.model.processor_.target_shape) / self._unit
        return self.model.processor_.invert(mean.expand(rows, *mean.shape[1:]))


def is_picture(model: BaseAutoencoder) -> bool:
    """Whether the rows of a model are pictures."""
    return model.processor_.part_name == "image"  # type: ignore[attr-defined, no-any-return]


def blurred(pictures: Tensor) -> Tensor:
    """Pictures (N, H, W[, C]) as they look from a little farther off: two means over 3 x 3 pixels.

    Neighbours among them are alike although a stroke lies a pixel aside.
    """
    grid = pictures[:, None] if pictures.ndim == 3 else pictures.movedim(-1, 1)
    for _ in range(2):
        grid = functional.avg_pool2d(grid, 3, 1, 1, count_include_pad=False)
    return grid[:, 0] if pictures.ndim == 3 else grid.movedim(1, -1)


def _whitening(z: Tensor) -> Tensor:
    """What makes centred codes (N, D) uncorrelated and of unit spread; directions that hardly vary count for little."""
    values, vectors = torch.linalg.eigh(z.double().T @ z.double() / len(z))
    return (vectors / values.clamp_min(max(float(values[-1]) * FLOOR**2, 1e-12)).sqrt()).float()
