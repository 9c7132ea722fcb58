"""Missing values: what was not observed, from what was."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from sklearn.base import TransformerMixin
from sklearn.utils import check_random_state
from torch import Tensor

from ..core import Spec, register
from ..core.errors import out_of_range
from ..data import Source, TableProcessor
from ..data.process_filled import FilledTable
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..train import Trainer
from . import cells
from .base import TaskModel

QUANTILES = 201
REPEATS = 20_000


@register("task", "impute")
class AutoencoderImputer(TransformerMixin, TaskModel):
    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        members: int = 5,
        hide: float = 0.3,
        prior: float = 0.5,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.members, self.hide, self.prior = autoencoder, members, hide, prior
        self.trainer, self.random_state = trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        self._begin()
        frame = cells.frame(X)
        seed = self._seed_now()
        self._columns = TableProcessor().fit(frame)
        order = np.random.default_rng(seed).permutation(len(frame)) % self.members
        for number in range(self.members):
            model = self._base()
            model.random_state = seed + number
            table = FilledTable(self.hide, self.prior).of(self._columns)
            rows = frame[order != number].reset_index(drop=True)
            self._member(f"member-{number}", model, Source(rows, "table", processor=table))
        self._weigh(frame, order, seed)
        return self

    def _default(self) -> BaseAutoencoder:
        columns = [[codec.loss_kind, codec.width] for codec in self._columns.codecs]
        return Autoencoder(**getattr(self, "_ae", {}), network=Spec("residual", hidden=getattr(self, "_hidden", (128, 128)), columns=columns))

    def _weigh(self, frame: Any, order: ndarray, seed: int) -> None:
        found = []
        for number, model in enumerate(self.models_.values()):
            generator = torch.Generator().manual_seed(seed + number)
            held = frame[order == number].reset_index(drop=True)
            if not len(held):
                continue
            values, known = model.processor_.cells(held)
            for _ in range(max(1, min(8, REPEATS // len(frame)))):
                share = self.hide
                hidden = known & (torch.rand(known.shape, generator=generator) < share)
                linear, net = self._said(model, values, known & ~hidden)
                found.append((values, linear, net, hidden))
        truth, linear, net, hidden = (torch.cat(part) for part in zip(*found, strict=True))
        self._oof = truth, linear, net, hidden
        widths = [codec.width for codec in self._columns.codecs]
        top = ((truth - linear) * (net - linear)).split(widths, 1)
        low = (net - linear).square().split(widths, 1)
        top = torch.stack([(t * h[:, None]).sum() for t, h in zip(top, hidden.T)])
        low = torch.stack([(t * h[:, None]).sum() for t, h in zip(low, hidden.T)])
        self.arrays_["weight"] = (top / low.clamp_min(1e-12)).clamp(0, 1).float().numpy()

    def _said(self, model: Any, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        table = model.processor_
        with torch.inference_mode():
            x = table.seen(values, known)
            linear = table.plain(x[:, : table.target_shape[0]])
            batch = table.collate({"x": x, "scored": known})
            net = model.objective_.loss.link(model.module_.decoded(batch))
        return linear, net

    def _blended(self, model, values, known):
        linear, net = self._said(model, values, known)
        w = torch.from_numpy(self.arrays_["weight"]).repeat_interleave(torch.tensor([c.width for c in self._columns.codecs]))
        return linear + w * (net - linear)

    def encoded(self, frame):
        parts = []
        for model in self.models_.values():
            values, known = model.processor_.cells(frame)
            parts.append(self._blended(model, values, known))
        return torch.stack(parts).mean(0)

    def transform(self, X: Any) -> Any:
        frame = cells.frame(X)
        return cells.put(X, frame, self.processor_.invert(self.encoded(frame)))
