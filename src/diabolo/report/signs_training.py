"""Signs in the data, the weights and the course of training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy import ndarray

from ..core import Redrawn, Schedule, Spec
from ..core.schedules import Constant
from .case import Case, Finding, together

PARTS = ("encoder", "bottleneck", "decoder", "prior", "objective")
GAP, SEVERAL, HARM = 0.5, 4.0, 0.1
"""Held-out error above training error: a gap; so large that it needs no more proof. Validation losses that rose."""


def data(case: Case) -> Iterator[Finding]:
    """Rows that are all alike, far from unit scale, repeated; columns that say nothing or the same."""
    x = case.batch.x.flatten(1).double().numpy()
    finite = np.isfinite(x).all(0)
    spread, size = np.where(finite, x.std(0), 0.0), x.shape[1]
    moving = spread > 0
    if not moving.any():
        yield Finding("constant rows", "serious", f"all {len(x):,} rows are the same", "other rows to learn from")
        return
    if moving.sum() < size / 2:
        evidence = f"{int((~moving).sum())} of {size} columns are the same in every row"
        yield Finding("constant columns", "note", evidence, "leave them out (--exclude): they say nothing")
    whole = float(np.sqrt(np.square(spread).mean()))
    if case.model.module_.shift is None and not 1e-2 <= whole <= 1e2:
        evidence = f"the values have a standard deviation of {whole:.3g}, and the model does not standardise them"
        yield Finding("far from unit scale", "warning", evidence, "scale the columns first (StandardScaler)")
    if spread.max() > 100 * float(np.median(spread[moving])):
        evidence = f"one column has {spread.max() / np.median(spread[moving]):,.0f} times the spread of most others"
        fix = "scale the columns first (StandardScaler), or read the table with --as table: the largest rules the loss"
        yield Finding("columns of unequal scale", "warning", evidence, fix)
    rows = len(np.unique(x, axis=0))
    if rows < 0.8 * len(x):
        evidence = f"{len(x) - rows:,} of {len(x):,} rows repeat another one"
        yield Finding("repeated rows", "note", evidence, "keep each once, or what is held out is not new")
    if case.model.processor_.part_name == "array" and len(case.model.processor_.shape) == 1:
        yield from _same_columns(x, moving)


def _same_columns(x: ndarray, moving: ndarray) -> Iterator[Finding]:
    _, first, counts = np.unique(x[:, moving], axis=1, return_index=True, return_counts=True)
    extra = int((counts - 1).sum())
    if extra:
        column = int(np.flatnonzero(moving)[first[counts > 1][0]])
        evidence = f"{extra} of {len(moving)} columns repeat another one, column {column} for example"
        yield Finding("repeated columns", "note", evidence, "leave the copies out: they count twice in the loss")


def broken(case: Case) -> Iterator[Finding]:
    """Weights that are no numbers; a model that was planned, not trained."""
    bad = [name for name, t in case.weights.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if bad:
        evidence = f"{len(bad)} of {len(case.weights)} tensors hold NaN or infinity, {bad[0]!r} for example"
        yield Finding("weights that are no numbers", "serious", evidence, f"lr={_rate(case) / 10:.2g} and clip=1.0")


def untrained(case: Case) -> Iterator[Finding]:
    """Parts that nothing trains, and weights that stand where they were drawn."""
    parts = {name for name in PARTS if name != "prior" or "prior_" not in vars(case.model)}
    pulls: dict[str, float] = {}
    for norms in case.gradients.values():
        for name, value in norms.items():
            pulls[name] = max(pulls.get(name, 0.0), value)
    still = [name for name, value in pulls.items() if value == 0 and name.partition(".")[0] in parts]
    if still:
        evidence = f"no term has a gradient at {len(still)} of {len(pulls)} parameters, {still[0]!r} for example"
        fix = "a smaller lr if units died, else give the part a term that it serves"
        yield Finding("a part without gradient", "serious", evidence, fix)
    resting = _where_drawn(case)
    if resting:
        evidence = f"{len(resting)} weight matrices are as they were drawn before training, {resting[0]!r} for example"
        yield Finding("an untrained part", "serious", evidence, "train it: no freeze, and a stage that moves it")


def _where_drawn(case: Case) -> list[str]:
    """Weight matrices of the module that are what the seed drew; [] where that cannot be told."""
    model = case.model
    network = case.taken("network")
    if type(model.random_state) is not int or not isinstance(network, str | Spec) or "_start" in vars(model):
        return []
    resolved = model._copy({**case.params, **model._resolved})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(model._seed_now())
        drawn = dict(resolved.build(model.processor_.shape, model.processor_.target_shape).module.named_parameters())
    now = dict(model.module_.named_parameters())
    return [n for n, p in now.items() if p.ndim >= 2 and n in drawn and p.std() > 0 and torch.equal(p, drawn[n])]


def scores(case: Case) -> Iterator[Finding]:
    """Scores that tell no row from another."""
    spread, size = float(case.scores.std()), float(np.abs(case.scores).mean())
    if len(case.scores) > 1 and spread <= 1e-6 * size:
        evidence = f"the scores of {len(case.scores):,} rows differ by {spread:.2g} around {case.scores.mean():.4g}"
        yield Finding("constant scores", "serious", evidence, "other rows, or a loss whose terms depend on the row")


def weights(case: Case) -> Iterator[Finding]:
    """One term that outweighs the reconstruction, in value and in pull."""
    pulls = {name: together(norms) for name, norms in case.gradients.items() if not name.startswith("own-")}
    if "reconstruction" not in pulls:
        return
    whole = sum(abs(value) for value in case.terms.values())
    for name, pull in pulls.items():
        share = abs(case.terms.get(name, 0.0)) / max(whole, 1e-300)
        ratio = pull / max(pulls["reconstruction"], 1e-300)
        if name != "reconstruction" and (share > 0.99 or ratio > 100):
            evidence = (
                f"{name!r} is {100 * share:.3g} % of the loss, and its gradient {ratio:.3g} times that of the "
                "reconstruction"
            )
            beta = name == "kl" and "beta" in case.params
            fix = f"beta={_tenth(case.taken('beta'))}" if beta else f"a hundredth of the weight of {name!r}"
            yield Finding("a term out of scale", "warning", evidence, fix)


def _tenth(value: Any) -> str:
    return f"{value / 10:.3g}" if isinstance(value, int | float) else "a schedule that ends lower"


def course(case: Case) -> Iterator[Finding]:
    """Losses that still fall at the end, or rose on the way."""
    losses = np.array([_loss(record) for record in case.history])
    if len(losses) < 2 or case.plays or _weights_move(case):
        return
    span = losses.max() - losses.min()
    recent = max(1, len(losses) // 5)
    fell = (losses[-1 - recent] - losses[-1]) / max(span, 1e-300)
    if fell > 0.1 and losses[-1] == losses.min():
        evidence = f"the last {recent} of {len(losses)} epochs brought {100 * fell:.0f} % of all that was gained"
        yield Finding("too few epochs", "warning", evidence, f"epochs={3 * len(losses)} (now {len(losses)})")
    late = losses[len(losses) // 10 :]
    rise = float(np.max(late - np.minimum.accumulate(late))) / max(span, 1e-300)
    if len(losses) > 4 and rise > 0.3:
        evidence = f"the training loss rose again by {100 * rise:.0f} % of its range"
        yield Finding("learning rate too high", "warning", evidence, f"lr={_rate(case) / 10:.2g}, or clip=1.0")


def _loss(record: dict[str, Any]) -> float:
    return float(record["train"].get("loss", np.nan))


def _weights_move(case: Case) -> bool:
    """Whether a term's weight follows a schedule: then the loss may rise though nothing is wrong."""
    found = [penalty.weight for penalty in case.model.objective_.penalties]
    return any(isinstance(weight, Schedule) and not isinstance(weight, Constant) for weight in found)


