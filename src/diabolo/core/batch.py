"""The three records that travel between rooms: Batch, Latent, Output.

Batch ──encoder, bottleneck──▶ Latent ──decoder──▶ Output
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import Tensor
from torch.distributions import Distribution

from .sparse import dense, repeated

R = TypeVar("R", bound="Record")


class Record:
    """A frozen record of tensors that can be detached or moved as one."""

    def map(self: R, function: Any) -> R:
        """The same record with ``function`` applied to every tensor in it."""

        def visit(value: Any) -> Any:
            if isinstance(value, Tensor):
                return function(value)
            if isinstance(value, Record):
                return value.map(function)
            if isinstance(value, dict):
                return {name: visit(item) for name, item in value.items()}
            return value

        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return dataclasses.replace(self, **{f.name: visit(getattr(self, f.name)) for f in fields})  # type: ignore[type-var]

    def detach(self: R) -> R:
        """The same record, cut from the autograd graph (a posterior is dropped: it holds graph tensors)."""
        cut = self.map(Tensor.detach)
        if isinstance(cut, Output):
            return dataclasses.replace(cut, latent=cut.latent.detach())
        if isinstance(cut, Latent) and cut.posterior is not None:
            return dataclasses.replace(cut, posterior=None)
        return cut


@dataclass(frozen=True)
class Batch(Record):
    """What one step sees.

    x       (B, *S)   what the encoder is given; may be sparse (torch CSR) where S is one axis
    target  (B, *T)   what the decoder must give back, may be sparse; None where it must not know (reconstruction)
    mask    (B, *P)   bool, True at real positions that the encoder may look at; None: all are
    scored  (B, *T')  bool, True where reconstruction counts; T' is a prefix of T; None: everywhere;
                      sparse with a sparse target: the entries that are stored
    cond    (B, C)    what both sides are told (class, covariates); None: nothing
    label   (B,) or (B, K)  what is known of a row beside x: a class (long, -1: unknown) or numbers (NaN: unknown)
    """

    x: Tensor
    target: Tensor
    mask: Tensor | None = None
    scored: Tensor | None = None
    cond: Tensor | None = None
    label: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def repeat(self, draws: int) -> Batch:
        """Every row ``draws`` times, one after the other: what stands beside several draws of z for each row."""
        return self if draws == 1 else self.map(lambda tensor: repeated(tensor, draws))

    def dense(self) -> Batch:
        """The same batch with the zeros of sparse tensors written out."""
        return self.map(dense)


@dataclass(frozen=True)
class Latent(Record):
    """What the bottleneck made of the features.

    z          (B·K, *P, D)  goes to the decoder (a sample, where the bottleneck is random)
    code       (B, *P, D)    the deterministic representation
    posterior                q(z | x) of variational bottlenecks, over (B·K, *P)
    indices    (B, *P) or (B, *P, I)  long, of discrete bottlenecks
    losses     name -> (B,) or (B·K,)  terms the bottleneck cannot live without (commitment …)
    draws      K             how many z a row has; those of one row follow each other
    weights    (B, K)        what each draw counts, summing to 1 over a row (a class summed out); None: all alike
    """

    z: Tensor
    code: Tensor
    posterior: Distribution | None = None
    indices: Tensor | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)
    draws: int = 1
    weights: Tensor | None = None


@dataclass(frozen=True)
class Output(Record):
    """latent, and recon (B, *T, …): the parameters of p(x | z), not yet in data space."""

    latent: Latent
    recon: Tensor
