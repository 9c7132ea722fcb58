"""Does filling up rare classes help? Asked of rows that nothing was fitted to, chosen by or made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.stats import t as student

from ..core.errors import UsageError
from ..core.metrics import Interval
from ..data import Source
from .arms import WARPED, Arms
from .augment import AutoencoderSampler
from .base import Assessment
from .cells import as_rows
from .classes import Classes
from .folds import folds_of
from .held_out import taken
from .warped import are_pictures

ARMS = ("nothing", "class weights", "repeated rows", "SMOTE")
OURS = "made rows"
RIVALS = ("nothing", "SMOTE", WARPED)
"""What made rows must be better than to be worth having; warping where rows are pictures."""
MARGIN = 0.01
"""A gain in balanced accuracy below which it is not worth speaking of one."""
FEW = 10
"""Held-out rows of a class, below which a quick look decides nothing."""
MOST = 20_000
"""Rows that a forest is taught by in a quick look."""


@dataclass(frozen=True)
class Verdict:
    """Whether made rows help a classifier.

    scores    arm -> balanced accuracy in every fold (J,): "nothing", "class weights", "repeated rows" (random
              oversampling), "SMOTE", of pictures "warping" (`tasks.warped`), and "made rows" (the sampler)
    chosen    the way the inner folds chose in every fold
    gains     "nothing", "SMOTE", of pictures "warping" -> by how much made rows are ahead, with a 95 % interval
    words     the same -> "helps", "harms", "does not help" (a gain above the margin is ruled out) or "undecided"
    verdict   one sentence
    """

    scores: dict[str, ndarray]
    chosen: tuple[str, ...]
    gains: dict[str, Interval]
    words: dict[str, str]
    verdict: str

    def table(self) -> Assessment:
        """One line an arm, the sampler first."""
        names = (OURS, *(name for name in self.scores if name != OURS))
        lines = [(name, f"{100 * self.scores[name].mean():.1f} %") for name in names]
        title = f"Balanced accuracy, mean over {len(self.chosen)} folds"
        return Assessment(title, ("taught by", "balanced accuracy"), tuple(lines), self.verdict)


def verdict(
    X: Any,
    y: Any,
    groups: Any = None,
    classifier: Any = None,
    *,
    sampler: AutoencoderSampler | None = None,
    ways: Sequence[str] = ("density", "interpolation"),
    folds: int = 5,
    repeats: int = 2,
    inner: int = 2,
    random_state: int = 0,
) -> Verdict:
    """Compare a classifier taught by the rows alone, with weights, with SMOTE and with made rows, fold by fold.

        outer fold:  rows ──▶ inner folds choose the way ──▶ sampler ──▶ classifier ──▶ balanced accuracy, test rows
        gain a fold: made rows - rival;   interval: corrected resampled t over all folds

    Nothing of a test fold is seen by what is fitted, made or chosen. Rows of one machine, patient or recording belong
    together: give ``groups``, or they stand on both sides and the verdict flatters.

    Parameters
    ----------
    X, y : rows (N, …), an array or a DataFrame, and classes (N,). groups : (N,) what belongs together, or None.
    classifier : any of scikit-learn's, not fitted, for rows as given; None: a random forest on the encoded rows.
    sampler : its settings; None: those of `AutoencoderSampler()`.
    ways : what the inner folds choose among; one way: nothing is chosen.
    folds, repeats, inner : outer folds, how often they are drawn anew, and inner folds.
    random_state : int; draws the folds and seeds all else.

    Raises `DataError` for fewer than 2 groups or rows a class to share among the folds.

    Reference: Nadeau & Bengio (2003), "Inference for the generalization error", section 3 (corrected resampled t);
    Cawley & Talbot (2010), "On over-fitting in model selection" (why the choice is nested).

    >>> import numpy as np
    >>> from diabolo import Trainer
    >>> random = np.random.default_rng(0)
    >>> y = np.arange(80) % 8 == 0
    >>> X = random.normal(size=(80, 3)) + 3 * y[:, None]
    >>> base = AutoencoderSampler(trainer=Trainer(epochs=2))
    >>> found = verdict(X, y, sampler=base, ways=["interpolation"], folds=2, repeats=1)
    >>> sorted(found.scores), len(found.chosen)
    (['SMOTE', 'class weights', 'made rows', 'nothing', 'repeated rows'], 2)
    """
    rows, _ = as_rows(X)
    known = Classes.learn(y)
    places = known.places(y, len(rows))
    labels = known.values[places]
    base = sampler if sampler is not None else AutoencoderSampler()
    if not ways:
        raise UsageError("ways must name at least one way to make rows; got none.")
    found: dict[str, list[float]] = {}
    chosen, ratios = [], []
    for number, (train, test) in enumerate(_all_folds(places, groups, folds, repeats, random_state)):
        seed = random_state + 1000 * (number + 1)
        arms = Arms(taken(rows, train), labels[train], classifier, base, seed)
        within = None if groups is None else np.asarray(groups)[train]
        way = arms.choose(ways, within, inner)
        for name in (*arms_for(rows), OURS):
            score = arms.score(name, taken(rows, test), labels[test], way)
            if score is not None:
                found.setdefault(name, []).append(score)
        chosen.append(way)
        ratios.append(len(test) / len(train))
    return judge({name: np.array(values) for name, values in found.items()}, chosen, float(np.mean(ratios)))


def judge(scores: dict[str, ndarray], chosen: Sequence[str], ratio: float) -> Verdict:
    """The verdict on balanced accuracies in folds; ``ratio``: test rows / training rows of a fold."""
    gains = {name: corrected_interval(scores[OURS] - scores[name], ratio) for name in RIVALS if name in scores}
    words = words_of(gains)
    return Verdict(scores, tuple(chosen), gains, words, sentence(scores, gains, words))


def arms_for(rows: Any) -> tuple[str, ...]:
    """The arms beside the sampler's: of pictures warping too."""
    return (*ARMS, WARPED) if are_pictures(rows) else ARMS