def _rate(case: Case) -> float:
    return max((float(record["lr"]) for record in case.history), default=1e-3)


def generalises(case: Case) -> Iterator[Finding]:
    """Errors on rows not trained on against those on training rows, where more training did harm.

    A gap alone is no disease: of two models the one with the larger gap may be the better one on new rows. It is one
    where validation errors rose again, or PCA would have done better, or the error is several times as high.
    """
    if case.headed:
        return
    gaps = {"in training, on the validation rows": _history_gap(case), "on these rows": _data_gap(case)}
    held = case.model.metrics_.get("comparison")
    if held is not None:
        gaps["on the rows kept for the comparison"] = held["gap"]
    where, gap = max(gaps.items(), key=lambda item: item[1])
    rose, found = _rose_again(case), case.comparison
    behind = found is not None and found.ratio.low > 1 and not case.no_rival
    if gap > SEVERAL or (gap > GAP and (rose > HARM or behind)):
        times = f"{gap + 1:.2g} times" if gap > SEVERAL else f"{100 * gap:.0f} % above"
        evidence = f"{where} the error is {times} that on training rows"
        evidence += f"; the validation loss then rose by {100 * rose:.0f} % of its range" if rose > HARM else ""
        evidence += f"; {found.verdict}" if behind and found is not None else ""
        size = case.model.n_components_
        fix = f"more rows, corruption='noise(std=0.1)', n_components={max(1, size // 2)}, or fewer and narrower layers"
        yield Finding("over-fitting", "warning", evidence, fix)


