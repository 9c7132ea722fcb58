"""The simple methods an inpainter is held against, and what a report shows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy import ndarray

from ..blocks.filling import filled
from ..corruptions.holes import Holes
from ..data import Source
from . import pictures
from .base import Assessment
from .decibels import psnr, verdict
from .exhibit import Exhibit, Strip

if TYPE_CHECKING:
    from .inpaint import Inpainter

MOST_PICTURES = 40
"""Held-out pictures that are looked at."""
ROUNDS = 300
"""Of Laplace smoothing, for the harmonic filling."""
SHOWN = 4
Filler = Callable[[ndarray, ndarray], ndarray]


def mean(picture: ndarray, known: ndarray) -> ndarray:
    """The mean of the known pixels."""
    return np.broadcast_to(picture[known].mean(0), picture.shape)


def nearest(picture: ndarray, known: ndarray) -> ndarray:
    """The nearest known pixel."""
    from scipy.ndimage import distance_transform_edt

    place = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(picture[tuple(place)])


def linear(picture: ndarray, known: ndarray) -> ndarray:
    """Linear between the known pixels (Delaunay triangles); beyond them the nearest one."""
    from scipy.interpolate import LinearNDInterpolator

    points = np.argwhere(known)
    if len(points) < 4 or np.ptp(points, 0).min() == 0:
        return nearest(picture, known)
    said = LinearNDInterpolator(points, picture[known])(np.argwhere(~known))
    out = nearest(picture, known).copy()
    out[~known] = np.where(np.isfinite(said), said, out[~known])
    return out


def harmonic(picture: ndarray, known: ndarray) -> ndarray:
    """Every missing pixel the mean of its four neighbours (Laplace's equation)."""
    maps, mask = torch.from_numpy(picture).movedim(-1, 0)[None], torch.from_numpy(known)[None, None]
    return filled(maps, mask, ROUNDS)[0].movedim(0, -1).numpy()


RIVALS: Mapping[str, Filler] = {"mean": mean, "nearest": nearest, "linear": linear, "harmonic": harmonic}


def trials(model: Inpainter, source: Source, kind: str, share: float, seed: int) -> list[tuple[ndarray, ndarray, Any]]:
    """Middles of pictures: values (H, W, C), what is known (H, W), and what of it is hidden for the trial."""
    from .inpaint import beside

    held = pictures.taken(source, beside(source, None), model.missing_value, model.facts_["channels"])
    ends = pictures.ends_for(held, tuple(model.facts_["range"]))
    generator = torch.Generator().manual_seed(seed)
    holes = Holes(kind, share, model.size, known=True)
    found = []
    for place in np.unique(np.linspace(0, len(held) - 1, min(len(held), MOST_PICTURES)).astype(int)):
        picture, known = pictures.middle(held.pictures[place]), pictures.middle(held.known[place])
        hidden = holes.hidden(torch.from_numpy(known)[None], generator)[0].numpy() & known
        if hidden.any() and (known & ~hidden).any():
            found.append((pictures.scaled(picture, known, ends), known, hidden))
    return found


def fills(model: Inpainter, picture: ndarray, known: ndarray) -> ndarray:
    """What the model fills in, of one picture with values in [0, 1]."""
    seen = np.where(known[..., None], picture, np.float32(0))
    said = model.predicted(torch.from_numpy(seen)[None], torch.from_numpy(known)[None])[0].numpy()
    return np.where(known[..., None], picture, said.clip(0, 1))


def assessment(model: Inpainter, held: Source, *, seed: int = 0) -> Assessment | None:
    """Hide known pixels of held-out pictures; the model and the simple methods fill them."""
    cases = trials(model, held, model.facts_["mask"], model.share, seed)
    if not cases:
        return None
    makers: dict[str, Filler] = {"this model": lambda picture, known: fills(model, picture, known), **RIVALS}
    found = {
        name: np.array([psnr(picture, make(picture, known & ~hidden), hidden) for picture, known, hidden in cases])
        for name, make in makers.items()
    }
    count = sum(int(hidden.sum()) for *_, hidden in cases)
    title = f"{count:,} hidden pixels ({model.facts_['mask']}) of {len(cases)} held-out pictures"
    lines = tuple((name, f"{values.mean():.2f}") for name, values in found.items())
    return Assessment(title, ("", "PSNR, dB"), lines, verdict(found, seed))


def shown(model: Inpainter, source: Source, *, seed: int = 0) -> list[Exhibit]:
    """Strips of pictures before and after, and a table of how well by kind and share of what is hidden."""
    own = model.facts_["mask"]
    strips = [
        _strip(model, case, number) for number, case in enumerate(trials(model, source, own, model.share, seed)[:SHOWN])
    ]
    damaged = _really_missing(model, source)
    lines = []
    for kind, share in (("pixels", 0.1), ("pixels", 0.25), ("pixels", 0.5), ("rectangles", 0.2), ("strokes", 0.2)):
        cases = trials(model, source, kind, share, seed)[:SHOWN]
        ours, rival = (
            np.mean([psnr(p, make(p, k & ~h), h) for p, k, h in cases]) if cases else float("nan")
            for make in (lambda p, k: fills(model, p, k), linear)
        )
        lines.append((f"{kind}, {share:.0%}", f"{ours:.2f}", f"{rival:.2f}"))
    text = (
        f"Known pixels were hidden and asked for ('{own}', a mean share of {model.share:.0%}). These pictures may be "
        "ones it was trained on; the assessment above is of held-out ones."
    )
    first = [Exhibit("Missing pixels filled", "What is missing in DATA itself.", tuple(damaged))] if damaged else []
    header = ("hidden", "this model, dB", "linear, dB")
    return [*first, Exhibit("Hidden pixels given back", text, tuple(strips), header, tuple(lines))]


def _strip(model: Inpainter, case: tuple[ndarray, ndarray, Any], number: int) -> Strip:
    picture, known, hidden = case
    left = known & ~hidden
    rival, ours = linear(picture, left), fills(model, picture, left)
    captions = ("as it was", "what the model saw", *(
        f"{name}, {psnr(picture, said, hidden):.1f} dB" for name, said in (("linear", rival), ("this model", ours))
    ))  # fmt: skip
    return Strip(f"picture {number}", (picture, np.where(left[..., None], picture, 0.5), rival, ours), captions)


def _really_missing(model: Inpainter, source: Source) -> list[Strip]:
    """Pictures that lack pixels themselves, and filled."""
    from .inpaint import beside

    held = pictures.taken(source, beside(source, None), model.missing_value, model.facts_["channels"])
    ends = pictures.ends_for(held, tuple(model.facts_["range"]))
    found: list[Strip] = []
    for number, (picture, known) in enumerate(zip(held.pictures, held.known, strict=True)):
        known = pictures.middle(known)
        if known.all() or not known.any() or len(found) == SHOWN:
            continue
        values = pictures.scaled(pictures.middle(picture), known, ends)
        seen = np.where(known[..., None], values, 0.5)
        found.append(Strip(f"picture {number}", (seen, fills(model, values, known)), ("as it is", "filled")))
    return found
