"""Signs in the code: collapse, units at rest, codes that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from ..core import Discrete
from ..core.metrics import active_units, kl_per_dimension, perplexity, used
from ..priors.normal import StandardNormal
from .case import Case, Finding

COLLAPSED_NATS = 0.1
FAR = 4.0
"""A code whose mean square is above this lies outside of a standard normal prior."""
PINNED_NATS = 12.0
AT_REST = 1e-3
SPARSE = 0.3


def collapse(case: Case) -> Iterator[Finding]:
    """KL of nothing, or without bound; units whose posterior is the prior's."""
    gaussian = _gaussian(case.out.latent.posterior)
    if gaussian is None or case.out.latent.weights is not None:
        return
    mean, std = gaussian
    active, size = active_units(mean), mean.shape[-1]
    nats = kl_per_dimension(mean, std)
    standard = isinstance(case.model.module_.prior, StandardNormal)
    known = f"the KL divergence is {nats.sum():.3g} nats, " if standard else ""
    if active == 0 or (standard and nats.sum() < COLLAPSED_NATS):
        evidence = f"{known}{active} of {size} units move with the data (variance above 0.01): the decoder ignores z"
        yield Finding("posterior collapse", "serious", evidence, _cure(case))
    elif active < size / 2:
        evidence = f"{known}{active} of {size} units move with the data (variance of E[z | x] above 0.01)"
        fix = f"n_components={active} would hold as much; to use more units: {_cure(case)}"
        asked = isinstance(beta := case.taken("beta"), int | float) and beta > 1
        yield Finding("inactive units", "note" if asked else "warning", evidence, fix)
    spread = float((mean**2 + std**2).reshape(-1, size).mean())
    if standard and (spread > FAR or nats.max() > PINNED_NATS):
        evidence = (
            f"the KL divergence is {nats.sum():.3g} nats (up to {nats.max():.3g} in a unit) and the mean square of z "
            f"is {spread:.3g}, where the prior has 1: samples from the prior decode to nothing known"
        )
        raised = "beta=1" if _low(case.taken("beta")) else "a larger weight of the KL term"
        yield Finding("exploding KL", "warning", evidence, f"{raised}, or fit_prior(X) before sampling")


def _gaussian(posterior: Distribution | None) -> tuple[Any, Any] | None:
    """Mean and standard deviation (N, *P, D), where the posterior is a diagonal Gaussian."""
    base = posterior.base_dist if isinstance(posterior, Independent) else posterior
    return (_array(base.mean), _array(base.stddev)) if isinstance(base, Normal) else None


def _array(tensor: Tensor) -> Any:
    return tensor.double().numpy()


def _low(beta: Any) -> bool:
    return isinstance(beta, int | float) and beta < 1


def _cure(case: Case) -> str:
    beta = case.taken("beta")
    if isinstance(beta, int | float) and beta > 1:
        return f"beta={'1' if beta > 4 else '0.5'} (it is {beta:g})"
    if case.taken("loss") is not None and str(case.taken("loss")).startswith("squared"):
        return "loss='gaussian', which learns its scale: a fixed one of 1 collapses the code"
    if "beta" in case.params:
        return "beta='cyclical' or 'linear(share=0.5)' (KL annealing), or free bits: a penalty 'kl(free_bits=0.25)'"
    return "a smaller weight of the term that ties the code to the prior"


def rest(case: Case) -> Iterator[Finding]:
    """Units of a deterministic code that do not move, or are zero for every row."""
    if case.discrete is not None or case.out.latent.posterior is not None:
        return
    codes, size = case.codes, case.codes.shape[1]
    if float((codes == 0).mean()) > SPARSE:
        dead = int((codes == 0).all(0).sum())
        if dead > 0.1 * size:
            evidence = f"{dead} of {size} units of the sparse code are zero for all of these rows"
            few = f"n_components={max(1, size - dead)}, or a larger k, a smaller sparsity weight, or a smaller lr"
            yield Finding("dead units", "warning" if dead < size / 2 else "serious", evidence, few)
        return
    spread = codes.std(0)
    moving = int((spread > AT_REST * max(spread.max(), 1e-12)).sum())
    if spread.max() <= 1e-9 * max(1.0, float(np.abs(codes).max())):
        yield Finding("constant code", "serious", "every row has the same code", "a smaller lr and fewer penalties")
    elif moving < size / 2:
        evidence = f"{moving} of {size} values of the code move by more than a thousandth of the one that moves most"
        yield Finding("inactive units", "warning", evidence, f"n_components={moving} would hold as much")


def usage(case: Case) -> Iterator[Finding]:
    """Discrete codes: how many stand for something."""
    neck = case.discrete
    if neck is None:
        return
    indices = _indices(case, neck)
    tokens = len(indices)
    poor: list[tuple[float, str]] = []
    for place, codes in enumerate(neck.sizes):
        best = min(codes, tokens)
        share, effective = used(indices[:, place], codes) * codes / best, perplexity(indices[:, place], codes)
        if best >= 4 and (share < 0.25 or effective < max(1.5, 0.1 * best)):
            what = f"{round(share * best)} of {codes} codes are used (perplexity {effective:.3g})"
            poor.append((effective, what))
    if not poor:
        return
    effective, what = min(poor)
    several = len(neck.sizes) > 1
    evidence = f"{len(poor)} of {len(neck.sizes)} indices are poor; of the worst {what}" if several else what
    knob = next((name for name in ("codes", "classes", "levels") if name in case.params), "codes")
    fix = f"fewer codes ({knob}=…, now {case.params.get(knob, neck.sizes[0])}), a smaller lr, or a smaller batch_size"
    worst = effective < 1.5 and 2 * len(poor) > len(neck.sizes)
    yield Finding("unused codes", "serious" if worst else "warning", evidence, fix)


def _indices(case: Case, neck: Discrete) -> Any:
    """(tokens, indices a token)."""
    found = neck.codes_to_indices(case.out.latent.code).numpy()
    return found.reshape(-1, len(neck.sizes))
