"""Diabolo: every kind of autoencoder, composed from parts.

>>> from diabolo import Autoencoder, VAE, load
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Autoencoder": "estimators.composed",
    "VAE": "estimators.variational",
    "load": "estimators.saving",
    "Trainer": "train",
    "Device": "train",
    "Progress": "train",
    "TimeLimit": "train",
    "TensorBoard": "train.tensorboard",
    "Checkpoint": "train.checkpoint",
    "Spec": "core",
    "data": "data",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: ``import diabolo`` alone loads no torch."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'diabolo' has no attribute {name!r}")
    module = importlib.import_module(f".{home}", __name__)
    value = module if name == home else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