def words_of(gains: dict[str, Interval]) -> dict[str, str]:
    """What each interval says."""
    return {name: word(gain) for name, gain in gains.items()}


def corrected_interval(gains: ndarray, ratio: float, level: float = 0.95) -> Interval:
    """Mean of gains in folds (J,), with an interval that allows for folds that share their training rows.

        mean ± t_{J-1} sqrt((1/J + test/train) var)

    Reference: Nadeau & Bengio (2003), "Inference for the generalization error", equation 5 with rho = test/total.

    >>> str(corrected_interval(np.array([0.02, 0.03, 0.01, 0.02]), ratio=0.25))
    '0.02 [0.001626, 0.03837]'
    """
    mean = float(gains.mean())
    if len(gains) < 2:
        return Interval(mean, -1.0, 1.0)
    error = np.sqrt((1 / len(gains) + ratio) * gains.var(ddof=1))
    reach = float(student.ppf((1 + level) / 2, len(gains) - 1) * error)
    return Interval(mean, mean - reach, mean + reach)


def word(gain: Interval) -> str:
    """What an interval of a gain says.

    >>> [word(Interval(0, *ends)) for ends in ((0.01, 0.1), (-0.1, -0.01), (-0.02, 0.005), (-0.02, 0.05))]
    ['helps', 'harms', 'does not help', 'undecided']
    """
    if gain.low > 0:
        return "helps"
    if gain.high < 0:
        return "harms"
    return "does not help" if gain.high < MARGIN else "undecided"


def sentence(scores: dict[str, ndarray], gains: dict[str, Interval], words: dict[str, str]) -> str:
    """One line: does it help, by how much, how sure, and is it worth more than SMOTE."""
    level, alone = (100 * scores[name].mean() for name in (OURS, "nothing"))
    lead = (
        f"augmentation {words['nothing']}"
        if words["nothing"] != "undecided"
        else "undecided whether augmentation helps"
    )
    than = {"helps": "better than", "harms": "worse than", "does not help": "no better than"}
    others = [
        f"{than.get(words[name], 'a tie with')} {name}, {_points(gains[name])}" for name in gains if name != "nothing"
    ]
    said = f"{lead}: balanced accuracy {level:.1f} % against {alone:.1f} % without, {_points(gains['nothing'])}"
    return "; ".join([said, *others])


def _points(gain: Interval) -> str:
    value, low, high = (100 * end + 0.0 for end in (gain.value, gain.low, gain.high))
    return f"{value:+.1f} points [{low:.1f}, {high:.1f}]"


def _all_folds(places: ndarray, groups: Any, folds: int, repeats: int, seed: int) -> Iterator[tuple[ndarray, ndarray]]:
    for repeat in range(repeats):
        yield from folds_of(places, groups, folds, seed + repeat)


def held_out(model: AutoencoderSampler, learn: Source, held: Source, *, seed: int = 0) -> Assessment:
    """A quick look: a forest taught by ``learn`` in each way, on the held rows; one split, so wide intervals."""
    (rows, y), (test, asked) = as_rows(learn), as_rows(held)
    known = model._classes
    labels, truth = known.values[known.places(y, len(rows))], known.places(asked, len(test))
    if len(rows) > MOST:
        some = np.random.default_rng(seed).choice(len(rows), MOST, replace=False)
        rows, labels = taken(rows, some), labels[some]
    arms = Arms(rows, labels, None, model, seed, fitted=model)
    hits = {name: _hits(arms, name, test, known.values[truth], model.how) for name in (OURS, *arms_for(rows))}
    spans = {name: recall_interval(values, truth, seed) for name, values in hits.items()}
    gains = {name: recall_interval(hits[OURS] - hits[name], truth, seed) for name in RIVALS if name in hits}
    lines = [(name, f"{100 * s.value:.1f} %", f"{100 * s.low:.1f} to {100 * s.high:.1f}") for name, s in spans.items()]
    title = f"Balanced accuracy of a random forest on {len(truth):,} held-out rows"
    said = sentence({name: np.array([s.value]) for name, s in spans.items()}, gains, words_of(gains))
    fewest = int(np.bincount(truth, minlength=len(known.values)).min())
    if fewest < FEW:
        said = (
            f"undecided whether augmentation helps: some class has {fewest} held-out row{'' if fewest == 1 else 's'}, "
            f"at least {FEW} are needed; keep more (--holdout 0.3), or take diabolo.verdict from Python"
        )
    return Assessment(title, ("taught by", "balanced accuracy", "95 % interval"), tuple(lines), said)


def _hits(arms: Arms, arm: str, rows: Any, truth: ndarray, way: str) -> ndarray:
    return np.asarray(arms.predict(arm, rows, way) == truth, np.float64)


def recall_interval(values: ndarray, truth: ndarray, seed: int = 0, draws: int = 1000) -> Interval:
    """Mean over classes of the mean of -1, 0 or 1 a row (N,), with a bootstrap interval: rows drawn within each class.

    >>> recall_interval(np.array([1.0, 1.0, 0.0, 1.0]), np.array([0, 0, 1, 1])).value
    0.75
    """
    random = np.random.default_rng(seed)
    steps = np.array([-1.0, 0.0, 1.0])
    counts = [np.array([(values[truth == place] == step).sum() for step in steps]) for place in np.unique(truth)]
    drawn = np.mean([random.multinomial(c.sum(), c / c.sum(), draws) @ steps / c.sum() for c in counts], axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(np.mean([c @ steps / c.sum() for c in counts])), float(low), float(high))
