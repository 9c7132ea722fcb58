"""Spoken digits: what unsupervised codes know of the digit of a speaker never heard, and how sounds come back.

    python -m runs.speech --data DIR

Free Spoken Digit Dataset, 4 speakers x 10 digits x 50 takes, 8 kHz. Log-mel spectra of 32 bands (32 ms frames every
8 ms), each clip's mean level taken away, its frames brought to 32 by linear interpolation. One speaker is the test, in
turn; the autoencoder, PCA and the logistic regression learn from the three others alone, the first two without labels.
Network, corruption and the regression's C are chosen on one of the three (the next in the alphabet), learnt from the
other two. Rivals: PCA of the same size on the same input, and on log-mel spectra as they are, padded.

Sounds: SI-SDR (Le Roux et al. 2019) of the clips of speaker theo, learnt from the three others: waveform windows of
32 ms, and log-mel windows of 0.64 s with the original's phase, beside PCA with as many components. Bar: digits at
least 5 points above PCA.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.common import head, parser, row
from numpy import ndarray
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import interpolate

from diabolo import Autoencoder, Trainer, data
from diabolo.core import Restored, make
from diabolo.core.metrics import si_sdr
from diabolo.estimators.rows import without_padding

from .record import record

CODE, FRAMES, BANDS, LONGEST = 32, 32, 32, 80
PENALTIES = (0.003, 0.03)
WARP = "warp(shift=(2.0, 2.0), stretch=(0.15, 0.15))"
CHOICES: dict[str, dict[str, Any]] = {
    "conv": {"network": "conv(channels=(16, 32, 64))"},
    "dense": {"network": "dense"},
    "dense, warp": {"network": "dense", "corruption": WARP},
}
OUT = Path(__file__).parent / "out"
Codes = Callable[[ndarray], Callable[[ndarray], ndarray]]


def main() -> None:
    """Digits of unheard speakers, then reconstruction; one row a measure."""
    args = parser(__doc__).parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    source = data.open(Path(args.data) / "fsdd" / "recordings.zip")
    names = [Path(name).stem.split("_") for name in source.keys["file"]]
    digit, speaker = np.array([int(name[0]) for name in names]), np.array([name[1] for name in names])
    digits(source, digit, speaker, args.seed)
    sounds(source, speaker, args.seed)


def digits(source: data.Source, digit: ndarray, speaker: ndarray, seed: int) -> None:
    """Accuracy of each method for each speaker."""
    same, plain = spectra(source.rows, "clip", stretch=True), spectra(source.rows, "keep", stretch=False)
    learnt = {name: (same, autoencoder(more, seed)) for name, more in CHOICES.items()}
    rivals = {"PCA, same input": (same, pca), "PCA, padded log-mel": (plain, pca)}
    found: dict[str, list[float]] = {"autoencoder": [], **{name: [] for name in rivals}}
    speakers = sorted(set(speaker))
    for place, test in enumerate(speakers):
        known, fresh = speaker != test, speaker == test
        held = known & (speaker == speakers[(place + 1) % len(speakers)])
        small = known & ~held
        best = {name: choose(x, method, digit, small, held) for name, (x, method) in {**learnt, **rivals}.items()}
        picked = max(CHOICES, key=lambda name: best[name][0])
        for name, (x, method) in {"autoencoder": learnt[picked], **rivals}.items():
            penalty = best[picked if name == "autoencoder" else name][1]
            found[name].append(accuracies(x, method, digit, known, fresh, (penalty,))[0])
        shown = ", ".join(f"{name} {100 * values[-1]:.1f}" for name, values in found.items())
        print(f"speaker {test} ({picked}): {shown}", flush=True)
    means = {name: 100 * float(np.mean(values)) for name, values in found.items()}
    head(f"digits of a speaker never heard, codes of {CODE}, per cent right")
    for name in rivals:
        row(f"autoencoder, rival {name}", means["autoencoder"], means[name], f"ours >= {means[name] + 5:.4g}")
    record("autoencoder", "FSDD, digit of an unheard speaker, logistic regression on codes, per cent",
           [means["autoencoder"]], published="none (FSDD has no such protocol)",
           rival=", ".join(f"{name} {means[name]:.1f}" for name in rivals),
           command="python -m runs.speech --data DIR")  # fmt: skip


def spectra(rows: ndarray, level: str, *, stretch: bool) -> ndarray:
    """Log-mel frames (N, F, bands): stretched to `FRAMES`, or padded to `LONGEST` with the clip's softest value."""
    mel = make("processor", f"log-mel(mels={BANDS}, window=3.0, level={level!r})").fit(rows)
    tensors = mel.encode(rows)
    out = []
    for x, length in zip(mel.collate(tensors).x, tensors["lengths"].tolist(), strict=True):
        real = x[:length]
        if stretch:
            out.append(interpolate(real.T[None], FRAMES, mode="linear", align_corners=True)[0].T)
        else:
            padded = torch.full((LONGEST, BANDS), float(real.min()))
            padded[: min(length, LONGEST)] = real[:LONGEST]
            out.append(padded)
    return torch.stack(out).numpy()


