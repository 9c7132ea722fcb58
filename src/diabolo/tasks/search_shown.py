"""How good a search by codes is, and what it finds: against principal components and the rows as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy import ndarray

from ..data import Source
from ..data.series import Series
from ..estimators.from_disk import few, on_disk
from ..estimators.rows import bare, of_windows
from . import principal
from .base import Assessment
from .exhibit import Exhibit, Strip
from .nearest import Exact, Found
from .row_keys import as_text

if TYPE_CHECKING:
    from .search import SearchIndex

NEAR, MOST, QUERIES = 10, 20_000, 1000
ROWS_SHOWN, BESIDE, IN_TABLE, SEARCHED = 6, 5, 3, 2000
TIE = 0.005
"""Shares closer than this are called a tie."""


def judged(index: SearchIndex, learn: Source, held: Source, seed: int) -> Assessment | None:
    """Of the 10 nearest learnt rows of each held-out row: the share of its class, or, without classes, the share that
    is also among the 10 nearest by the rows' own values."""
    random = np.random.default_rng(seed)
    base, asked = _some(learn, MOST, random), _some(held, QUERIES, random)
    if len(base) <= NEAR:
        return None
    codes, queries = (index._codes(part) for part in (base, asked))
    rows, wanted = (_vectors(index, part) for part in (base, asked))
    found = {"this model": Exact(codes, index.metric).search(queries, NEAR)}
    if index.kind == "binary":
        found = {"this model, bits": _by_bits(index, codes, queries), "this model, codes": found["this model"]}
    size = min(codes.shape[1], *rows.shape)
    plane = principal.fit(lambda: iter([rows]), size)
    components, turned = ((part - plane.mean) @ plane.axes for part in (rows, wanted))
    found[f"PCA, {plane.n_components} components"] = Exact(_narrow(components), index.metric).search(
        _narrow(turned), NEAR
    )
    by_rows = Exact(rows, "euclidean").search(wanted, NEAR)
    labels = _labels(index, base, asked, len(codes), len(queries))
    if labels is None:
        shares = {name: _shared(hits, by_rows) for name, hits in found.items()}
        title, measure = f"Of the {NEAR} nearest by all values, found by codes", "share found"
    else:
        found[f"all {rows.shape[1]} values"] = by_rows
        shares = {name: float((labels[0][hits[1]] == labels[1][:, None]).mean()) for name, hits in found.items()}
        title, measure = f"Of the {NEAR} nearest, of the query's own class", "share"
    lines = tuple((name, f"{share:.3f}") for name, share in shares.items())
    title = f"{title}: {len(queries):,} held-out queries in {len(codes):,} rows"
    return Assessment(title, ("", measure), lines, _verdict(shares))


def _verdict(shares: dict[str, float]) -> str:
    (_, own), *rivals = shares.items()
    name, best = max((pair for pair in rivals if not pair[0].startswith("this")), key=lambda pair: pair[1])
    said = "better than" if own > best + TIE else "no better than" if own < best - TIE else "a tie with"
    return f"Search by these codes is {said} search by {name}; held-out rows are not in the index (diabolo index)."


def _some(source: Source, most: int, random: np.random.Generator) -> Source:
    if on_disk(source):
        return source.rows.sample(min(most, few(source.rows)))  # type: ignore[no-any-return]
    return source if len(source) <= most else source.take(np.sort(random.permutation(len(source))[:most]))


def _batch(index: SearchIndex, source: Source) -> Any:
    """Rows (windows) as the network sees them."""
    processor = index.processor_
    return processor.collate(processor.encode(index.autoencoder_._rows(source, fitting=False)))


def _vectors(index: SearchIndex, source: Source) -> ndarray:
    x = _batch(index, source).dense().x
    return np.ascontiguousarray(x.reshape(len(x), -1).float().numpy())


def _narrow(values: ndarray) -> ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)


def _by_bits(index: SearchIndex, codes: ndarray, queries: ndarray) -> Found:
    from .approximate import nearest_bits

    return nearest_bits(index._store.as_bits(codes), index._store.as_bits(queries), NEAR)


def _labels(index: SearchIndex, base: Source, asked: Source, *counts: int) -> tuple[ndarray, ndarray] | None:
    """Classes of base and queries (of their windows); None: there are none, or nearly one a row."""
    if base.target is None or asked.target is None:
        return None
    named = [
        of_windows(index.processor_, part, np.asarray(part.target), n)
        for part, n in zip((base, asked), counts, strict=True)
    ]
    return None if len(np.unique(named[0])) > len(named[0]) / NEAR else (named[0], named[1])


