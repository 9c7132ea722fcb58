"""Vocabulary and rules of motion; chooses no method."""

from .batch import Batch, Latent, Output
from .interfaces import (
    Bottleneck,
    Centred,
    Corruption,
    Decoder,
    Discrete,
    Encoder,
    Feed,
    FromData,
    Network,
    OnePass,
    Penalty,
    Prior,
    Processor,
    ReconstructionLoss,
    Redrawn,
    SelfTrained,
    Sized,
    StepHook,
    Variational,
    Windowed,
)
from .module import AutoencoderModule
from .objective import Objective
from .registry import Spec, lookup, make, names, register
from .schedules import Schedule

__all__ = [
    "AutoencoderModule",
    "Batch",
    "Bottleneck",
    "Centred",
    "Corruption",
    "Decoder",
    "Discrete",
    "Encoder",
    "Feed",
    "FromData",
    "Latent",
    "Network",
    "Objective",
    "OnePass",
    "Output",
    "Penalty",
    "Prior",
    "Processor",
    "ReconstructionLoss",
    "Redrawn",
    "Schedule",
    "SelfTrained",
    "Sized",
    "Spec",
    "StepHook",
    "Variational",
    "Windowed",
    "lookup",
    "make",
    "names",
    "register",
]
