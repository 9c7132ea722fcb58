"""Features to Latent."""

from ..blocks.identity import Identity

__all__ = ["Identity"]
