"""Optimisers by name, and the player that one of them moves.

Optimisers that treat every entry alike run on one flat buffer (one kernel a step instead of one a layer);
parameters and gradients of the layers are views of it while training lasts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..core import Spec, make, register
from ..core.collectives import average_gradients
from ..core.errors import out_of_range
from .muon import Muon

RATE = "lr_share"


class Optimiser(ABC):
    """A set of torch optimisers for one set of parameters, moved together.

    ``groups``: (optimiser class, its options, which parameters, flat or not). A subclass chooses them.
    """

    lr = 1e-3
    closure = False

    @abstractmethod
    def choose(self, params: Sequence[nn.Parameter]) -> list[tuple[Any, dict[str, Any], list[nn.Parameter], bool]]:
        """(class, options, parameters, flat) for every torch optimiser in use."""


def _checked(name: str, value: float, low: float, high: float = float("inf")) -> float:
    if not low <= value <= high:
        raise out_of_range(name, f"a number in [{low}, {high}]", value)
    return float(value)


@register("optimizer", "sgd")
class Sgd(Optimiser):
    """Stochastic gradient descent with (Nesterov) momentum (Robbins & Monro 1951; Sutskever et al. 2013)."""

    lr = 1e-2

    def __init__(self, momentum: float = 0.9, nesterov: bool = False, weight_decay: float = 0.0) -> None:
        self.options = {
            "momentum": _checked("momentum", momentum, 0, 1),
            "nesterov": nesterov and momentum > 0,
            "weight_decay": _checked("weight_decay", weight_decay, 0),
        }

    def choose(self, params: Sequence[nn.Parameter]) -> list[tuple[Any, dict[str, Any], list[nn.Parameter], bool]]:
        return [(torch.optim.SGD, self.options, list(params), True)]


@register("optimizer", "adam")
class Adam(Optimiser):
    """Adam (Kingma & Ba 2015, "Adam: a method for stochastic optimization")."""

    def __init__(self, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        self.options = {
            "betas": (_checked("beta1", beta1, 0, 1), _checked("beta2", beta2, 0, 1)),
            "eps": eps,
            "fused": True,
        }

    def choose(self, params: Sequence[nn.Parameter]) -> list[tuple[Any, dict[str, Any], list[nn.Parameter], bool]]:
        return [(torch.optim.Adam, self.options, list(params), True)]


@register("optimizer", "adamw")
class AdamW(Optimiser):
    """Adam with decoupled weight decay on matrices (Loshchilov & Hutter 2019)."""

    def __init__(self, weight_decay: float = 1e-2, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> None:
        betas = (_checked("beta1", beta1, 0, 1), _checked("beta2", beta2, 0, 1))
        self.options = {"betas": betas, "eps": eps, "fused": True}
        self.weight_decay = _checked("weight_decay", weight_decay, 0)

    def choose(self, params: Sequence[nn.Parameter]) -> list[tuple[Any, dict[str, Any], list[nn.Parameter], bool]]:
        matrices, rest = [p for p in params if p.ndim >= 2], [p for p in params if p.ndim < 2]
        return [
            (torch.optim.AdamW, {**self.options, "weight_decay": self.weight_decay}, matrices, True),
            (torch.optim.AdamW, {**self.options, "weight_decay": 0.0}, rest, True),
        ]


@register("optimizer", "muon")
class MuonAdam(Optimiser):
    """Muon on weight matrices and kernels, Adam on the rest (Jordan et al. 2024), at a share of the rate."""

    lr = 2e-2

    def __init__(self, momentum: float = 0.95, weight_decay: float = 0.0, adam_share: float = 0.25) -> None:
        self.options = {
            "momentum": _checked("momentum", momentum, 0, 1),
            "weight_decay": _checked("weight_decay", weight_decay, 0),
        }
        self.adam_share = _checked("adam_share", adam_share, 0)

    def choose(self, params: Sequence[nn.Parameter]) -> list[tuple[Any, dict[str, Any], list[nn.Parameter], bool]]:
        matrices = [p for p in params if p.ndim >= 2 and p.numel() > max(p.shape)]
        ids = {id(p) for p in matrices}
        rest = [p for p in params if id(p) not in ids]
        return [
            (Muon, self.options, matrices, False),
            (torch.optim.Adam, {"fused": True, RATE: self.adam_share}, rest, True),
        ]


@register("optimizer", "lbfgs")
class Lbfgs(Optimiser):
    """L-BFGS with strong Wolfe line search (Liu & Nocedal 1989); for full batches of deterministic objectives."""

    lr = 1.0
    closure = True

    def __init__(self, iterations: int = 20, history: int = 10) -> None:
        self.options = {"max_iter": iterations, "history_size": history, "line_search_fn": "strong_wolfe"}

    def choose(self, params: Sequence[nn.Parameter]) -> list[tuple[Any, dict[str, Any], list[nn.Parameter], bool]]:
        return [(torch.optim.LBFGS, self.options, list(params), False)]


class Player:
    """Parameters and what moves them. ``move(closure)``: the closure computes the loss and its gradients."""

    def __init__(
        self, params: Sequence[nn.Parameter], optimizer: str | Spec, lr: float, clip: float | None = None
    ) -> None:
        kind: Optimiser = make("optimizer", optimizer)
        self.params, self.clip, self.lr, self.closure = list(params), clip, lr, kind.closure
        self.optimizers: list[torch.optim.Optimizer] = []
        self.shares: list[float] = []
        self.flats: list[nn.Parameter] = []
        self.loose: list[nn.Parameter] = []
        for cls, options, chosen, flat in kind.choose(self.params):
            if not chosen:
                continue
            given = dict(options)
            self.shares.append(given.pop(RATE, 1.0))
            if flat:
                self.flats.append(flatten(chosen))
            else:
                self.loose.extend(chosen)
            self.optimizers.append(cls([self.flats[-1]] if flat else chosen, lr=lr * self.shares[-1], **given))

    def zero(self) -> None:
        """Forget the gradients."""
        for flat in self.flats:
            flat.grad.zero_()  # type: ignore[union-attr]
        for p in self.loose:
            p.grad = None

    def move(self, closure: Callable[[], Tensor], rate: float) -> None:
        """One step at ``rate`` times the learning rate."""
        for optimizer, share in zip(self.optimizers, self.shares, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = self.lr * share * rate
        if self.closure:
            self.optimizers[0].step(lambda: self._gradients(closure))
        else:
            self._gradients(closure)
            for optimizer in self.optimizers:
                optimizer.step()

    def _gradients(self, closure: Callable[[], Tensor]) -> Any:
        self.zero()
        loss = closure()
        average_gradients([*self.flats, *self.loose])
        if self.clip is not None:
            nn.utils.clip_grad_norm_([*self.flats, *self.loose], self.clip)
        return loss

    def state(self) -> list[dict[str, Any]]:
        """The optimisers' states, in order."""
        return [optimizer.state_dict() for optimizer in self.optimizers]

    def restore(self, states: list[dict[str, Any]]) -> None:
        """Inverse of `state`."""
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(state)

    def release(self) -> None:
        """Give every parameter a storage of its own again, and drop gradients."""
        for p in self.params:
            p.data, p.grad = p.data.clone(), None


def flatten(params: Sequence[nn.Parameter]) -> nn.Parameter:
    """One flat parameter that shares storage with all of ``params``, gradients included."""
    flat = nn.Parameter(torch.cat([p.detach().flatten() for p in params]))
    flat.grad = torch.zeros_like(flat)
    begin = 0
    for p in params:
        end = begin + p.numel()
        p.data = flat.data[begin:end].view(p.shape)
        p.grad = flat.grad[begin:end].view(p.shape)
        begin = end
    return flat


@contextmanager
def only(params: Sequence[nn.Parameter], everything: Sequence[nn.Parameter]) -> Iterator[None]:
    """Nothing but ``params`` takes gradients for the time of a block."""
    keep, before = {id(p) for p in params}, [p.requires_grad for p in everything]
    for p in everything:
        p.requires_grad_(id(p) in keep)
    try:
        yield
    finally:
        for p, grad in zip(everything, before, strict=True):
            p.requires_grad_(grad)


def copied(value: Any) -> Any:
    """A deep copy of a nested state, tensors detached."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    return value
