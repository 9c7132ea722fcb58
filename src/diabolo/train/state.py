"""The whole state of a loop: what is written into a checkpoint, and what a rescue goes back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from .optimisers import copied

if TYPE_CHECKING:
    from .loop import Loop

NUMBERS = (
    "stage_index", "epoch", "position", "step", "rescues", "wait", "lr_scale", "best", "best_epoch", "rows",
    "validation_loss",
)  # fmt: skip


def capture(loop: Loop) -> dict[str, Any]:
    """Everything the rest of training depends on."""
    return {
        "tensors": [tensor.detach().clone() for tensor in loop.tensors()],
        "optimizers": [copied(player.state()) for _, player in loop._players],
        "best_tensors": list(loop.best_tensors),
        "sums": dict(loop.sums),
        "random": torch.get_rng_state(),
        "history": list(loop.history),
        **{name: getattr(loop, name) for name in NUMBERS},
    }


def restore(loop: Loop, state: dict[str, Any]) -> None:
    """Take up a state; the stages before it are done, those after it still to come."""
    if state["stage_index"] != loop.stage_index:
        loop._let_go()
        loop.stage_index = state["stage_index"]
        if loop.stage_index < len(loop.stages):
            loop._enter_stage()
    with torch.no_grad():
        for now, then in zip(loop.tensors(), state["tensors"], strict=True):
            now.copy_(then)
    for (_, player), saved in zip(loop._players, state["optimizers"], strict=True):
        player.restore(copied(saved))
    for name in (*NUMBERS, "history", "sums", "best_tensors"):
        setattr(loop, name, state[name])
    loop.history, loop.sums = list(loop.history), dict(loop.sums)
    torch.set_rng_state(state["random"])
