"""Diabolo: every kind of autoencoder, composed from parts.

>>> from diabolo import Autoencoder, VAE, load
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Autoencoder": "estimators.composed",
    "SparseAutoencoder": "estimators.sparse",
    "KSparseAutoencoder": "estimators.sparse",
    "TopKAutoencoder": "estimators.sparse",
    "DenoisingAutoencoder": "estimators.denoising",
    "ContractiveAutoencoder": "estimators.contractive",
    "StackedAutoencoder": "estimators.stacked",
    "ScoreMatchingAutoencoder": "estimators.score_matching",
    "MaskedAutoencoder": "estimators.masked",
    "SequenceAutoencoder": "estimators.sequence",
    "VAE": "estimators.variational",
    "BetaVAE": "estimators.variational",
    "BetaTCVAE": "estimators.variational",
    "FactorVAE": "estimators.variational",
    "IWAE": "estimators.variational",
    "InfoVAE": "estimators.wasserstein",
    "WAE": "estimators.wasserstein",
    "RAE": "estimators.wasserstein",
    "VampVAE": "estimators.flexible",
    "FlowVAE": "estimators.flexible",
    "HierarchicalVAE": "estimators.flexible",
    "ConditionalVAE": "estimators.conditional",
    "SemiSupervisedVAE": "estimators.semi_supervised",
    "CountVAE": "estimators.counts",
    "VQVAE": "estimators.quantized",
    "ResidualVQVAE": "estimators.quantized",
    "FSQAutoencoder": "estimators.quantized",
    "CategoricalVAE": "estimators.quantized",
    "AdversarialAutoencoder": "estimators.adversarial",
    "VAEGAN": "estimators.adversarial",
    "AEGAN": "estimators.adversarial",
    "AutoencoderClassifier": "estimators.supervised",
    "AutoencoderRegressor": "estimators.supervised",
    "PretrainedEncoder": "estimators.pretrained",
    "AutoencoderDetector": "tasks.detect",
    "AutoencoderSampler": "tasks.augment",
    "verdict": "tasks.verdict",
    "AutoencoderSelector": "tasks.select",
    "AutoencoderClusterer": "tasks.cluster",
    "AutoencoderGenerator": "tasks.generate",
    "AutoencoderImputer": "tasks.impute",
    "Denoiser": "tasks.denoise",
    "Inpainter": "tasks.inpaint",
    "Segmenter": "tasks.segment",
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
