"""Classes and numbers from codes: a head on an autoencoder's encoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from math import ceil
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin, clone
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..core import AutoencoderModule, Batch, Feed, Objective, ReconstructionLoss, make, register
from ..core.errors import DataError, out_of_range
from ..core.interfaces import Shape
from ..train import Stage, Trainer
from .base import BaseAutoencoder
from .composed import Autoencoder
from .head import Coded, Head, Headed, code_values
from .labels import Labels, checked_classes
from .online import OnlineClasses
from .recipe import Choice, Recipe
from .rows import bare, whole_lanes

STEPS = 1200
"""Of the supervised stage, where nothing else is asked for."""


class Supervised(BaseAutoencoder):
    """What classifier and regressor share.

        x ──▶ encoder ──▶ code ──▶ head ──▶ p(y | x)      supervised stage, on the rows whose label is known
                           └────▶ decoder ──▶ x           pre-training, on all rows

    ``transform`` gives the codes the head sees. The decoder stays as pre-training left it: with ``freeze=True`` the
    model still reconstructs; with ``freeze=False`` its encoder has moved on, and errors are larger than before.
    """

    _label_role: ClassVar[str | None] = "label"

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        hidden: Sequence[int] = (),
        freeze: bool = False,
        pretrain: bool = True,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.hidden, self.freeze, self.pretrain = autoencoder, hidden, freeze, pretrain
        self.trainer, self.random_state = trainer, random_state

    @abstractmethod
    def _head(self) -> tuple[Shape, ReconstructionLoss]:
        """The shape of what the head says of a row, and what it pays."""

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        base: Any = self.autoencoder
        whole = base.build(shape, target_shape)
        out_shape, loss = self._head()
        head = Head(code_values(whole.module, shape), self.hidden, out_shape)
        told = AutoencoderModule(whole.module.encoder, Coded(whole.module.bottleneck), head)
        stage = Stage(told, Objective(loss), trainable=_of_the_head if self.freeze else None, supervised=True)
        return Recipe(
            Headed(whole.module, head), whole.objective, whole.corruption,
            [*(whole.plan() if self.pretrain else ()), stage],
        )  # fmt: skip

    # what is nested -----------------------------------------------------------------------------------------

    def _given(self) -> BaseAutoencoder | None:
        """The autoencoder to start from, if it is fitted already."""
        return self.autoencoder if self.autoencoder is not None and "module_" in vars(self.autoencoder) else None

    def __sklearn_clone__(self) -> Self:
        """A clone keeps a fitted autoencoder: it is what the next fit starts from."""
        made: Self = super().__sklearn_clone__()
        made.autoencoder = self.autoencoder if self._given() is not None else made.autoencoder
        return made

    def _prepare(self, rows: Any) -> dict[str, Tensor]:
        if not isinstance(self.autoencoder, BaseAutoencoder | None) or _learns_from_labels(self.autoencoder):
            raise out_of_range("autoencoder", "an autoencoder that learns without labels, or None", self.autoencoder)
        given = self._given()
        if given is None:
            return super()._prepare(rows)
        self.processor_ = given.processor_
        return self.processor_.encode(bare(rows))

    def _resolve(self, feed: Feed) -> tuple[Self, list[Choice]]:
        given = self._given()
        if given is not None:
            decided = given._copy({**given.get_params(deep=False), **given._resolved})
            why = "fitted already: its weights are where the supervised stage starts"
        else:
            base: Any = clone(self.autoencoder) if self.autoencoder is not None else Autoencoder()
            base.processor_ = self.processor_
            decided, found = base._resolve(feed)
            why = "; ".join(f"{choice.name} {choice.value}: {choice.why}" for choice in found) or "as it was given"
        made = self._copy({**self.get_params(deep=False), "autoencoder": decided})
        return made, [Choice("autoencoder", decided, why)]

    def _compose(self, feed: Feed, trainer: Trainer | None = None) -> Recipe:
        recipe, given = super()._compose(feed, trainer), self._given()
        *before, told = recipe.plan()
        if given is not None:
            _take(recipe.module, given, told)
            recipe.stages = [told]
        elif self.autoencoder is not None and self.autoencoder.trainer is not None:
            own = self.autoencoder.trainer.get_params(deep=False)
            for stage in before:
                for knob in ("epochs", "lr"):
                    if getattr(stage, knob) is None and own[knob] != "auto":
                        setattr(stage, knob, own[knob])
        self._decide_teaching(told, feed)
        return recipe

    def _decide_teaching(self, told: Stage, feed: Feed) -> None:
        """What is automatic of the supervised stage: few labelled rows are gone over more often."""
        given, known = self._chosen_trainer(), feed.labelled()
        if given.epochs == "auto" and known is not None:
            size = self._trainer.batch_size
            steps = 1 if size == "full" else ceil(len(known) / int(size))
            told.epochs = max(10, min(1000, ceil(STEPS / steps)))
        if given.optimizer == "auto" and self.freeze:
            # the decay that suits a whole network would hold a single layer back
            told.optimizer, told.lr = "adam", 1e-2 if given.lr == "auto" else None

    # labels and what is said of rows ------------------------------------------------------------------------

    def _says(self, X: Any) -> Tensor:
        """What the head says of every row."""
        check_is_fitted(self)
        head: Any = self.module_.head

        def say(batch: Batch) -> Tensor:
            whole = whole_lanes(batch)
            said: Tensor = head(self.module_.code(whole.x, whole.mask))[: len(batch)]
            return said

        return torch.from_numpy(self._apply(X, say))


def _of_the_head(name: str) -> bool:
    """The head is the decoder of the supervised stage."""
    return name.startswith("decoder.")


def _learns_from_labels(model: BaseAutoencoder | None) -> bool:
    return model is not None and model._label_role is not None


def _take(module: AutoencoderModule, given: BaseAutoencoder, told: Stage) -> None:
    """The weights of a fitted autoencoder, and the units in which it sees the data."""
    module.load_state_dict(given.module_.state_dict(), strict=False)
    shift = given.module_.shift
    for part, linear in ((module, given.module_.scales_output), (told.module, False)):
        part.shift, part.scale, part.scales_output = None, 1.0, False
        if shift is not None:
            part.standardise(shift.clone(), given.module_.scale, linear)


@register("model", "classifier")
class AutoencoderClassifier(ClassifierMixin, OnlineClasses, Supervised):
    """A classifier on an autoencoder's code: pre-trained on all rows, taught by those whose class is known.

        -log p(y | x) = -log softmax(head(code(x)))_y

    Parameters
    ----------
    autoencoder : any autoencoder that learns without labels. Not fitted: it is pre-trained first, on every row given,
        for as many epochs and at the rate that its own ``trainer`` says. Fitted (a loaded model, say): its weights
        are the start, and there is no pre-training. None: an `Autoencoder`.
    hidden : widths of the head's hidden layers; (): a softmax on the code.
    freeze : True: only the head learns (a linear probe with ``hidden=()``); False: the encoder is fine-tuned too.
    pretrain : False: the same network, taught from random weights; what pre-training is worth is the difference.
    trainer : of the supervised stage, and of pre-training but for the epochs and rate that the autoencoder's own says.
    random_state : seed.

    ``fit(X, y)``: classes of any kind; rows of an unknown class (-1, None, NaN) serve the pre-training. So
    -1 cannot be a class. Raises `DataError` if fewer than two classes are known.

    Reference: Hinton & Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks"; Erhan et al.
    (2010), "Why does unsupervised pre-training help deep learning?".

    >>> import numpy as np
    >>> from diabolo import Autoencoder, AutoencoderClassifier, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> y = np.where(np.arange(64) < 32, X[:, 0] > 0, -1)              # the class of half the rows is known
    >>> model = AutoencoderClassifier(Autoencoder(2), trainer=Trainer(epochs=2), random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape, model.transform(X).shape
    ((64, 2), (64, 2))
    """

    @property
    def classes_(self) -> np.ndarray:
        """The known classes, in the order of `predict_proba`."""
        return self.labels_.classes

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row (N,)."""
        said = self._says(X)
        return self.labels_.decode(said.argmax(1))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (N, classes), in the order of ``classes_``."""
        return torch.softmax(self._says(X).double(), 1).numpy()

    def _head(self) -> tuple[Shape, ReconstructionLoss]:
        return (self.labels_.size,), make("loss", "categorical", classes=self.labels_.size)

    def _learn_labels(self, y: Any) -> Labels:
        labels = super()._learn_labels(y)
        if labels.size < 2:
            raise DataError(f"y holds only one class, {labels.classes[0]!r}; a classifier needs at least two.")
        return labels

    def _checked(self, y: Any) -> Any:
        return checked_classes(y)


@register("model", "regressor")
class AutoencoderRegressor(RegressorMixin, Supervised):
    """A regressor on an autoencoder's code: pre-trained on all rows, taught by those whose number is known.

        |y - head(code(x))|^2,    y in units of its standard deviation

    Parameters: as `AutoencoderClassifier`. ``fit(X, y)``: numbers (N,) or (N, K), NaN where unknown; such rows serve
    the pre-training.

    Reference: Erhan et al. (2010), "Why does unsupervised pre-training help deep learning?".

    >>> import numpy as np
    >>> from diabolo import Autoencoder, AutoencoderRegressor, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = AutoencoderRegressor(Autoencoder(2), trainer=Trainer(epochs=2), random_state=0).fit(X, X[:, 0])
    >>> model.predict(X).shape
    (64,)
    """

    _numeric_labels: ClassVar[bool] = True

    def predict(self, X: Any) -> np.ndarray:
        """Numbers, in the units and shape of the y given to ``fit``."""
        said = self._says(X)
        return self.labels_.decode(said)

    def _head(self) -> tuple[Shape, ReconstructionLoss]:
        return (self.labels_.size,), make("loss", "squared")

    def _checked(self, y: Any) -> Any:
        values = np.asarray(y)
        return column_or_1d(values, warn=True) if values.ndim == 2 and values.shape[1] == 1 else values