def _shared(hits: Found, truth: Found) -> float:
    return float((hits[1][:, :, None] == truth[1][:, None, :]).any(2).mean())


# pictures -------------------------------------------------------------------------------------------------------


def shown(index: SearchIndex, source: Source, seed: int) -> list[Exhibit]:
    """Rows of DATA and those nearest to them among DATA, as pictures; what the index finds for them, as a table."""
    some = _some(source, SEARCHED, np.random.default_rng(seed))
    codes = index._codes(some)
    if len(codes) < 2 or not len(index):
        return []
    rows = np.unique(np.linspace(0, len(codes) - 1, ROWS_SHOWN).astype(np.int64))
    names = _names(index, some, len(codes))
    made = [_table(index, codes[rows], [names[row] for row in rows])]
    pictures = _pictures(_batch(index, some), some)
    if pictures is not None:
        made.insert(0, _strips(index, codes, rows, names, pictures))
    return made


def _strips(index: SearchIndex, codes: ndarray, rows: ndarray, names: list[str], pictures: ndarray) -> Exhibit:
    if index.kind == "binary":
        distances, numbers = _by_bits(index, codes, codes[rows])
    else:
        distances, numbers = Exact(codes, index.metric).search(codes[rows], min(BESIDE + 1, len(codes)))
    strips = []
    for row, far, found in zip(rows, distances, numbers, strict=True):
        kept = found != row
        others = found[kept][:BESIDE]
        captions = [names[row], *(f"{d:.3g}" for d in far[kept][:BESIDE])]
        strips.append(Strip(f"like {names[row]}", tuple(pictures[n] for n in [row, *others]), tuple(captions)))
    text = f"The first picture is the query; then the nearest of {len(codes):,} rows of DATA, with their distances."
    return Exhibit("Neighbours by code", text, strips=tuple(strips))


def _table(index: SearchIndex, codes: ndarray, names: list[str]) -> Exhibit:
    distances, numbers = index.nearest(codes, IN_TABLE)
    found = [
        as_text({name: column[row] for name, column in index.columns_of(numbers).items()}) for row in range(len(names))
    ]
    lines = tuple(
        (name, *(f"{key} ({far:.3g})" for key, far in zip(keys, away, strict=True)))
        for name, keys, away in zip(names, found, distances, strict=True)
    )
    how = f"{index.facts_['bits']} bits" if index.kind == "binary" else f"{index.kind}, {index.metric}"
    text = f"{len(index):,} codes ({how}). Keys of the nearest rows, with their distances."
    if "recall" in index.facts_:
        text += f" Of the 10 nearest that exact search finds it finds {index.facts_['recall']:.1%}."
    return Exhibit(
        "What the index finds", text, columns=("query", *map(str, range(1, numbers.shape[1] + 1))), rows=lines
    )


def _names(index: SearchIndex, source: Source, count: int) -> list[str]:
    columns = index._named(source, None)
    if not columns:
        return [f"row {place}" for place in range(count)]
    return as_text(columns)


def _pictures(batch: Any, source: Source) -> ndarray | None:
    """Rows (windows) as pictures in [0, 1], spectrograms with time from left to right; None: they are none."""
    values = batch.dense().x.float().numpy()
    first = bare(source)[0] if source.modality in ("audio", "video", "series") else None
    if isinstance(first, Series) or source.modality in ("text", "table", "interactions"):
        return None
    if source.modality == "video":
        values = values[:, values.shape[1] // 2]
    if source.modality == "audio":
        waves = values.ndim == 2 or values.shape[2] == 1
        values = (_spectra(values.reshape(len(values), -1)) if waves else values.swapaxes(1, 2))[:, ::-1]
    if values.ndim not in (3, 4) or (values.ndim == 4 and values.shape[3] not in (1, 3)):
        return None
    low, high = values.min(), values.max()
    return (values - low) / max(high - low, 1e-12)


def _spectra(waves: ndarray) -> ndarray:
    """Decibels of short stretches of waves (B, T): (B, frequencies, stretches), 60 dB deep."""
    window = min(256, waves.shape[1])
    found = torch.stft(torch.from_numpy(waves), window, max(1, window // 4), window=torch.hann_window(window),
                       return_complex=True).abs()  # fmt: skip
    level = 20 * torch.log10(found.clamp_min(1e-9))
    shown: ndarray = torch.maximum(level, level.amax() - 60).numpy()
    return shown
