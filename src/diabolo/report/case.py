"""What the doctor looks at: a fitted model, some rows, and what the model makes of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn

from ..core import Batch, Discrete, Output, SelfTrained
from ..core.errors import ModelError
from ..data import MemoryFeed, Source
from ..estimators.head import Headed
from ..tasks.reduce import EXACT, Comparison, compare
from . import examples

MAX_ROWS = 2000
GRADIENT_ROWS = 256
SEVERITIES = ("serious", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    severity "serious": what the model gives is of no use; "warning": it could be better; "note": good to know.
    ``evidence`` has the figures, ``fix`` the parameter and the value to try.
    """

    name: str
    severity: str
    evidence: str
    fix: str

    def as_dict(self) -> dict[str, str]:
        """Plain values, for JSON."""
        return asdict(self)


class Case:
    """A model and at most 2,000 of the rows given, evenly spaced; everything is computed once, when it is asked for."""

    def __init__(self, model: Any, X: Any, y: Any = None, comparison: Comparison | None = None) -> None:
        self.model, self._given = model, comparison
        rows, y = (X.rows, X.target if y is None else y) if isinstance(X, Source) else (X, y)
        rows = np.asarray(rows) if isinstance(rows, list | tuple) else rows
        self.total = int(rows.shape[0])
        index = np.unique(np.linspace(0, self.total - 1, min(self.total, MAX_ROWS)).astype(int))
        self.rows = examples.take(rows, index)
        self._y = None if y is None else np.asarray(y)[index]
        self.params: Mapping[str, Any] = model.get_params(deep=False)
        self.history: list[dict[str, Any]] = [r for r in model.history_ if r["stage"] == model.history_[-1]["stage"]]

    # what is in the model -----------------------------------------------------------------------------------

    @property
    def weights(self) -> dict[str, Tensor]:
        """Every tensor of the model by name."""
        parts = {"module": self.model.module_, "objective": self.model.objective_}
        return {f"{part}.{name}": t for part, held in parts.items() for name, t in held.state_dict().items()}

    @property
    def plays(self) -> bool:
        """Whether some part has an optimiser of its own: then losses move against each other."""
        parts = [*self.model.module_.modules(), *self.model.objective_.modules()]
        return any(isinstance(part, SelfTrained) for part in parts)

    @property
    def discrete(self) -> Discrete | None:
        neck = self.model.module_.bottleneck
        return neck if isinstance(neck, Discrete) else None

    @property
    def headed(self) -> bool:
        """Whether the last thing it learnt was labels, not rows."""
        return isinstance(self.model.module_, Headed)

    @property
    def no_rival(self) -> bool:
        """Whether PCA is none: a code of few bits or held to a prior pays in error; one as wide as the data copies."""
        found = self.comparison
        wide = found is not None and (
            self.codes.shape[1] >= found.features or found.pca.value <= EXACT * found.mean.value
        )
        return wide or self.discrete is not None or self.plays or self.model.objective_.ties_prior

    def taken(self, name: str) -> Any:
        """The value of a parameter that was given or chosen; None if the model has none of that name."""
        return {**self.params, **self.model._resolved}.get(name)

    # what it makes of the rows ------------------------------------------------------------------------------

    @cached_property
    def encoded(self) -> dict[str, Tensor]:
        """The rows as the model's processor encodes them."""
        found: dict[str, Tensor] = self.model.processor_.encode(self.rows)
        return found

    @cached_property
    def _told(self) -> dict[str, Tensor]:
        """The same, with labels beside them where the model learns from these."""
        model, y = self.model, self._y
        if model._label_role is not None and y is None and "labels_" in vars(model):
            y = model.predict(self.rows)
        beside = {} if y is None else model._beside(self.rows, y, len(self.rows), fitting=False)
        return {**self.encoded, **beside}

    @cached_property
    def batch(self) -> Batch:
        """All rows as one batch."""
        return next(MemoryFeed(self._told, self.model.processor_.collate).batches(len(self.rows))).dense()

    @cached_property
    def out(self) -> Output:
        """The output for the deterministic codes, draws and posterior beside them."""
        with torch.no_grad():
            found: Output = self.model.module_.reconstruct(self.batch)
        return found

    @cached_property
    def codes(self) -> ndarray:
        """(rows · positions, D)."""
        code = self.out.latent.code.double().numpy()
        return code.reshape(-1, code.shape[-1])

    @cached_property
    def scores(self) -> ndarray:
        return np.asarray(self.model.score_samples(self.rows), dtype=float)

    @cached_property
    def terms(self) -> dict[str, float]:
        """The mean of every term on these rows, at its final weight."""
        with torch.no_grad():
            found = self.model.objective_.terms(self.model.module_, self.batch, self.out, step=1, total=1)
        return {name: float(term.mean()) for name, term in found.items()}

    @cached_property
    def comparison(self) -> Comparison | None:
        """Against PCA: as it was given or stored with the model, else half of these rows against the other half."""
        held = self.model.metrics_.get("comparison")
        if self._given is not None or held is not None:
            return self._given if self._given is not None else Comparison.from_dict(held)
        if len(self.rows) < 4:
            return None
        halves = [{name: t[start::2] for name, t in self._told.items()} for start in (0, 1)]
        try:
            return compare(self.model, *halves)
        except ModelError:
            return None  # what it gives back has no squared error

    @cached_property
    def gradients(self) -> dict[str, dict[str, float]]:
        """Term -> parameter -> norm of its gradient, on some of the rows; "own-0" …: parts with a loss of their own."""
        # a copy: some parts keep running statistics of what passes through them
        module, objective = copy.deepcopy((self.model.module_, self.model.objective_))
        batch = self.batch.map(lambda tensor: tensor[:GRADIENT_ROWS])
        named = {n: p for n, p in [*_named(module, ""), *_named(objective, "objective.")] if p.requires_grad}
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.manual_seed(0)
            out = module(batch)
            terms = {n: t.mean() for n, t in objective.terms(module, batch, out, step=1, total=1).items()}
            found = {name: _norms(loss, named) for name, loss in terms.items() if loss.requires_grad}
            own = [part for part in [*module.modules(), *objective.modules()] if isinstance(part, SelfTrained)]
            for place, part in enumerate(own):
                found[f"own-{place}"] = _norms(part.own_loss(module, batch, out.detach()), named)
        return found


def _named(module: nn.Module, prefix: str) -> list[tuple[str, nn.Parameter]]:
    return [(prefix + name, p) for name, p in module.named_parameters()]


def _norms(loss: Tensor, named: Mapping[str, nn.Parameter]) -> dict[str, float]:
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
    return {name: 0.0 if g is None else float(g.norm()) for name, g in zip(named, found, strict=True)}


def together(norms: Mapping[str, float]) -> float:
    """The norm of all of them."""
    return math.sqrt(sum(value**2 for value in norms.values()))
