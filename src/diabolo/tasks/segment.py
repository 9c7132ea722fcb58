"""What every pixel of a picture is, from few labelled pictures and many that are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy import ndarray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..core import Batch, Spec, register
from ..core.errors import DataError, UsageError, out_of_range
from ..data import Source
from ..data.process_holed import HoledImage
from ..data.process_labelled import UNKNOWN, LabelledImage
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..estimators.recipe import Recipe
from ..train import Trainer
from . import pictures
from .base import Assessment, TaskModel
from .exhibit import Exhibit

WIDTH, DEPTH = 24, 3
"""Of the default network: deeper than for filling holes, for what a pixel is shows further away."""
HIDDEN = 0.4
"""Share of the pixels that is hidden, in pre-training and in teaching."""
STEPS = {"autoencoder": 600, "segmenter": 800}
BATCH = {"autoencoder": 16, "segmenter": 8}
RATE = 2e-3


@register("task", "segment")
class Segmenter(TaskModel):
    """Pixel classes by a U-shaped network whose encoder was trained on all pictures before, labelled or not.

        all pictures ──hide──▶ encoder ──▶ head ──▶ what was hidden            pre-training, without labels
                                  │ its weights
        labelled pictures ──▶ encoder ──▶ head ──▶ p(class of every pixel)     taught, on pixels of known class

    X is an array (N, H, W[, C]) or a list of pictures (H, W[, C]) of any sizes, uint8 or floats, grey or colour; y the
    label pictures (H, W) of whole numbers, -1 where a class is not known; None in place of a label picture, or one of
    -1 alone: the picture serves the pre-training.

    Parameters
    ----------
    autoencoder : an `Autoencoder` with network "u-shaped". Not fitted: it is pre-trained first. Fitted (that of another
        `Segmenter` or of an `Inpainter`, ``model.autoencoder_``): its weights are the start, there is no pre-training.
        None: one of width 24 and depth 3.
    pretrain : False: the same network from random weights; what pre-training is worth is the difference.
    ignore : a label that says nothing, such as 255 at the seams of objects; None: none but -1.
    tile : side of the tiles it learns from, in pixels, int >= 8; smaller pictures are learnt from whole.
    trainer : of teaching, and of pre-training where the autoencoder has none; epochs "auto": about 800 and 600 steps.
    random_state : seed.

    Raises `DataError` for rows that are no pictures, labels of another size, and fewer than two classes.

    Reference: Ronneberger, Fischer & Brox (2015), "U-Net: convolutional networks for biomedical image segmentation";
    Pathak et al. (2016), "Context encoders: feature learning by inpainting", section 5.2.3.

    >>> import numpy as np
    >>> from diabolo import Autoencoder, Segmenter, Trainer
    >>> y = np.tile(np.arange(8) < 4, (6, 8, 1)).astype(int)
    >>> X = 0.2 + 0.6 * y.astype(np.float32)
    >>> y[3:] = -1                                                       # the labels of three pictures are known
    >>> small = Autoencoder(4, network="u-shaped(width=4, depth=1)")
    >>> model = Segmenter(small, trainer=Trainer(epochs=80), random_state=0).fit(X, y)
    >>> model.predict(X[3:]).shape, float((model.predict(X) == (X > 0.5)).mean()) > 0.9
    ((3, 8, 8), True)
    """

    _label_role: ClassVar[str | None] = "label"
    _any_size: ClassVar[bool] = True

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        pretrain: bool = True,
        ignore: int | None = None,
        tile: int = 64,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.pretrain, self.ignore, self.tile = autoencoder, pretrain, ignore, tile
        self.trainer, self.random_state = trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Pre-train on all pictures, then learn the classes of pixels from those that have labels."""
        self._begin()
        held, labels, seed = self._given(X, y)
        start = self._start()
        if start is not None:
            self.models_["autoencoder"] = start
        elif self.pretrain:
            start = self._fitted("autoencoder", self._base(), self._unlabelled(held, seed))
        told = _Taught.of(self._base(), len(self.facts_["classes"]), start)
        told.trainer = self.trainer
        self._fitted("segmenter", told, self._labelled(held, labels, seed))
        return self

    def __sklearn_clone__(self) -> Self:
        """A clone keeps a fitted autoencoder: it is what the next fit starts from."""
        made: Self = super().__sklearn_clone__()
        made.autoencoder = self.autoencoder if "module_" in vars(self.autoencoder or self) else made.autoencoder
        return made

    def _start(self) -> BaseAutoencoder | None:
        """The autoencoder to start from, if it was given fitted. Raises `UsageError` for one of other pictures."""
        given = self.autoencoder
        if given is None or "module_" not in vars(given) or not self.pretrain:
            return None
        wanted = self.facts_["channels"] + 1
        if given.processor_.shape[-1] != wanted:
            raise UsageError(
                f"the autoencoder was fitted to pictures of {given.processor_.shape[-1] - 1} channels, these have "
                f"{wanted - 1}; take that of an Inpainter or Segmenter of such pictures."
            )
        return given

    def plan(self, X: Any, y: Any = None) -> Self:
        self._begin()
        held, _, seed = self._given(X, y)
        model, rows = self._base(), self._unlabelled(held, seed)
        model.trainer = self._longer("autoencoder", model.trainer, len(rows))
        self._shown = model.plan(rows)
        self.models_["autoencoder"] = self._shown
        return self

    def _given(self, X: Any, y: Any) -> tuple[pictures.Pictures, list[ndarray | None], int]:
        """Pictures, their label pictures as indices of classes, and a seed."""
        self._check()
        held = pictures.taken(X)
        labels = label_pictures(X, y, held, self.ignore)
        known = [np.unique(label) for label in labels if label is not None]
        classes = np.unique(np.concatenate([np.empty(0, int), *known]))
        classes = classes[classes != UNKNOWN]
        if len(classes) < 2:
            raise DataError(
                f"the label pictures hold {len(classes)} class{'' if len(classes) == 1 else 'es'}; at least two are "
                "needed, as whole numbers, one a pixel."
            )
        shapes = [picture.shape for picture in held.pictures]
        self.facts_.update(
            channels=held.channels, range=list(pictures.range_of(held)), classes=classes.tolist(),
            tile=list(pictures.sides(shapes, self.tile)), labelled=sum(label is not None for label in labels),
        )  # fmt: skip
        return held, [None if label is None else indices(label, classes) for label in labels], self._seed_now()

    def _check(self) -> None:
        if not isinstance(self.tile, int) or self.tile < 8:
            raise out_of_range("tile", "an int of at least 8", self.tile)
        network = getattr(self.autoencoder, "network", "u-shaped")
        if not isinstance(network, str | Spec) or Spec.of(network).name != "u-shaped":
            raise out_of_range("autoencoder", "one with network 'u-shaped', or None", self.autoencoder)

    def _default(self) -> BaseAutoencoder:
        depth = DEPTH if min(self.facts_["tile"]) >= 2 ** (DEPTH + 1) else 1
        return Autoencoder(WIDTH, network=Spec("u-shaped", width=WIDTH, depth=depth), loss="squared")

    def _base(self) -> BaseAutoencoder:
        """The autoencoder, with a network that puts out what is asked for, not a correction of its input."""
        made: Any = super()._base()
        network = Spec.of(made.network)
        made.network = Spec(network.name, **{**network.params, "residual": False})
        made.loss = "squared" if made.loss == "auto" else made.loss
        return made  # type: ignore[no-any-return]

    def _fitted(self, name: str, model: BaseAutoencoder, rows: Source) -> BaseAutoencoder:
        given = model.trainer
        model.trainer = self._longer(name, given, len(rows))
        self._member(name, model, rows)
        model.trainer = given
        return model

    def _longer(self, name: str, trainer: Trainer | None, rows: int) -> Trainer:
        """A copy of a trainer in which "auto" is what suits dense predictions: about `STEPS` steps."""
        made = Trainer(**(trainer or Trainer()).get_params(deep=False))
        if made.optimizer == "auto":
            made.optimizer = "adamw"
            made.lr = RATE if made.lr == "auto" else made.lr
        made.batch_size = BATCH[name] if made.batch_size == "auto" else made.batch_size
        if made.epochs == "auto":
            size = made.batch_size if isinstance(made.batch_size, int) else rows
            made.epochs = int(np.clip(STEPS[name] // max(1, -(-rows // size)), 2, STEPS[name]))
        return made

    # tiles --------------------------------------------------------------------------------------------------

    def _unlabelled(self, held: pictures.Pictures, seed: int) -> Source:
        """Tiles of all pictures, of which pixels are to be hidden."""
        tiles = self._tiles(held, [np.ones((*known.shape, 1), np.float32) for known in held.known], seed)
        return Source(tiles, "array", processor=HoledImage("mixed", HIDDEN))

    def _labelled(self, held: pictures.Pictures, labels: Sequence[ndarray | None], seed: int) -> Source:
        """Tiles of the labelled pictures, the index of the class beside the values."""
        some = [place for place, label in enumerate(labels) if label is not None]
        part = replace(
            held, pictures=[held.pictures[place] for place in some], known=[held.known[place] for place in some]
        )
        beside = [labels[place][..., None].astype(np.float32) for place in some]  # type: ignore[index]
        tiles = self._tiles(part, beside, seed)
        tiles = tiles[(tiles[..., -1] >= 0).any((1, 2))]
        if len(tiles) == 1:
            tiles = np.concatenate([tiles, tiles])
        return Source(tiles, "array", processor=LabelledImage(len(self.facts_["classes"]), HIDDEN))

    def _tiles(self, held: pictures.Pictures, beside: Sequence[ndarray], seed: int) -> ndarray:
        side = tuple(self.facts_["tile"])
        made = []
        for number, top, left in pictures.places([p.shape for p in held.pictures], side, seed):  # type: ignore[arg-type]
            spot = (slice(top, top + side[0]), slice(left, left + side[1]))
            values = pictures.scaled(held.pictures[number][spot], held.known[number][spot], self.facts_["range"])
            made.append(np.concatenate([values, beside[number][spot]], -1))
        return np.stack(made)

    # predicting ---------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> Any:
        """Label pictures (H, W) of the classes that were there at fit: an array where X is one, else a list."""
        held = pictures.taken(X, None, None, self._channels)
        classes = np.asarray(self.facts_["classes"])
        found = [classes[odds.argmax(-1)] for odds in self._odds(held)]
        return np.stack(found) if held.stacked else found

    def predict_proba(self, X: Any) -> Any:
        """Probabilities (H, W, classes) of every pixel, in the order of ``classes_``: as `predict`."""
        held = pictures.taken(X, None, None, self._channels)
        found = self._odds(held)
        return np.stack(found) if held.stacked else found

    @property
    def classes_(self) -> ndarray:
        """The labels that were there at fit."""
        return np.asarray(self.facts_["classes"])

    @property
    def _channels(self) -> int:
        check_is_fitted(self, "models_")
        return int(self.facts_["channels"])

    def _odds(self, held: pictures.Pictures) -> list[ndarray]:
        module = self.models_["segmenter"].module_

        def said(x: Tensor) -> Tensor:
            return torch.softmax(module.decoded(Batch(x, x)), -1)

        made, ends = [], pictures.ends_for(held, (self.facts_["range"][0], self.facts_["range"][1]))
        with torch.inference_mode():
            for picture, known in zip(held.pictures, held.known, strict=True):
                values = torch.from_numpy(pictures.scaled(picture, known, ends))[None]
                x = torch.cat([values, torch.ones_like(values[..., :1])], -1)
                made.append(pictures.over(said, module.encoder, x, tuple(self.facts_["tile"]))[0].numpy())  # type: ignore[arg-type]
        return made

    def inner_rows(self, source: Source) -> Source:
        """The middle tile of every picture."""
        return pictures.middles(source, self.facts_)

    # judging and showing ------------------------------------------------------------------------------------

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Mean intersection over union on held-out labelled pictures, beside the same network without pre-training and
        a forest of pixels."""
        from .segment_rivals import assessment

        return assessment(self, learn, held, seed=seed)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """Pictures with what every pixel was said to be, and the labels where there are any."""
        from .segment_rivals import shown

        return shown(self, source)


class _Taught(Autoencoder):
    """An `Autoencoder` whose encoder starts with the weights of another; on disk it is a plain one."""

    _from: dict[str, Tensor] | None = None

    @classmethod
    def of(cls, base: Any, classes: int, start: BaseAutoencoder | None) -> _Taught:
        """What predicts classes at every position, with the network of ``base``, from the weights of ``start``."""
        params = {**base.get_params(deep=False), "loss": Spec("categorical", classes=classes), "corruption": None}
        made = cls(**{**params, "penalties": ()})
        if start is not None:
            made.n_components = start.module_.bottleneck.in_features
            made._from = {name: held.clone() for name, held in start.module_.encoder.state_dict().items()}
        return made

    def _copy(self, params: dict[str, Any]) -> Self:
        made = super()._copy(params)
        made._from = self._from
        return made

    def build(self, shape: tuple[int, ...], target_shape: tuple[int, ...]) -> Recipe:
        recipe = super().build(shape, target_shape)
        if self._from is not None:
            recipe.module.encoder.load_state_dict(self._from)
        return recipe


def label_pictures(X: Any, y: Any, held: pictures.Pictures, ignore: int | None) -> list[ndarray | None]:
    """Label pictures (H, W) of whole numbers, -1 where nothing is known; None for a picture without any.

    Raises `DataError` for labels that are missing, of another size, or no whole numbers.
    """
    y = X.target if y is None and isinstance(X, Source) else y
    if y is None or len(y) != len(held):
        count = "no" if y is None else str(len(y))
        raise DataError(f"there are {count} label pictures for {len(held)} pictures; give one (or None) for each.")
    found: list[ndarray | None] = []
    for number, (label, picture) in enumerate(zip(y, held.pictures, strict=True)):
        if label is None:
            found.append(None)
            continue
        values = np.asarray(label)
        if values.shape != picture.shape[:2]:
            raise DataError(
                f"label picture {number} has shape {values.shape}, its picture {picture.shape[:2]}; one whole number a "
                "pixel is needed (for folders: --target LABELS, pictures of the same names)."
            )
        values = np.where(np.isnan(values), UNKNOWN, values) if values.dtype.kind == "f" else values
        if values.dtype.kind not in "biuf" or (values != np.round(values)).any():
            raise DataError(f"label picture {number} holds {values.dtype} values; whole numbers are needed.")
        values = values.astype(np.int64)
        values = np.where(values == ignore, UNKNOWN, values) if ignore is not None else values
        found.append(values if (values != UNKNOWN).any() else None)
    return found


def indices(label: ndarray, classes: ndarray) -> ndarray:
    """Label values as places in ``classes``; -1 for what is not there."""
    place = np.searchsorted(classes, label).clip(max=len(classes) - 1)
    return np.where(classes[place] == label, place, UNKNOWN)
