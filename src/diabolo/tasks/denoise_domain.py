"""What taking noise out of one kind of rows consists of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from ..data import Source
from ..estimators.base import BaseAutoencoder
from .base import Assessment
from .exhibit import Exhibit

if TYPE_CHECKING:
    from .denoise import Denoiser


class Domain(ABC):
    """One kind of rows, for a `Denoiser` (``task``), whose parameters and ``facts_`` it reads.

    A domain is made anew whenever it is needed: what it must remember goes into ``task.facts_`` (plain values).
    """

    def __init__(self, task: Denoiser) -> None:
        self.task = task

    @abstractmethod
    def default(self) -> BaseAutoencoder:
        """The autoencoder where none was asked for."""

    @abstractmethod
    def damage(self) -> Any:
        """The corruption that is learnt from, by name or Spec."""

    def base(self) -> BaseAutoencoder:
        """The autoencoder, not fitted; one that can be given a corruption is given this domain's."""
        model = self.task._base()
        if "corruption" in model.get_params(deep=False):
            model.set_params(corruption=self.damage())
        return model

    @abstractmethod
    def prepared(self, X: Any) -> tuple[BaseAutoencoder, Any]:
        """The autoencoder, not fitted, its trainer decided, and the rows it is to learn from."""

    def fitting(self, model: BaseAutoencoder) -> AbstractContextManager[None]:
        """What surrounds the fit of that autoencoder."""
        return nullcontext()

    @abstractmethod
    def restored(self, X: Any) -> Any:
        """The rows without their noise, of the kind given."""

    def levels(self, X: Any) -> list[str]:
        """How much noise each row holds, in words; [] where that cannot be told."""
        return []

    def inner_rows(self, source: Source) -> Source:
        """What a report shows the autoencoder of rows."""
        return source

    @abstractmethod
    def assess(self, held: Source, seed: int) -> Assessment | None:
        """Held-out rows damaged and restored, by the model and by simple methods."""

    def exhibits(self, source: Source, seed: int) -> Sequence[Exhibit]:
        """Sections of a report."""
        return ()
