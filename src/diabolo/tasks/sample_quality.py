"""How good made pictures, series, sounds or texts are: how far from real ones, how lifelike, how varied."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ..core.errors import DataError, out_of_range
from ..core.metrics import Interval, frechet_of_gaussians
from ..data import Source
from .base import Assessment
from .features import Features, suited

MOST, LEAST = 5000, 10
"""Rows of each side that are looked at, at most and at least."""
BLOCK = 1024
NEIGHBOURS = 3
DRAWS, LEVEL = 50, 0.95
MEASURES = ("frechet", "kernel", "precision", "recall")
VALUES = "values"
GAP = 0.1
"""Precision or recall that lies so far below what real rows reach is spoken of."""


@dataclass(frozen=True)
class SampleQuality:
    """Made rows held against as many real ones, in named features; 95 % bootstrap intervals.

    frechet    squared distance of the Gaussians that the two sets suggest; biased upwards, so look at ``floor``
    kernel     squared maximum mean discrepancy (KID), unbiased: about 0 for rows of one distribution
    precision  share of made rows that lie where real ones do: are they lifelike?
    recall     share of real rows that lie where made ones do: is everything there?
    floor      the same of other real rows in place of the made ones: the best that can be expected
    rows       of each side
    """

    features: str
    rows: int
    frechet: Interval
    kernel: Interval
    precision: Interval
    recall: Interval
    floor: dict[str, Interval]
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def sample_quality(
    real: ndarray, made: ndarray, features: Features, *, neighbours: int = NEIGHBOURS, draws: int = DRAWS, seed: int = 0
) -> SampleQuality:
    """Hold made rows against real ones: Frechet and kernel distance, precision and recall, with floor and intervals.

        real ──halves──▶ A, B        measures: A against made;        floor: A against B

    real, made : vectors (N, F) as ``features`` take them, at least 20 and 10; of pictures their values. real: rows that
    neither the model nor the features learnt from. neighbours : k of the manifolds. draws : of the bootstrap.

    Raises `DataError` for too few rows or values that are not finite, `UsageError` for parameters out of range.

    >>> from diabolo.tasks.features import principal
    >>> random = np.random.default_rng(0)
    >>> real, far = random.normal(size=(400, 3)), random.normal(size=(200, 3)) + 9
    >>> found = sample_quality(real, far, principal(real))
    >>> found.precision.value, found.recall.value, 230 < found.frechet.value < 260
    (0.0, 0.0, True)
    """
    if not isinstance(neighbours, int) or neighbours < 1:
        raise out_of_range("neighbours", "an int of at least 1", neighbours)
    if not isinstance(draws, int) or draws < 2:
        raise out_of_range("draws", "an int of at least 2", draws)
    first, other, new = _sides(real, made, seed)
    a, b, c = (np.asarray(features(part), np.float64) for part in (first, other, new))
    if not np.isfinite(c).all():
        raise DataError("made rows have values that are not finite; they cannot be compared with real ones.")
    found, floor = (measured(a, side, neighbours, draws, seed) for side in (c, b))
    return SampleQuality(features.name, len(a), **found, floor=floor, verdict=_verdict(found, floor))


def _sides(real: ndarray, made: ndarray, seed: int) -> tuple[ndarray, ndarray, ndarray]:
    """Two halves of the real rows and the made ones, as many of each."""
    if len(real) < 2 * LEAST or len(made) < LEAST:
        raise DataError(
            f"the quality of made rows needs at least {2 * LEAST} real rows and {LEAST} made ones; "
            f"got {len(real)} and {len(made)}."
        )
    if real.shape[1:] != made.shape[1:]:
        raise DataError(f"real rows have shape {real.shape[1:]}, made ones {made.shape[1:]}; they must be alike.")
    n = min(len(real) // 2, len(made), MOST)
    random = np.random.default_rng(seed)
    order, some = random.permutation(len(real)), np.sort(random.permutation(len(made))[:n])
    return real[order[:n]], real[order[n : 2 * n]], made[some]


def measured(
    real: Float[ndarray, "n d"], made: Float[ndarray, "m d"], k: int = NEIGHBOURS, draws: int = DRAWS, seed: int = 0
) -> dict[str, Interval]:
    """The four measures of two sets of features, with intervals.

    A bootstrap sample holds rows twice, which widens both distances; so its deviations from its own mean are taken.
    """
    random = np.random.default_rng(seed)
    weights = [
        np.stack([np.ones(len(rows)), *random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), draws)])
        for rows in (real, made)
    ]
    inside, covered = manifolds(real, made, k)
    values = {
        "frechet": frechet_weighted(real, made, *weights),
        "kernel": kernel_weighted(real, made, *weights),
        "precision": weights[1] @ inside / len(made),
        "recall": weights[0] @ covered / len(real),
    }
    return {name: _interval(found, share=name in MEASURES[2:]) for name, found in values.items()}


def _interval(found: ndarray, share: bool) -> Interval:
    value, ends = float(found[0]), np.quantile(found[1:] - found[1:].mean(), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    low, high = (value + float(end) for end in ends)
    return Interval(value, max(0.0, low), min(1.0, high)) if share else Interval(value, low, high)


# ── the measures ──────────────────────────────────────────────────────────────────────────────────


def frechet_weighted(a: ndarray, b: ndarray, wa: ndarray, wb: ndarray) -> Float[ndarray, " w"]:
    """Frechet distance of rows that count so often (W, N), (W, M): one value a line of weights."""
    return np.array([frechet_of_gaussians(*_moments(a, u), *_moments(b, v)) for u, v in zip(wa, wb, strict=True)])


def _moments(rows: ndarray, weight: ndarray) -> tuple[ndarray, ndarray]:
    mean = weight @ rows / weight.sum()
    away = (rows - mean) * np.sqrt(weight)[:, None]
    return mean, away.T @ away / (weight.sum() - 1)


def kernel_distance(a: Float[ndarray, "n d"], b: Float[ndarray, "m d"]) -> float:
    """Squared maximum mean discrepancy with a cubic kernel (KID); unbiased, so it may be below 0.

        k(x, y) = (x·y / D + 1)³,    mean k(a, a') + mean k(b, b') - 2 mean k(a, b),   a ≠ a', b ≠ b'

    Reference: Binkowski et al. (2018), "Demystifying MMD GANs", section 4; Gretton et al. (2012), equation 3.

    >>> kernel_distance(np.zeros((4, 2)), np.ones((4, 2)))
    7.0
    """
    return float(kernel_weighted(a, b, np.ones((1, len(a))), np.ones((1, len(b))))[0])


def kernel_weighted(a: ndarray, b: ndarray, wa: ndarray, wb: ndarray) -> Float[ndarray, " w"]:
    """The same of rows that count so often (W, N), (W, M); a row is never its own partner."""
    own = sum(_pairs(rows, rows, w, w, apart=True) for rows, w in ((a, wa), (b, wb)))
    found: ndarray = own - 2 * _pairs(a, b, wa, wb, apart=False)
    return found


def _pairs(a: ndarray, b: ndarray, wa: ndarray, wb: ndarray, apart: bool) -> ndarray:
    """Weighted mean of the kernel over pairs of rows."""
    total = np.zeros(len(wa))
    for rows in _blocks(len(a)):
        kernel = (a[rows] @ b.T / a.shape[1] + 1) ** 3
        if apart:
            kernel[np.arange(len(kernel)), np.arange(rows.start, rows.start + len(kernel))] = 0.0
        total += ((wa[:, rows] @ kernel) * wb).sum(1)
    count = wa.sum(1) * wb.sum(1)
    found: ndarray = total / (count - np.square(wa).sum(1) if apart else count)
    return found


def precision_recall(
    real: Float[ndarray, "n d"], made: Float[ndarray, "m d"], k: int = NEIGHBOURS
) -> tuple[float, float]:
    """Share of made rows among the real ones, and of real rows among the made ones.

    A row is among others where it lies within the distance of one of them to its own k-th nearest.

    Reference: Kynkäänniemi et al. (2019), "Improved precision and recall metric for assessing generative models",
    equations 1 and 2.

    >>> line = np.arange(10.0)[:, None]
    >>> precision_recall(line, np.concatenate([line[:5], line[:5] + 100]), k=1)
    (0.5, 0.6)
    """
    inside, covered = manifolds(real, made, k)
    return float(inside.mean()), float(covered.mean())


def manifolds(real: ndarray, made: ndarray, k: int = NEIGHBOURS) -> tuple[ndarray, ndarray]:
    """Which made rows lie among the real ones (M,), and which real ones among the made (N,); 0 or 1."""
    reach = [_reach(rows, k) for rows in (real, made)]
    return _among(made, real, reach[0]), _among(real, made, reach[1])


def _reach(rows: ndarray, k: int) -> ndarray:
    """Squared distance of every row to its k-th nearest other one."""
    place = min(k, len(rows) - 1)
    found = [np.partition(_squares(rows[part], rows), place, axis=1)[:, place] for part in _blocks(len(rows))]
    return np.concatenate(found)


def _among(rows: ndarray, others: ndarray, reach: ndarray) -> Float[ndarray, " n"]:
    slack = 1e-9 * max(1.0, float(np.square(others).sum(1).max(initial=0)))  # squares come from products
    found = [(_squares(rows[part], others) <= reach + slack).any(1) for part in _blocks(len(rows))]
    return np.concatenate(found).astype(np.float64)


def _squares(a: ndarray, b: ndarray) -> ndarray:
    found: ndarray = (np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * (a @ b.T)).clip(min=0)
    return found


def _blocks(rows: int) -> Iterator[slice]:
    return (slice(begin, begin + BLOCK) for begin in range(0, rows, BLOCK))


# ── in words, and beside others ───────────────────────────────────────────────────────────────────


def _verdict(found: Mapping[str, Interval], floor: Mapping[str, Interval]) -> str:
    """One sentence: how far from real rows, and what is wrong."""
    distance, least = found["frechet"], floor["frechet"]
    times = f"{distance.value / least.value:.2g} times" if least.value > 0 else "beside"
    said = f"Frechet distance {distance.value:.3g}, {times} that of real rows to real rows ({least.value:.2g})"
    precision, recall = (floor[name].value - found[name].value for name in MEASURES[2:])
    if precision > GAP and recall > GAP:
        return f"{said}; many rows look like no real one, and much of what is real is not among them"
    if precision > GAP:
        return f"{said}; many rows look like no real one (precision {found['precision'].value:.2f})"
    if recall > GAP:
        return f"{said}; lifelike, but much of what is real is not among them (recall {found['recall'].value:.2f})"
    return f"{said}; about as lifelike and varied as real rows"


def judged_samples(model: Any, source: Source, made: Any, *, seed: int = 0) -> Assessment:
    """The quality of a model's samples beside draws of a Gaussian and real rows, as a table.

    source : real rows that the model did not learn from, classes as its target where there are any; half of them teach
        the features, half are compared. made : rows as `sample` gives them. Values are in units of their spread.
    """
    rows, what = vectors(model, source.rows)
    new, _ = vectors(model, made)
    order = np.random.default_rng(seed).permutation(len(rows))
    teach, test = np.sort(order[: len(order) // 2]), np.sort(order[len(order) // 2 :])
    unit = float(rows[teach].std()) or 1.0
    rows, new = rows / unit, new / unit
    y = source.target if source.target is not None and len(source.target) == len(rows) else None
    features = suited(rows[teach], None if y is None else np.asarray(y)[teach], seed=seed)
    if what != VALUES:
        features = replace(features, name=f"{features.name} of {what}")
    found = {"these rows": new, "a Gaussian of the values": gaussian_rows(rows[teach], len(new), seed)}
    return compared_samples(rows[test], found, features, seed=seed)


def compared_samples(real: ndarray, made: Mapping[str, ndarray], features: Features, *, seed: int = 0) -> Assessment:
    """The quality of rows by name, the model's first, and of real rows, as a table."""
    found = {name: sample_quality(real, rows, features, seed=seed) for name, rows in made.items()}
    first = next(iter(found.values()))
    lines = [(name, *(_cell(getattr(one, measure)) for measure in MEASURES)) for name, one in found.items()]
    lines.append(("other real rows", *(_cell(first.floor[measure]) for measure in MEASURES)))
    title = f"{first.rows:,} rows beside as many real ones, in {features.name}"
    head = ("", "Frechet (least is best)", "kernel (0)", "precision (1)", "recall (1)")
    return Assessment(title, head, tuple(lines), first.verdict)


