"""What ties a checkpoint to its run: a hash of everything that decides the result."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..core import Batch, Feed, Schedule, Spec
from ..core.sparse import is_sparse
from .stage import Stage

if TYPE_CHECKING:
    from .loop import Loop

ROWS = 4096


def fingerprint(loop: Loop) -> str:
    """A hash of plan, parts, seed, starting weights, and rows (their number and the first 4,096)."""
    digest = hashlib.sha256()
    knobs = {name: str(value) for name, value in loop.trainer.get_params(deep=False).items() if name != "callbacks"}
    digest.update(repr((knobs, [_plan(stage) for stage in loop.stages], loop.seed)).encode())
    for feed in (loop.feed, loop.validation):
        digest.update(repr(None if feed is None else len(feed)).encode())
        _add(digest, _first_rows(feed))
    _add(digest, loop.tensors())
    return digest.hexdigest()


def _plan(stage: Stage) -> tuple[Any, ...]:
    chosen = [name for name, p in stage.module.named_parameters() if p.requires_grad]
    parts = [stage.corruption, *stage.objective.modules(), *stage.module.modules()]
    return stage.epochs, chosen, [_part(part) for part in parts]


def _part(part: Any) -> tuple[str, list[tuple[str, str]]]:
    """A part's class and its plain values, schedules included."""
    held = vars(part) if part is not None and not isinstance(part, type) else {}
    plain = [(name, _plain(value)) for name, value in sorted(held.items()) if not name.startswith("_")]
    return type(part).__name__, [(name, text) for name, text in plain if text is not None and name != "training"]


def _plain(value: Any) -> str | None:
    if isinstance(value, Schedule):
        return f"{type(value).__name__}({sorted(vars(value).items())})"
    if value is None or isinstance(value, bool | int | float | str | tuple | Spec):
        return repr(value)
    return None


def _first_rows(feed: Feed | None) -> list[Tensor]:
    batches: Sequence[Batch] = [] if feed is None else list(islice(feed.batches(ROWS), 1))
    held = [(batch.x, batch.target, batch.scored, batch.cond, batch.label) for batch in batches]
    return [tensor for tensors in held for tensor in tensors if tensor is not None]


def _add(digest: Any, tensors: Sequence[Tensor | nn.Parameter]) -> None:
    for tensor in tensors:
        if is_sparse(tensor):
            _add(digest, [tensor.crow_indices(), tensor.col_indices(), tensor.values()])
            continue
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
