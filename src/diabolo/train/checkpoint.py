"""Training state on disk: one file, written whole or not at all, no pickle.

Tensors lie in safetensors; everything else is JSON in the file's header.
"""

from __future__ import annotations

import hashlib
import json
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..core.errors import ModelError
from ..core.files import write_atomic
from .callbacks import Callback
from .fingerprint import fingerprint

if TYPE_CHECKING:
    from .loop import Loop

VERSION = 1


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Plain JSON values for a nested state; its tensors go into ``tensors`` and leave their key behind."""
    if isinstance(value, Tensor):
        key = f"t{len(tensors)}"
        tensors[key] = value.detach().cpu().clone().contiguous()
        return {"tensor": key}
    if isinstance(value, dict):
        return {"dict": [[key, pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [pack(item, tensors) for item in value]}
    if isinstance(value, list):
        return [pack(item, tensors) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ModelError(f"a training state holds a {type(value).__name__}, which the checkpoint format does not know.")


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Inverse of `pack`.

    >>> held = {}
    >>> unpack(pack({"a": (1, [torch.ones(2)])}, held), held)
    {'a': (1, [tensor([1., 1.])])}
    """
    if isinstance(value, list):
        return [unpack(item, tensors) for item in value]
    if isinstance(value, dict):
        if "tensor" in value:
            return tensors[value["tensor"]]
        if "tuple" in value:
            return tuple(unpack(item, tensors) for item in value["tuple"])
        return {key: unpack(item, tensors) for key, item in value["dict"]}
    return value


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state atomically."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(pack(state, tensors), allow_nan=True)
    header = {"diabolo": str(VERSION), "state": text, "sha256": _checksum(text, tensors)}
    write_atomic(path, lambda file: save_file(tensors, file.name, header))


def read_state(path: Path) -> dict[str, Any]:
    """Read a state. Raises `ModelError` if the file is damaged or of a newer version."""
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))["__metadata__"]
        tensors = load_file(path)
        version, text, checksum = int(header["diabolo"]), header["state"], header["sha256"]
    except (OSError, ValueError, KeyError, struct.error, MemoryError) as error:
        raise ModelError(f"the checkpoint {path.name} is damaged ({error}); delete it and train again.") from error
    except Exception as error:
        raise ModelError(f"the checkpoint {path.name} cannot be read ({error}); delete it and train again.") from error
    if version > VERSION:
        raise ModelError(f"the checkpoint {path.name} was written by a newer version of diabolo; upgrade to resume it.")
    if checksum != _checksum(text, tensors):
        raise ModelError(
            f"the checkpoint {path.name} is damaged (its checksum does not match); delete it and train again."
        )
    state: dict[str, Any] = unpack(json.loads(text), tensors)
    return state


def _checksum(text: str, tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(
            tensors[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes() if tensors[name].numel() else b""
        )
    return digest.hexdigest()


class Checkpoint(Callback):
    """Writes the training state as often as it stays cheap, and when training is interrupted.

    ``every``: least seconds between two writes; in between, writing never takes more than about 2 % of the
    time. The file knows data and parameters by their fingerprint: resuming another run is refused.
    """

    def __init__(self, path: str | Path, *, resume: bool = False, every: float = 1.0) -> None:
        self.path, self.resume, self.every = Path(path), resume, every
        self._due, self._fingerprint = 0.0, ""

    def on_start(self, loop: Loop) -> None:
        self._fingerprint = fingerprint(loop)
        if self.resume and self.path.exists():
            state = read_state(self.path)
            if state["fingerprint"] != self._fingerprint:
                raise ModelError(
                    "the interrupted run used other data or other parameters; give the same ones to resume it, "
                    "or start anew with --force instead of --resume."
                )
            loop.restore(state["loop"])
        self._due = time.monotonic() + self.every

    def on_step(self, loop: Loop) -> None:
        if time.monotonic() >= self._due:
            self.write(loop)

    def on_interrupt(self, loop: Loop) -> None:
        self.write(loop)

    def write(self, loop: Loop) -> None:
        """Write now."""
        began = time.monotonic()
        write_state(self.path, {"fingerprint": self._fingerprint, "loop": loop.state()})
        ended = time.monotonic()
        self._due = ended + max(self.every, 50 * (ended - began))
