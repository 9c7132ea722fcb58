"""What a segmenter is held against, how it is judged, and what a report shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray

from ..core.metrics import bootstrap_mean
from ..data import Source
from ..data.process_labelled import UNKNOWN
from . import pictures
from .base import Assessment
from .exhibit import Exhibit, Strip

if TYPE_CHECKING:
    from .segment import Segmenter

TREES, PIXELS = 60, 20_000
"""Of the forest, and pixels it learns from."""
SCALES = (1.0, 2.0, 4.0)
SHOWN = 6
COLOURS = np.array(
    [(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75), (227, 119, 194),
     (188, 189, 34), (23, 190, 207), (127, 127, 127)], np.float32,
) / 255  # fmt: skip


def mean_iou(labels: list[ndarray], said: list[ndarray], classes: ndarray) -> float:
    """Mean over classes of intersection over union, all pictures together; pixels of -1 do not count.

    A class that is neither there nor said is left out.

    >>> mean_iou([np.array([[0, 0, 1, 1]])], [np.array([[0, 1, 1, 1]])], np.array([0, 1]))
    0.5833333333333333
    """
    truth = np.concatenate([label.ravel() for label in labels])
    guess = np.concatenate([held.ravel() for held in said])[truth != UNKNOWN]
    truth = truth[truth != UNKNOWN]
    both = [
        (int(((truth == one) & (guess == one)).sum()), int(((truth == one) | (guess == one)).sum())) for one in classes
    ]
    shares = [inner / outer for inner, outer in both if outer]
    return float(np.mean(shares)) if shares else float("nan")


def features(picture: ndarray) -> ndarray:
    """What shows around every pixel (H, W, F): values, blurred ones, and edges, at three scales."""
    from scipy.ndimage import gaussian_filter, gaussian_gradient_magnitude

    found = [picture]
    for scale in SCALES:
        for channel in np.moveaxis(picture, -1, 0):
            smooth = gaussian_filter(channel, scale)
            spread = np.sqrt(np.maximum(gaussian_filter(channel**2, scale) - smooth**2, 0))
            found.append(np.stack([smooth, spread, gaussian_gradient_magnitude(channel, scale)], -1))
    return np.concatenate(found, -1)


def forest(learn: list[ndarray], labels: list[ndarray], test: list[ndarray], seed: int = 0) -> list[ndarray]:
    """A random forest over the features of single pixels: what interactive tools do (Sommer et al. 2011, "ilastik")."""
    from sklearn.ensemble import RandomForestClassifier

    known = [label != UNKNOWN for label in labels]
    X = np.concatenate([features(picture)[here] for picture, here in zip(learn, known, strict=True)])
    y = np.concatenate([label[here] for label, here in zip(labels, known, strict=True)])
    some = np.random.default_rng(seed).permutation(len(X))[:PIXELS]
    made = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=seed).fit(X[some], y[some])
    seen = [features(picture) for picture in test]
    return [made.predict(held.reshape(-1, held.shape[-1])).reshape(held.shape[:2]) for held in seen]


def labelled_part(model: Segmenter, source: Source) -> tuple[list[ndarray], list[ndarray]]:
    """The pictures of a source that have labels, values in [0, 1], and their labels."""
    from .segment import label_pictures

    held = pictures.taken(source, None, None, model.facts_["channels"])
    labels = label_pictures(source, None, held, model.ignore)
    ends = tuple(model.facts_["range"])
    each = [
        (pictures.scaled(picture, known, ends), label)  # type: ignore[arg-type]
        for picture, known, label in zip(held.pictures, held.known, labels, strict=True)
        if label is not None
    ]
    return [picture for picture, _ in each], [label for _, label in each]


def assessment(model: Segmenter, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
    """Held-out labelled pictures, cut by the model, by the same network without pre-training, and pixel by pixel."""
    test, truth = labelled_part(model, held)
    train, labels = labelled_part(model, learn)
    if not test:
        return None
    said = {"this model": as_given(model, held, test)}
    if model.pretrain:
        scratch: Any = type(model)(**{**model.get_params(deep=False), "pretrain": False})
        scratch.trainer = None if model.trainer is None else type(model.trainer)(
            **{**model.trainer.get_params(deep=False), "callbacks": ()}
        )  # fmt: skip
        said["without pre-training"] = as_given(scratch.fit(learn), held, test)
    said["forest of pixels"] = forest(train, labels, test, seed)
    classes = model.classes_
    commonest = classes[np.argmax([sum(int((label == one).sum()) for label in labels) for one in classes])]
    said["commonest class"] = [np.full(label.shape, commonest) for label in truth]
    found = {name: mean_iou(truth, guess, classes) for name, guess in said.items()}
    right = {name: _right(truth, guess) for name, guess in said.items()}
    lines = tuple((name, f"{100 * found[name]:.1f}", f"{100 * right[name].mean():.1f}") for name in said)
    title = f"{len(test)} held-out labelled pictures, {len(classes)} classes, learnt from {len(train)}"
    return Assessment(title, ("", "mean IoU, %", "pixels right, %"), lines, _verdict(found, right, seed))


def as_given(model: Segmenter, source: Source, like: list[ndarray]) -> list[ndarray]:
    """What a model says of the labelled pictures of a source."""
    from .segment import label_pictures

    held = pictures.taken(source, None, None, model.facts_["channels"])
    labels = label_pictures(source, None, held, model.ignore)
    said = model.predict(source)
    return [guess for guess, label in zip(said, labels, strict=True) if label is not None]


def _right(truth: list[ndarray], said: list[ndarray]) -> ndarray:
    """The share of right pixels of every picture."""
    return np.array([
        float((guess == label)[label != UNKNOWN].mean()) for label, guess in zip(truth, said, strict=True)
    ])  # fmt: skip


def _verdict(found: dict[str, float], right: dict[str, ndarray], seed: int) -> str:
    mine, *others = found
    best = max(others, key=lambda name: found[name])
    if len(right[mine]) < 3:
        return f"mean IoU {found[mine] - found[best]:+.3f} beside {best}; too few held-out pictures to say more"
    gain = bootstrap_mean(right[mine] - right[best], seed=seed)
    who = "better than" if gain.low > 0 else "no better than" if gain.high < 0 else "a tie with"
    return f"{who} {best}: mean IoU {100 * found[mine]:.1f} against {100 * found[best]:.1f} %"


def shown(model: Segmenter, source: Source) -> list[Exhibit]:
    """Pictures, what every pixel was said to be, and what it is."""
    held = pictures.taken(source, None, None, model.facts_["channels"])
    ends, classes = tuple(model.facts_["range"]), model.classes_
    said = model.predict(source)
    target = source.target if source.target is not None and len(source.target) == len(held) else None
    strips = []
    for place in np.unique(np.linspace(0, len(held) - 1, min(len(held), SHOWN)).astype(int)):
        picture = pictures.scaled(held.pictures[place], held.known[place], ends)  # type: ignore[arg-type]
        label = None if target is None else np.asarray(target[place])
        marked = [(painted(picture, said[place], classes), "this model")]
        if label is not None and label.shape == picture.shape[:2] and (label != UNKNOWN).any():
            marked.append((painted(picture, label, classes), "label"))
        strips.append(
            Strip(f"picture {place}", (picture, *(m for m, _ in marked)), ("picture", *(n for _, n in marked)))
        )
    counts = [sum(int((np.asarray(one) == name).sum()) for one in said) for name in classes]
    lines = tuple(
        (str(name), f"{100 * count / max(1, sum(counts)):.1f} %") for name, count in zip(classes, counts, strict=True)
    )
    text = f"What every pixel was said to be, learnt from {model.facts_['labelled']} labelled pictures."
    return [Exhibit("Pixel classes", text, tuple(strips), ("class", "share of the pixels"), lines)]


def painted(picture: ndarray, label: ndarray, classes: ndarray) -> ndarray:
    """A picture under the colours of its pixels' classes; the first class is left as it is."""
    grey = np.repeat(picture.mean(-1, keepdims=True), 3, -1)
    out = 0.25 + 0.75 * grey
    for place, name in enumerate(classes[1:]):
        here = label == name
        out[here] = 0.45 * out[here] + 0.55 * COLOURS[place % len(COLOURS)]
    return np.asarray(out)
