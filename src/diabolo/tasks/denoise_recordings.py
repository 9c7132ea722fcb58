"""Recordings of sound, for the denoiser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from numpy import ndarray

from ..core import Spec, make
from ..core.errors import out_of_range
from ..data import Source
from ..estimators.base import BaseAutoencoder
from ..estimators.rows import bare
from . import denoise_sounds
from .base import Assessment
from .denoise_domain import Domain
from .exhibit import Exhibit


class SoundNoise(Domain):
    """Recordings: an autoencoder says how much of every bin of the spectrum is signal.

        clean ──(+ noise at a random ratio)──▶ STFT ──log──▶ code of every frame ──▶ gains in (0, 1) ──(×)──▶ ISTFT
                                                 └─────────────────────────────────────────────────────┘

    From noisy recordings alone: as much noise again is added to them, and half of the noise in the sum is what they
    hold. Nothing is made up; the phase stays. Windows of half a second are cross-faded, so there are no seams. Sounds
    come back at the rate of training, mixed to one channel, as long as they were; silence stays silence. ``noise`` of
    the task: recordings of the noise to expect, a path or sounds ("auto": white); ``damage``: "background(low=…,
    high=…)" for other ratios of signal to noise.

    Reference: Lu, Tsao, Matsuda & Hori (2013), "Speech enhancement based on deep denoising autoencoder"; Moran,
    Schmidt, Zhong & Coady (2020), "Noisier2Noise: learning to denoise from unpaired noisy data".
    """

    def default(self) -> BaseAutoencoder:
        return denoise_sounds.usual_autoencoder(self.task.facts_["rate"])

    def damage(self) -> Any:
        if not self.task.clean:
            return Spec("background", low=0.0, high=0.0, twice=True)
        given = self.task.damage if self.task.damage is not None else "background"
        make("corruption", given)  # a wrong name or range is found at once
        return given

    @property
    def _recordings(self) -> Any:
        """Recordings of noise, or None. Raises `UsageError` for a number."""
        given = self.task.noise
        if isinstance(given, str) and given == "auto":
            return None
        if isinstance(given, int | float) or (isinstance(given, tuple | list) and isinstance(given[0], int | float)):
            allowed = "of sounds 'auto', or recordings of noise (ratios: damage='background(low=0, high=10)')"
            raise out_of_range("noise", allowed, given)
        return given

    def prepared(self, X: Any) -> tuple[BaseAutoencoder, Source]:
        _ = self._recordings
        source = denoise_sounds.source_of(X)
        self.task.facts_["rate"] = denoise_sounds.rate_of(source)
        model = self.base()
        if "corruption" not in model.get_params(deep=False):
            raise out_of_range("autoencoder", "one that takes a corruption, as model 'denoising'", type(model).__name__)
        windows = max(1, round(sum(sound.seconds for sound in source.rows) / denoise_sounds.WINDOW))
        model.trainer = denoise_sounds.steps_for(model.trainer, windows)
        return model, source

    @contextmanager
    def fitting(self, model: BaseAutoencoder) -> Iterator[None]:
        """The model is given the recordings of noise, and they are taken away again: none is saved."""
        given, noise = model.get_params(deep=False)["corruption"], self._recordings
        if noise is not None:
            recording = denoise_sounds.recording_of(noise, self.task.facts_["rate"])
            model.set_params(corruption=Spec.of(given).with_defaults(recording=recording))
        try:
            yield
        finally:
            model.set_params(corruption=given)

    def restored(self, X: Any) -> ndarray:
        return denoise_sounds.denoised(self.task.autoencoder_, X, clean=self.task.clean)

    def levels(self, X: Any) -> list[str]:
        return denoise_sounds.levels(bare(X))

    def assess(self, held: Source, seed: int) -> Assessment | None:
        return denoise_sounds.assess(self.task.autoencoder_, held, seed=seed, noise=self._recordings)

    def exhibits(self, source: Source, seed: int) -> Sequence[Exhibit]:
        return denoise_sounds.exhibits(self.task.autoencoder_, source, clean=self.task.clean, seed=seed)
