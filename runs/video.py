"""Video autoencoders on UCSD Ped2: windows of frames through three-dimensional convolutions, or frame by frame.

    python -m runs.video --data DIR --seeds 2

Trained on training clips 1 to 13; PSNR of the reconstruction of clips 14 to 16, put together again on their own axis,
frames of 80 x 120, windows of 8, code of 128. Beside it: the mean frame of the training clips, the mean frame of the
clip itself (which nobody knows beforehand), and PCA of windows with as many components. A video of original,
reconstruction and difference is written to runs/out. No figure is published for reconstruction; Hasan et al. (2016),
"Learning temporal regularity in video sequences", train such a model for anomalies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from benchmarks.common import head, parser, row

from diabolo import Autoencoder, Trainer, data
from diabolo.data import Clip
from diabolo.data.process_video import VideoProcessor

from .record import record, spread

CODE, FRAMES, HELD = 128, 8, 3
NETWORKS = {
    "3-D convolutions": "conv(dims=3, channels=(16, 32, 64))",
    "frame by frame, recurrent": "frames(channels=(16, 32, 64), vector=128, width=256)",
}


def main() -> None:
    """Train both, print the table, write a video, record."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--recurrent-epochs", type=int, default=10)
    args = options.parse_args()
    source = data.open(Path(args.data) / "ucsd_ped2" / "ped2_80x120.npz", as_="video", include="train_*")
    learn, held = source.rows[:-HELD], source.rows[-HELD:]
    source = source.take(np.arange(len(learn)))
    source.processor = f"video(frames={FRAMES}, hop=0.5)"
    found: dict[str, list[float]] = {name: [] for name in NETWORKS}
    for seed in range(args.seed, args.seed + args.seeds):
        for name, network in NETWORKS.items():
            epochs = args.epochs if "dims" in network else args.recurrent_epochs
            trainer = Trainer(epochs=epochs, batch_size=16, optimizer="adamw", lr=1e-3)
            model = Autoencoder(CODE, network=network, trainer=trainer, random_state=seed).fit(source)
            back = model.reconstruct(held)
            found[name].append(psnr(held, back))
            print(f"seed {seed}, {name}: {found[name][-1]:.2f} dB", flush=True)
            if seed == args.seed:
                write(held[0], back[0], name)
    still = np.mean(np.concatenate([clip.frames for clip in learn]), axis=0)
    means = {
        "the mean frame of the training clips": psnr(held, [Clip(repeated(still, len(c))) for c in held]),
        "the mean frame of the clip itself": psnr(held, [Clip(repeated(c.frames.mean(0), len(c))) for c in held]),
        f"PCA, {CODE} components": linear(learn, held),
    }
    head("UCSD Ped2, clips 14 to 16: PSNR, dB, of what comes back from a code of 128 for 8 frames")
    rival = means["the mean frame of the training clips"]
    for name, values in found.items():
        row(f"{name} ({spread(values)})", float(np.mean(values)), rival, "ratio > 1")
    for name, value in means.items():
        row(name, value, rival)
    beside = ", ".join(f"{name} {value:.2f}" for name, value in means.items())
    record("autoencoder", "UCSD Ped2 video, PSNR of held-out clips, dB", found["3-D convolutions"],
           published="none", rival=beside, command=f"python -m runs.video --data DIR --seeds {args.seeds}")  # fmt: skip


def psnr(true: object, back: object) -> float:
    """Peak signal-to-noise ratio of all frames, dB, of uint8 clips."""
    pairs = [(a.frames.astype(float), b.frames.astype(float)) for a, b in zip(true, back, strict=True)]  # type: ignore[call-overload]
    error = sum(np.square(a - b).sum() for a, b in pairs) / sum(a.size for a, _ in pairs)
    return float(10 * np.log10(255**2 / error))


def repeated(frame: np.ndarray, times: int) -> np.ndarray:
    """A still video of one frame."""
    return np.repeat(np.rint(frame).astype(np.uint8)[None], times, axis=0)


def linear(learn: np.ndarray, held: np.ndarray) -> float:
    """PCA of windows, put together as the model's are."""
    from sklearn.decomposition import PCA

    video = VideoProcessor(frames=FRAMES, hop=0.5).fit(learn)
    x, fresh = (video.collate(video.encode(rows)).x.flatten(1).numpy() for rows in (learn, held))
    pca = PCA(CODE, svd_solver="randomized", random_state=0).fit(x)
    import torch

    back = torch.from_numpy(pca.inverse_transform(pca.transform(fresh))).reshape(-1, *video.shape)
    return psnr(held, video.join(video.invert(back), held))


def write(true: Clip, back: Clip, name: str) -> None:
    """Original, reconstruction and difference side by side, to runs/out."""
    grey = np.clip(128 + back.frames.astype(int) - true.frames, 0, 255).astype(np.uint8)
    folder = Path(__file__).parent / "out"
    folder.mkdir(exist_ok=True)
    both = Clip(np.concatenate([true.frames, back.frames, grey], axis=2), 10)
    data.write(folder / f"video-{name.partition(' ')[0]}.mp4", data.objects([both]), force=True)


if __name__ == "__main__":
    main()