def _cell(found: Interval) -> str:
    return f"{found.value:.3g} [{found.low:.3g}, {found.high:.3g}]"


def gaussian_rows(rows: ndarray, n: int, seed: int = 0) -> ndarray:
    """n draws from the Gaussian of rows (N, F), within their range: the rival that knows nothing of shapes.

    x = mean + (X - mean)' u / √(N - 1),   u ~ N(0, I)
    """
    some = rows[: 2 * MOST // 5].astype(np.float64)
    draw = np.random.default_rng(seed).normal(size=(n, len(some)))
    made = some.mean(0) + draw @ (some - some.mean(0)) / np.sqrt(max(1, len(some) - 1))
    found: ndarray = made.clip(some.min(0), some.max(0))
    return found


def vectors(model: Any, rows: Any) -> tuple[Float[ndarray, "n f"], str]:
    """Rows of any kind as vectors of values (windows, of what is cut into them), and what they are.

    Of tokens, which are no values, the model's own codes.
    """
    processor = model.processor_
    batch = processor.collate(processor.encode(rows)).dense()
    if batch.target is None or not batch.target.is_floating_point():
        codes = model.transform(rows)
        return codes.reshape(len(codes), -1), "the model's own codes"
    return batch.target.flatten(1).nan_to_num().float().numpy(), VALUES
