"""A network that weighs the spectrum of its input: gains between 0 and 1, band by band and frame by frame."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..blocks.spectrum import stft, weighed
from ..core import Batch, Decoder, Encoder, Network, make, register
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Shape

INNER = "conv(dims=1, channels=(128, 128), kernel=5, stride=1, flat=False)"
QUIET = 1e-3
"""What is softer than this, beside the loudness of the row, looks the same."""
UNIT = 3.0
"""Logarithms of magnitudes are brought to about unit spread."""


@register("network", "gains")
class Gains(Network):
    """Another network over the log-spectra of a waveform; what it puts out says how much of each bin is kept.

        x ──STFT──▶ Y ──log |Y| / loudness──▶ encoder ──▶ code ──▶ decoder ──sigmoid──▶ gains
                    └──────────────────────────────────────────────────────(×)──ISTFT──▶ recon

    Nothing is made up: a gain of 1 everywhere gives the input back to rounding, and the phase stays that of the input.
    It pays for what is a sum of a signal and noise. Rows (T,) or (T, C): of several channels every one is weighed by
    the gains of their mean. A code alone, without the waveform it came from, decodes to white noise seen through
    the gains.

    Parameters
    ----------
    frame, step : samples of a frame, and from one to the next (at most half a frame).
    network : what turns spectra (F, bins) into gains of the same shape; "conv" keeps the frames, so that a code says
        something of every frame.

    Raises `UsageError` for rows of more axes, or where as much is to come back as was not given.

    Reference: Lu, Tsao, Matsuda & Hori (2013), "Speech enhancement based on deep denoising autoencoder"; Wang,
    Narayanan & Wang (2014), "On training targets for supervised speech separation" (ratio masks).

    >>> encoder, decoder = Gains(frame=16, step=4).build((100, 1), 3, 3, (100, 1))
    >>> x = torch.randn(2, 100, 1)
    >>> code = encoder(x)
    >>> code.shape, decoder(code, Batch(x, x)).shape
    (torch.Size([2, 26, 3]), torch.Size([2, 100, 1]))
    """

    def __init__(self, frame: int = 256, step: int = 64, network: Any = INNER) -> None:
        if not (isinstance(frame, int) and frame >= 4):
            raise out_of_range("frame", "an int of at least 4, in samples", frame)
        if not (isinstance(step, int) and 0 < step <= frame // 2):
            raise out_of_range("step", f"an int in [1, frame / 2 = {frame // 2}]", step)
        self.frame, self.step, self.network = frame, step, network

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        if len(shape) not in (1, 2) or tuple(shape) != tuple(out_shape):
            raise UsageError(
                f"network 'gains' weighs waveforms (T,) or (T, C) and gives as much back; got {tuple(shape)} and "
                f"{tuple(out_shape)}. Read sounds with processor 'audio'."
            )
        spectra = (1 + shape[0] // self.step, 1 + self.frame // 2)
        encoder, decoder = make("network", self.network).build(spectra, features, code, spectra)
        return GainsEncoder(encoder, self.frame, self.step), GainsDecoder(decoder, self.frame, self.step, shape)


class GainsEncoder(Encoder):
    """(B, T[, C]) to what the inner encoder makes of log-spectra (B, F, bins)."""

    def __init__(self, inner: Encoder, frame: int, step: int) -> None:
        super().__init__()
        self.inner, self.frame, self.step = inner, frame, step

    def forward(
        self, x: Float[Tensor, "b t *c"], mask: Bool[Tensor, "b t"] | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b *p f"]:
        wave = x.flatten(2).mean(2) if x.ndim == 3 else x
        if mask is not None:
            wave = torch.where(mask, wave, 0)
        real = wave.shape[1] if mask is None else mask.sum(1, keepdim=True).clamp_min(1)
        loudness = (wave.square().sum(1, keepdim=True) / real).sqrt()
        spectra = stft(wave / loudness.clamp_min(1e-8), self.frame, self.step).abs()
        scaled = spectra * (self.frame / 4) ** 0.5  # white noise has about the loudness of the row in every bin
        out: Tensor = self.inner((scaled + QUIET).log() / UNIT)
        return out


class GainsDecoder(Decoder):
    """(B, *P, D) to (B, T[, C]): the waveform of the batch, or white noise, through the gains."""

    hiss: Tensor

    def __init__(self, inner: Decoder, frame: int, step: int, shape: Shape) -> None:
        super().__init__()
        self.inner, self.frame, self.step = inner, frame, step
        hiss = torch.randn(shape, generator=torch.Generator().manual_seed(0)) / 3
        self.register_buffer("hiss", hiss, persistent=False)

    def gains(self, z: Float[Tensor, "b *p d"]) -> Float[Tensor, "b f k"]:
        """How much is kept of every bin of every frame."""
        return torch.sigmoid(self.inner(z))

    def forward(self, z: Float[Tensor, "b *p d"], batch: Batch | None = None) -> Float[Tensor, "b t *c"]:
        x = self.hiss.expand(len(z), *self.hiss.shape) if batch is None else batch.x
        gains = self.gains(z)
        if x.ndim == 2:
            return weighed(x, gains, self.frame, self.step)
        return weighed(x.mT, gains[:, None], self.frame, self.step).mT
