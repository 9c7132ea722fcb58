"""Recordings cut where they change: an autoencoder's codes, and a head that was taught by splices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d
from sklearn.utils.validation import check_is_fitted

from ..core import register
from ..core.errors import DataError, UsageError, out_of_range
from ..data import Source, Stored, kind_of
from ..data import open as open_source
from ..data.record import objects
from ..data.sound import Sound
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..estimators.rows import bare
from ..estimators.supervised import AutoencoderClassifier
from ..train import Trainer
from .base import Assessment, TaskModel
from .exhibit import Exhibit, Strip
from .sound_pictures import picture_of
from .sound_segments import Segmented, Track, boundary_scores, must_hear, peaks, sound_segments, track_of
from .splices import Splice, energy_boundaries, spliced

CODE, SPECTRA = 16, "log-mel(window=0.05, mels=32)"
HIDDEN, EPOCHS, CODE_EPOCHS, BATCH = (64,), 10, 10, 256
CONTEXT, EVERY = 16, 3
"""Codes before and after a moment that the head is told, and the step between them: 160 ms at 10 ms a code."""
HALVES = (3, 6, 12, 24)
"""Codes on each side whose means are compared."""
NEAR, TOLERANCE = 0.025, 0.05
"""Seconds: so near a joint the head is taught to say yes; so near a boundary counts as hit."""
SMOOTH = 2.0
HELD = 0.2
THRESHOLDS = np.round(np.arange(0.05, 0.65, 0.05), 2)
FEWEST, SHOWN, TRIALS = 4, 3, 60


@register("task", "segment-sounds")
class SoundSegmenter(TaskModel):
    """Cuts recordings where their codes change, and learns from spliced recordings which changes count.

        recordings ──▶ autoencoder ──▶ codes, one every 10 ms
             └─ pieces of different ones, end to end ──▶ codes around a moment, changes of means ──▶ head ──▶ p(joint)

    Nobody has to mark a boundary: the joints of splices that `fit` makes itself are known. Where most recordings are at
    most 2 s long each is one piece; of longer ones stretches are taken. The height of a peak that counts is the one of
    best F1 on splices of recordings that were held out.

    Parameters
    ----------
    autoencoder : any that learns without labels; it should hear windows much shorter than a segment. None: 16 values a
        code, of log-mel spectra of 50 ms.
    splices : int >= 10, how many recordings are spliced to teach the head.
    pieces : int >= 2, of each.
    least : seconds between two boundaries at least, at least 0.
    trainer, random_state : of the autoencoder and the head.

    Raises `DataError` for fewer than 4 recordings and for other data, `UsageError` for parameters out of range.

    Reference: Foote (2000), "Automatic audio segmentation using a measure of audio novelty"; McCallum (2019),
    "Unsupervised learning of deep features for music segmentation" (neighbourhood in time as the teacher).

    >>> from diabolo import Trainer
    >>> time = np.arange(800) / 2000
    >>> tones = objects(Sound(np.sin(2 * np.pi * f * time).astype("float32"), 2000) for f in range(100, 900, 80))
    >>> model = SoundSegmenter(splices=10, trainer=Trainer(epochs=5), random_state=0).fit(tones)
    >>> both = Sound(np.concatenate([tones[1].samples, tones[8].samples]), 2000)
    >>> [round(float(at), 1) for at in model.segment([both])[0].boundaries]
    [0.4]
    """

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        splices: int = 150,
        pieces: int = 6,
        least: float = 0.15,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.splices, self.pieces, self.least = autoencoder, splices, pieces, least
        self.trainer, self.random_state = trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn codes, and which changes of them are joints; y is not looked at."""
        self._begin()
        self._check()
        source, _ = self._laid_out(X, y)
        rows, seed = source.rows, self._seed_now()
        if len(rows) < FEWEST:
            raise DataError(f"splices are made of different recordings: at least {FEWEST} are needed; got {len(rows)}.")
        order = np.random.default_rng(seed).permutation(len(rows))
        held = order[: max(2, round(HELD * len(rows)))]
        learn = source.take(np.sort(order[len(held) :]))
        self._member("autoencoder", self._codes_of(seed), learn)
        must_hear(self.autoencoder_)
        taught = [(track_of(self, one.sound), one) for one in self._splices(learn.rows, self.splices, seed)]
        codes = np.concatenate([track.codes for track, _ in taught])
        self.arrays_ = {"mean": codes.mean(0), "spread": np.maximum(codes.std(0), 1e-6)}
        told = np.concatenate([self._around(track) for track, _ in taught])
        joint = np.concatenate([_near(track, one.joints) for track, one in taught])
        self._member("head", self._head(seed), told, joint)
        self._choose(self._splices(rows[held], max(10, self.splices // 3), seed + 1))
        return self

    def _check(self) -> None:
        for name, value, least in (("splices", self.splices, 10), ("pieces", self.pieces, 2)):
            if not isinstance(value, int) or value < least:
                raise out_of_range(name, f"an int of at least {least}", value)
        if not isinstance(self.least, int | float) or not 0 <= self.least < np.inf:
            raise out_of_range("least", "a number of seconds of at least 0", self.least)

    def _laid_out(self, X: Any, y: Any) -> tuple[Any, Any]:
        """The recordings as a source that says how they are read."""
        X = open_source(X) if isinstance(X, str | Path) else X
        rows = bare(X)
        if isinstance(rows, Stored):
            raise UsageError("splices are made of sounds in memory: give more with --memory, or fewer of them.")
        if kind_of(rows) != "audio":
            raise DataError("only recordings of sound are segmented by change of code; give WAV, FLAC, OGG or MP3.")
        source = X if isinstance(X, Source) else Source(objects(rows), "audio")
        told = SPECTRA if source.processor is None else source.processor
        return Source(source.rows, "audio", source.keys, processor=told), None

    def _codes_of(self, seed: int) -> BaseAutoencoder:
        made = self._base()
        if self.autoencoder is None:
            made.random_state, made.trainer = seed, _usual(made.trainer, CODE_EPOCHS)
        return made

    def _default(self) -> BaseAutoencoder:
        return Autoencoder(CODE)

    def _head(self, seed: int) -> BaseAutoencoder:
        inner = Autoencoder(HIDDEN[-1], network="dense", hidden=HIDDEN)
        return AutoencoderClassifier(inner, pretrain=False, trainer=_usual(self.trainer, EPOCHS), random_state=seed)

    def _splices(self, rows: Any, count: int, seed: int) -> list[Splice]:
        return spliced(rows, count, self.pieces, self.processor_.hz, seed)  # type: ignore[attr-defined]

    def _around(self, track: Track) -> Float[ndarray, "f d"]:
        """What the head is told of every moment."""
        z = (track.codes - self.arrays_["mean"]) / self.arrays_["spread"]
        return around(z).astype(np.float32)

    def _choose(self, splices: list[Splice]) -> None:
        """The threshold of best F1 on splices that neither the autoencoder nor the head has heard."""
        heard = [(*self._curve(one.sound), one) for one in splices]
        found = [
            _f1([(track.times[peaks(curve, level, self._apart(track))], one.joints) for track, curve, one in heard])
            for level in THRESHOLDS
        ]
        self.facts_.update(threshold=float(THRESHOLDS[int(np.argmax(found))]), f1=float(np.max(found)))

    def _apart(self, track: Track) -> int:
        return max(1, round(self.least / track.step))

    # using --------------------------------------------------------------------------------------------------

    def _curve(self, sound: Sound) -> tuple[Track, Float[ndarray, " f"]]:
        """The track of a recording, and how likely every moment is a joint."""
        track = track_of(self, sound)
        odds = self.models_["head"].predict_proba(self._around(track))[:, 1]  # type: ignore[attr-defined]
        return track, gaussian_filter1d(odds.astype(np.float64), SMOOTH, mode="nearest")

    def segment(self, X: Any) -> list[Segmented]:
        """Where every recording changes; ``novelty`` is the probability of a joint. None in silence."""
        check_is_fitted(self, "models_")
        rows = bare(open_source(X) if isinstance(X, str | Path) else X)
        found = []
        for sound in rows:
            track, curve = self._curve(sound)
            inside = track.times[peaks(curve, self.facts_["threshold"], self._apart(track))]
            edge = track.first + self.least / 2
            inside = inside[(inside > edge) & (inside < track.seconds - edge)]
            silent = float(np.abs(sound.samples).max(initial=0)) == 0
            found.append(Segmented(inside[:0] if silent else inside, curve, track.times, track.seconds))
        return found

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Boundaries of splices of recordings it has not heard, beside novelty alone and an energy threshold, which
        are tuned on splices of the training recordings."""
        if len(held.rows) < FEWEST:
            return None
        known, tried = self._splices(learn.rows, TRIALS, seed + 2), self._splices(held.rows, TRIALS, seed + 3)
        scores = {
            "this model": [one.boundaries for one in self.segment([s.sound for s in tried])],
            "novelty of codes alone": self._novel(known, tried),
            "energy threshold": energy_boundaries(known, tried, TOLERANCE),
        }
        lines = {name: _f1(list(zip(found, (s.joints for s in tried), strict=True))) for name, found in scores.items()}
        lead = lines["this model"] - lines["energy threshold"]
        who = "better than" if lead > 0.01 else "no better than" if lead < -0.01 else "a tie with"
        return Assessment(
            f"Boundaries of {len(tried)} splices of held-out recordings, within {1000 * TOLERANCE:.0f} ms",
            ("", "F1"), tuple((name, f"{value:.3f}") for name, value in lines.items()),
            f"{who} an energy threshold: F1 {lead:+.3f}",
        )  # fmt: skip

    def _novel(self, known: list[Splice], tried: list[Splice]) -> list[ndarray]:
        """Boundaries by Foote's novelty, its width and threshold chosen on ``known``."""

        def found(splices: list[Splice], width: float, threshold: float) -> list[ndarray]:
            cut = sound_segments(
                self.autoencoder_, [s.sound for s in splices], width=width, threshold=threshold, least=self.least
            )
            return [one.boundaries for one in cut]

        some = known[: TRIALS // 2]
        grid = [(width, threshold) for width in (0.05, 0.1, 0.2) for threshold in (1.0, 1.5, 2.0)]
        best = max(grid, key=lambda pair: _f1(list(zip(found(some, *pair), (s.joints for s in some), strict=True))))
        return found(tried, *best)

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """Recordings with their boundaries drawn in; of short recordings splices of them."""
        usual = float(np.median([sound.seconds for sound in source.rows]))
        short = usual <= 2 and len(source.rows) >= FEWEST
        sounds = [s.sound for s in self._splices(source.rows, SHOWN, seed)] if short else list(source.rows[:SHOWN])
        found = self.segment(sounds)
        strips = tuple(
            Strip(f"{len(one.segments)} segments, cut at {_times(one)}", (_drawn(sound, one),))
            for sound, one in zip(sounds, found, strict=True)
        )  # fmt: skip
        text = "Time runs to the right, frequency upwards; white lines are boundaries."
        return (Exhibit("Segments" + (" of spliced recordings" if short else ""), text, strips),)


def around(z: Float[ndarray, "f d"]) -> Float[ndarray, "f e"]:
    """Codes before, at and after every moment; absolute differences of the means on both sides, over several widths,
    and their lengths (the novelty). The ends are continued.

    >>> around(np.zeros((7, 2))).shape
    (7, 34)
    """
    steps = len(z)
    padded = np.pad(z, ((CONTEXT, CONTEXT), (0, 0)), "edge")
    near = [padded[CONTEXT + shift :][:steps] for shift in range(-CONTEXT + 1, CONTEXT, EVERY)]
    wide = np.pad(z, ((max(HALVES), max(HALVES)), (0, 0)), "edge")
    total = np.concatenate([np.zeros((1, z.shape[1])), np.cumsum(wide, 0)])
    middle = total[max(HALVES) :][:steps]
    away = [
        (total[max(HALVES) + half :][:steps] + total[max(HALVES) - half :][:steps] - 2 * middle) / half
        for half in HALVES
    ]
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in away]
    return np.concatenate([*near, *(np.abs(one) for one in away), *lengths], 1)


def _usual(trainer: Trainer | None, epochs: int) -> Trainer:
    made = Trainer(**(trainer or Trainer()).get_params(deep=False))
    made.epochs = epochs if made.epochs == "auto" else made.epochs
    made.batch_size = BATCH if made.batch_size == "auto" else made.batch_size
    return made


def _near(track: Track, joints: ndarray) -> ndarray:
    return (np.abs(track.times[:, None] - joints[None]).min(1) < NEAR).astype(np.int64)


def _f1(pairs: list[tuple[ndarray, ndarray]]) -> float:
    """F1 of boundaries over all recordings."""
    hit, found, true = np.sum([boundary_scores(*pair, TOLERANCE) for pair in pairs], 0)
    return float(2 * hit / max(1, found + true))


def _times(found: Segmented) -> str:
    return (", ".join(f"{at:.2f}" for at in found.boundaries) + " s") if len(found.boundaries) else "no place"


def _drawn(sound: Sound, found: Segmented) -> ndarray:
    picture = picture_of(sound)
    places = np.clip((found.boundaries / found.seconds * picture.shape[1]).astype(np.int64), 0, picture.shape[1] - 1)
    picture[:, places] = 255
    return picture