def autoencoder(more: dict[str, Any], seed: int) -> Codes:
    """Learns codes from rows (N, F, bands), without labels."""

    def learn(rows: ndarray) -> Callable[[ndarray], ndarray]:
        trainer = Trainer(epochs=40, batch_size=64, validation=0.0)
        return Autoencoder(CODE, loss="squared", trainer=trainer, random_state=seed, **more).fit(rows).transform

    return learn


def pca(rows: ndarray) -> Callable[[ndarray], ndarray]:
    """Principal components of the same number."""
    found = PCA(CODE, svd_solver="covariance_eigh").fit(rows.reshape(len(rows), -1))
    return lambda x: np.asarray(found.transform(x.reshape(len(x), -1)))


def choose(x: ndarray, method: Codes, digit: ndarray, train: ndarray, held: ndarray) -> tuple[float, float]:
    """The best accuracy on a held-out speaker, and its penalty."""
    return max(zip(accuracies(x, method, digit, train, held, PENALTIES), PENALTIES, strict=True))


def accuracies(
    x: ndarray, method: Codes, digit: ndarray, train: ndarray, test: ndarray, penalties: tuple[float, ...]
) -> list[float]:
    """Share of right digits on ``test``, for every penalty; codes are learnt on ``train``."""
    codes = method(x[train])
    z, fresh = codes(x[train]), codes(x[test])
    models = [make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=300)) for c in penalties]
    return [float(model.fit(z, digit[train]).score(fresh, digit[test])) for model in models]


def sounds(source: data.Source, speaker: ndarray, seed: int) -> None:
    """SI-SDR of reconstructions of theo's clips, learnt from the others; one is written to runs/out/."""
    train, test = source.rows[speaker != "theo"], source.rows[speaker == "theo"]
    head("SI-SDR of theo's clips, dB, mean over clips; rival: PCA with as many components")
    for name, processor, code in (
        ("waveform, windows of 32 ms", "audio(window=0.032, level='clip')", 32),
        ("log-mel, windows of 0.64 s, phase of the original", "log-mel(window=0.64, level='clip', phase='keep')", 64),
    ):
        trainer = Trainer(epochs=15, batch_size=256)
        model = Autoencoder(code, network="dense", trainer=trainer, random_state=seed)
        model.fit(data.Source(train, "audio", processor=processor))
        ours = model.reconstruct(test)
        row(name, quality(test, ours), quality(test, with_pca(model.processor_, train, test, code)))
        if name.startswith("log-mel"):
            listen(test, ours)


def quality(rows: ndarray, back: ndarray) -> float:
    """Mean SI-SDR over clips."""
    return float(np.mean([si_sdr(one.samples, other.samples) for one, other in zip(rows, back, strict=True)]))


def with_pca(processor: Any, train: ndarray, test: ndarray, code: int) -> ndarray:
    """What comes back through principal components of what the processor makes of the rows."""
    targets = [processor.collate(processor.encode(rows)) for rows in (train, test)]
    flat = [batch.target.flatten(1).numpy() for batch in targets]
    found = PCA(code, svd_solver="randomized", random_state=0).fit(flat[0])
    data_ = torch.from_numpy(found.inverse_transform(found.transform(flat[1])).astype(np.float32))
    data_ = without_padding(data_.reshape(targets[1].target.shape), targets[1].mask)
    if isinstance(processor, Restored):
        back: ndarray = processor.restore(data_, test)
        return back
    back = processor.join(processor.invert(data_), test)
    return back


def listen(test: ndarray, back: ndarray) -> None:
    """Write one clip; say how loud it is, and how near its spectrum is to the original's."""
    OUT.mkdir(exist_ok=True)
    data.write(OUT / "theo.wav", back[:1], force=True)
    (heard,) = data.open(OUT / "theo.wav").rows
    mel = make("processor", "log-mel").fit(test[:1])
    near = [mel.collate(mel.encode([sound])).x.flatten().numpy() for sound in (test[0], heard)]
    peak = float(np.abs(heard.samples).max())
    print(f"{OUT / 'theo.wav'}: peak {peak:.3f}, log-mel correlation {np.corrcoef(*near)[0, 1]:.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
