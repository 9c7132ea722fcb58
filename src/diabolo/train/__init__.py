"""Moves every player of a composition: stages, optimisers, checkpoints, callbacks."""

from .callbacks import Callback, Progress, TimeLimit
from .device import Device
from .stage import Stage
from .trainer import Trainer

__all__ = ["Callback", "Device", "Progress", "Stage", "TimeLimit", "Trainer"]
