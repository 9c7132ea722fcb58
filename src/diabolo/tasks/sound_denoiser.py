"""The denoiser of sounds: fitted to clean recordings, or to noisy ones alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from numpy import ndarray
from sklearn.utils.validation import check_is_fitted

from ..core import register
from ..core.errors import out_of_range
from ..data import Source
from ..estimators.base import BaseAutoencoder
from ..train import Trainer
from . import denoise_sounds
from .base import Assessment, TaskModel
from .exhibit import Exhibit


@register("task", "denoise-sounds")
class SoundDenoiser(TaskModel):
    """Takes noise out of recordings: an autoencoder says how much of every bin of the spectrum is signal.

        clean ──(+ noise at a random ratio)──▶ STFT ──log──▶ code of every frame ──▶ gains in (0, 1) ──(×)──▶ ISTFT
                                                 └─────────────────────────────────────────────────────┘

    Learns from clean recordings, to which noise is added, or (``clean=False``) from noisy ones alone: as much noise
    again is added to them, and half of the noise in the sum is what they hold. Nothing is made up; the phase stays.
    Windows of half a second are cross-faded, so there are no seams. Sounds come back at the rate of training, mixed to
    one channel, as long as they were; silence stays silence.

    Parameters
    ----------
    autoencoder : any that takes a ``corruption`` and reads waveforms; None: `DenoisingAutoencoder` with network
        "gains", 64 values for every 8 ms.
    clean : whether the recordings of `fit` are clean.
    noise : recordings of the noise to expect: a path, or sounds (a model is then not saved with them: give a path);
        None: white.
    low, high : decibels of signal to noise that are learnt from, drawn for every window.
    trainer, random_state : as in `Autoencoder`.

    Raises `DataError` for rows that are no sounds, or all silent; `UsageError` for parameters out of range and for
    sounds that stay on disk.

    Reference: Lu, Tsao, Matsuda & Hori (2013), "Speech enhancement based on deep denoising autoencoder"; Moran,
    Schmidt, Zhong & Coady (2020), "Noisier2Noise: learning to denoise from unpaired noisy data".

    >>> import numpy as np
    >>> from diabolo import Trainer
    >>> from diabolo.data.sound import Sound
    >>> time = np.arange(2000) / 2000
    >>> clips = [Sound(np.sin(2 * np.pi * pitch * time).astype("float32"), 2000) for pitch in range(100, 500, 50)]
    >>> model = SoundDenoiser(trainer=Trainer(epochs=2), random_state=0).fit(clips)
    >>> [len(sound) for sound in model.denoise(clips[:2])]
    [2000, 2000]
    """

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        clean: bool = True,
        noise: Any = None,
        low: float = denoise_sounds.LOW,
        high: float = denoise_sounds.HIGH,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.clean, self.noise, self.low, self.high = autoencoder, clean, noise, low, high
        self.trainer, self.random_state = trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from recordings; y is not looked at."""
        self._begin()
        source, _ = self._laid_out(X, y)
        model = self._base()
        windows = max(1, round(sum(sound.seconds for sound in source.rows) / denoise_sounds.WINDOW))
        model.trainer = denoise_sounds.steps_for(model.trainer, windows)
        disarm = self._way().armed(model, self._rate)
        try:
            self._member("autoencoder", model, source)
        finally:
            disarm()
        self.facts_["rate"] = self._rate
        return self

    def _way(self) -> denoise_sounds.SoundNoise:
        if not isinstance(self.clean, bool):
            raise out_of_range("clean", "True or False", self.clean)
        return denoise_sounds.SoundNoise(self.clean, self.noise, self.low, self.high)

    def _laid_out(self, X: Any, y: Any) -> tuple[Any, Any]:
        way = self._way()
        way.corruption()
        source = way.source(X)
        self._rate = way.rate(source)
        return source, None

    def _base(self) -> BaseAutoencoder:
        made = super()._base()
        if "corruption" not in made.get_params(deep=False):
            allowed = "one that takes a corruption, such as model 'denoising'"
            raise out_of_range("autoencoder", allowed, type(made).__name__)
        if vars(made)["corruption"] in (None, "noise"):
            made.set_params(corruption=self._way().corruption())
        return made

    def _default(self) -> BaseAutoencoder:
        return self._way().autoencoder(self._rate)

    def denoise(self, X: Any) -> ndarray:
        """Recordings without their noise, an object array of `Sound`."""
        check_is_fitted(self, "models_")
        return denoise_sounds.denoised(self.autoencoder_, X, clean=self.clean)

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Hold it against simple methods on held-out clean recordings in noise; noisy ones hide the truth: None."""
        if not self.clean:
            return None
        return denoise_sounds.assess(self.autoencoder_, held, seed=seed, noise=self.noise)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """Spectra of recordings with noise and without it."""
        return denoise_sounds.exhibits(self.autoencoder_, source, clean=self.clean, seed=seed)
