"""Chinese headlines through one code of 256 numbers: how many characters of unseen headlines the code alone gives back.

    python -m runs.headlines --data DIR --seeds 1

THUCNews titles: all of dev.txt and 8,000 of test.txt to learn from, the other 2,000 of test.txt held out (split by seed
0). A token is a character; those that were not there in training count as errors. Measure: characters that stand at
their place in what `inverse_transform` makes of the code alone (no step is told another), as a share of the held-out
characters. Beside it PCA of the same size: TruncatedSVD of the one-hot characters of all places, the likeliest
character of each place. Bar: at least 60 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from benchmarks.common import head, parser, row
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD

from diabolo import SequenceAutoencoder, Trainer
from diabolo.data import Source, TextProcessor
from diabolo.data import open as open_source

from .record import record, spread

CODE, HELD, BAR = 256, 2000, 0.6
PROCESSOR = "text(tokens='characters', vocabulary=6000)"


def main() -> None:
    """Print both shares, and record ours."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=5)
    args = options.parse_args()
    train, held = headlines(Path(args.data) / "thucnews_titles", args.rows)
    ours, whole, texts = [], [], None
    for seed in range(args.seed, args.seed + args.seeds):
        trainer = Trainer(epochs=args.epochs, batch_size=128, optimizer="adamw", lr=3e-3, validation=0.0)
        model = SequenceAutoencoder(CODE, network="slots(width=64)", trainer=trainer, random_state=seed)
        model.fit(Source(train, "text", processor=PROCESSOR))
        texts = model.processor_
        decoded = model.inverse_transform(model.transform(held))
        ours.append(restored(decoded, held))
        whole.append(float(np.mean([a == b for a, b in zip(decoded, held, strict=True)])))
        print(f"seed {seed}: {ours[-1]:.4f} of the characters, {whole[-1]:.4f} of the headlines whole", flush=True)
    rival = restored(principal(texts, train, held), held)
    head(f"{len(held)} held-out headlines from {CODE} numbers: share of characters at their place")
    row(f"slots, free running ({spread(ours)})", float(np.mean(ours)), rival, f"ours >= {BAR}")
    row(f"headlines without an error ({spread(whole)})", float(np.mean(whole)))
    record("sequence", "THUCNews titles, held-out characters restored from one 256-d code", ours, published="bar 0.60",
           rival=f"TruncatedSVD of one-hot characters, 256: {rival:.4f}",
           command=f"python -m runs.headlines --data DIR --seeds {args.seeds}")  # fmt: skip


def headlines(folder: Path, rows: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Texts to learn from and texts held out."""
    dev, test = (open_source(folder / f"{part}.txt", target="last").rows for part in ("dev", "test"))
    order = np.random.default_rng(0).permutation(len(test))
    return np.concatenate([dev, test[order[HELD:]]])[:rows], test[order[:HELD]][:rows]


def restored(decoded: Sequence[str], held: Sequence[str]) -> float:
    """Characters at their place, as a share of all that were to be restored."""
    same = sum(a == b for ours, theirs in zip(decoded, held, strict=True) for a, b in zip(ours, theirs, strict=False))
    return same / sum(len(text) for text in held)


def principal(texts: TextProcessor, train: np.ndarray, held: np.ndarray) -> list[str]:
    """The held-out texts through as many principal components of the one-hot characters."""
    size = texts.defaults()["loss"].params["classes"]

    def one_hot(rows: np.ndarray) -> csr_matrix:
        x = texts.encode(rows)["x"].numpy()
        columns = (x + size * np.arange(x.shape[1])).ravel()
        return csr_matrix((np.ones(x.size, np.float32), columns, np.arange(0, x.size + 1, x.shape[1])),
                          shape=(len(x), x.shape[1] * size))  # fmt: skip

    svd = TruncatedSVD(CODE, n_iter=2, random_state=0).fit(one_hot(train))
    out: list[str] = []
    for part in np.array_split(held, max(1, len(held) // 100)):
        back = svd.inverse_transform(svd.transform(one_hot(part))).reshape(len(part), -1, size)
        out += texts.invert(torch.from_numpy(back.argmax(-1)))
    return out


if __name__ == "__main__":
    main()
