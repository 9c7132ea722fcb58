"""Noise taken out of tables and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy import ndarray

from ..core import Batch, Corruption, Spec, make
from ..core.errors import DataError
from ..core.metrics import bootstrap_mean
from ..data import Source, is_frame
from ..data import open as open_source
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..estimators.denoising import DenoisingAutoencoder
from ..train import Trainer
from .base import Assessment
from .denoise_domain import Domain

USUAL = 0.5
"""The strongest noise, in units of a column's spread."""
MOST_ROWS = 5000


class RowNoise(Domain):
    """Rows of numbers, or of mixed columns, in units of their columns' spread.

    From noisy rows alone an autoencoder learns with a code narrower than a row: what many columns share passes, what is
    of one column alone does not.
    """

    def default(self) -> BaseAutoencoder:
        return DenoisingAutoencoder() if self.task.clean else Autoencoder()

    def damage(self) -> Any:
        if not self.task.clean:
            return None
        if self.task.damage is not None:
            return self.task.damage
        low, high = self.task.strengths(USUAL)
        return Spec("noise", std=high, least=low / high)

    def prepared(self, X: Any) -> tuple[BaseAutoencoder, Source]:
        model = self.base()
        if self.task.clean:  # held-out rows would be seen without noise
            model.trainer = Trainer(**(model.trainer or Trainer()).get_params(deep=False)).set_params(validation=0.0)
        return model, as_source(X)

    def restored(self, X: Any) -> Any:
        source = as_source(X)
        self._must_fit(source)
        back = self.task.autoencoder_.reconstruct(source)
        rows = source.rows
        if is_frame(rows):
            return back.set_axis(rows.index)
        return np.asarray(back).astype(rows.dtype, copy=False) if rows.dtype.kind == "f" else back

    def _must_fit(self, source: Source) -> None:
        shape = self.task.autoencoder_.processor_.shape
        if not is_frame(source.rows) and tuple(source.rows.shape[1:]) != tuple(shape):
            raise DataError(
                f"rows have shape {tuple(source.rows.shape[1:])}, but the denoiser learnt from {tuple(shape)}."
            )

    def assess(self, held: Source, seed: int) -> Assessment | None:
        source = as_source(held).take(slice(0, MOST_ROWS))
        model = self.task.autoencoder_
        processor = model.processor_
        batch = processor.collate(processor.encode(source.rows)).dense()
        if not batch.x.is_floating_point() or batch.x.ndim != 2:
            return None
        damage: Corruption = make("corruption", self.damage(), shape=processor.shape)
        seen = damage(batch, torch.Generator().manual_seed(seed))
        with torch.inference_mode():
            said = model.objective_.loss.link(model.module_.decoded(seen))
        known = seen.x[:, : batch.target.shape[1]]
        found = {
            name: np.square((made - batch.target).numpy(), dtype=np.float64).mean(1)
            for name, made in {"this model": said, "nothing done": known, **self._principal(batch, seen)}.items()
        }
        lines = tuple((name, f"{values.mean():.4g}") for name, values in found.items())
        title = f"{len(source):,} held-out rows, damaged as in training"
        return Assessment(title, ("", "squared error of a value"), lines, _verdict(found, seed))

    def _principal(self, batch: Batch, seen: Batch) -> dict[str, Any]:
        """The same rows on as many principal axes as the code has values, of the damaged rows themselves."""
        if batch.x.shape != batch.target.shape:
            return {}
        rows = seen.x.double()
        mean = rows.mean(0)
        size = min(self.task.autoencoder_.n_components_, *rows.shape)
        axes = torch.linalg.svd(rows - mean, full_matrices=False).Vh[:size]
        return {f"PCA, {size} axes": ((rows - mean) @ axes.T @ axes + mean).float()}


def as_source(X: Any) -> Source:
    """Rows as a source; columns of a plain array in units of their own spread."""
    source = X if isinstance(X, Source) else open_source(X)
    rows = source.rows
    if isinstance(rows, np.ndarray) and rows.dtype != object and rows.ndim == 2 and source.processor is None:
        return Source(rows, "array", source.keys, origin=source.origin, processor="standardised")
    return source


def _verdict(found: dict[str, ndarray], seed: int) -> str:
    mine, others = found["this model"], {name: values for name, values in found.items() if name != "this model"}
    best = min(others, key=lambda name: float(others[name].mean()))
    gain = bootstrap_mean(mine - others[best], seed=seed)
    who = "better than" if gain.high < 0 else "no better than" if gain.low > 0 else "a tie with"
    share = 100 * (mine.mean() / max(float(others[best].mean()), 1e-12) - 1)
    return f"{who} {best}: squared error {share:+.0f} %"