def _rose_again(case: Case) -> float:
    """How far the validation loss ended above its best, as a share of its range."""
    losses = np.array([r["validation"]["loss"] for r in case.history if r.get("validation")])
    if len(losses) < 3 or case.plays or _weights_move(case):
        return 0.0
    return float((losses[-1] - losses.min()) / max(losses.max() - losses.min(), 1e-300))


def _history_gap(case: Case) -> float:
    """At the epoch that was kept: the best one on validation rows."""
    seen = [r for r in case.history if r.get("validation") and "reconstruction" in r["validation"]]
    if not seen:
        return 0.0
    best = seen[-1] if case.plays else min(seen, key=lambda record: record["validation"]["loss"])
    return _gap(case, best["train"]["reconstruction"], best["validation"]["reconstruction"])


def _data_gap(case: Case) -> float:
    if not case.history or "reconstruction" not in case.history[-1]["train"] or "reconstruction" not in case.terms:
        return 0.0
    if isinstance(case.model.processor_, Redrawn) and case.batch.scored is not None:
        return 0.0  # training is asked for what it hides, here nothing is hidden: these are not the same errors
    return _gap(case, case.history[-1]["train"]["reconstruction"], case.terms["reconstruction"])


def _gap(case: Case, train: float, other: float) -> float:
    """By what share an error is larger than in training; for a Gaussian of learned scale from its nats.

    -log p = D / 2 (log 2 pi s^2 + e / s^2) with s^2 the training error: e / s^2 - 1 = 2 / D (difference of the two).
    """
    loss: Any = case.model.objective_.loss
    if loss.part_name == "gaussian":
        return 2 * (other - train) / max(1, case.batch.target[0].numel())
    return other / train - 1 if train > 1e-12 and other > 0 else 0.0


def against_pca(case: Case) -> Iterator[Finding]:
    """A model that a projection, or the mean, would replace."""
    found = None if case.headed else case.comparison
    if found is None:
        return
    where = f"on {found.rows:,} rows the error is {found.model} against {found.pca} of PCA with as many values"
    deep = "epochs, wider hidden layers, or take PCA"
    if found.model.low > found.mean.high:
        evidence = f"the error is {found.model}, and predicting the mean gives {found.mean}"
        yield Finding("worse than the mean", "serious", evidence, f"lr={_rate(case) / 10:.2g} and more epochs")
    elif case.no_rival:
        return  # a code of few bits, or one tied to a prior, pays for that in error: PCA is no rival to it
    elif found.ratio.high >= 0.99:
        evidence = f"{where}: {found.verdict}"
        yield Finding("no better than PCA", "warning" if found.ratio.low > 1 else "note", evidence, f"more {deep}")
