"""Noise behind a sound, at a random ratio of signal to noise."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.spectrum import stft
from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register

FRAME, QUIETEST = 256, 0.2
"""Samples of the frames, and the share of them, in which the noise of a noisy row is looked for."""


@register("corruption", "background")
class Background(Corruption):
    """The encoder hears every row through noise of its own loudness.

        x̃ = x + g n,    20 log10( |x| / |g n| ) ~ uniform(low, high) dB

    n is white, or a stretch of a recording of noise drawn at random. A row is as loud as its real samples are; a silent
    one stays silent.

    Parameters
    ----------
    low, high : decibels, the ratio of signal to noise, drawn for every row.
    recording : None: white Gaussian noise; else samples (N,) of noise, from which stretches are taken. A saved model
        holds no recording: give parts by name there.

    twice : rows are noisy already: as much noise is added as they hold themselves, by the quietest fifth of what they
        have in every bin of their spectrum; ``low`` and ``high`` then shift that amount.

    Raises `UsageError` for a range that is none, an empty or silent recording, or rows of integers.

    Reference: Lu, Tsao, Matsuda & Hori (2013), "Speech enhancement based on deep denoising autoencoder"; Vincent et al.
    (2008), "Extracting and composing robust features with denoising autoencoders"; Moran, Schmidt, Zhong & Coady
    (2020), "Noisier2Noise: learning to denoise from unpaired noisy data" (twice).

    >>> batch = Batch(torch.ones(1, 400, 1), torch.ones(1, 400, 1))
    >>> noise = Background(10, 10)(batch, torch.Generator().manual_seed(0)).x - 1
    >>> round(float(-10 * noise.square().mean().log10()), 3)
    10.0
    """

    def __init__(self, low: float = -5.0, high: float = 15.0, recording: Any = None, twice: bool = False) -> None:
        if not -math.inf < low <= high < math.inf:
            raise out_of_range("low, high", "finite numbers of decibels, low <= high", (low, high))
        self.low, self.high, self.recording, self.twice = float(low), float(high), None, bool(twice)
        if recording is not None:
            held = torch.as_tensor(recording, dtype=torch.float32).flatten()
            if not len(held) or not bool(held.isfinite().all()) or not bool(held.any()):
                raise out_of_range("recording", "finite samples that are not all zero", f"{len(held)} others")
            self.recording = held

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        x = batch.x
        if not x.is_floating_point() or x.ndim < 2:
            raise UsageError(f"corruption 'background' needs rows of samples; got {tuple(x.shape)} of {x.dtype}.")
        flat = x.reshape(len(x), x.shape[1], -1).float()
        real = torch.ones_like(flat[..., :1]) if batch.mask is None else batch.mask[..., None].float()
        noise = self._drawn(flat, generator) * real
        snr = torch.empty(len(x), 1, 1, device=x.device).uniform_(self.low, self.high, generator=generator)
        loud = (flat * real).square().sum((1, 2), keepdim=True)
        if self.twice:
            loud = loud * _share_of_noise(flat.mean(2) * real[..., 0])[:, None, None]
        hiss = noise.square().sum((1, 2), keepdim=True).clamp_min(1e-20)
        gain = (loud / hiss).sqrt() * 10 ** (-snr / 20)
        return dataclasses.replace(batch, x=(flat + gain * noise).reshape(x.shape).to(x.dtype))

    def _drawn(self, like: Float[Tensor, "b t c"], generator: torch.Generator | None) -> Float[Tensor, "b t c"]:
        if self.recording is None:
            return torch.empty_like(like).normal_(generator=generator)
        rows, steps = like.shape[:2]
        begin = torch.randint(len(self.recording), (rows, 1), generator=generator, device=like.device)
        place = (begin + torch.arange(steps, device=like.device)) % len(self.recording)
        return self.recording.to(like.device)[place][..., None].expand_as(like)


def _share_of_noise(x: Float[Tensor, "b t"]) -> Float[Tensor, " b"]:
    """How much of the power of a row is noise: the quietest fifth of its frames, in every bin, for the whole.

    Of Gaussian noise a fifth of |Y|² lies below -ln(0.8) times its mean.
    """
    frame = min(FRAME, max(4, x.shape[1] // 8 * 2))
    power = stft(x, frame, max(1, frame // 4)).abs().square()
    sound = power.sum((1, 2)) > 0
    heard = torch.where(power.sum(2, keepdim=True) > 0, power, torch.nan)  # frames of padding say nothing
    noise = torch.nanquantile(heard, QUIETEST, dim=1).nan_to_num().sum(1) / -math.log(1 - QUIETEST)
    whole = heard.nanmean(1).nan_to_num().sum(1).clamp_min(1e-20)
    return torch.where(sound, (noise / whole).clamp(0, 1), 0)
