"""Documents as 256 numbers: does a linear classifier do better on an autoencoder's codes or on LSA's (tf-idf, SVD)?

    python -m runs.text_documents --data DIR --seeds 2

AG News (test.csv, title and description), ChnSentiCorp hotel reviews, THUCNews titles (dev.txt to learn from, test.txt
held out). Where there is one file, a fifth is held out by the seed, by class. Everything is learned from the other
rows: the vocabulary (10,000 words, for Chinese characters and pairs), the 256 numbers (labels unseen), the classifier.

    ours   tied linear autoencoder of word counts: half of the words of a text are masked, the softmax of the decoder
           gives them all back (multinomial); Adam with decay 1e-3, 8 epochs of batch 128. Chosen on validation rows.
    rival  TruncatedSVD of tf-idf (1 + log n, unit length) of the same vocabulary

Logistic regression for both; its strength, and whether columns are scaled one by one or all alike, are chosen on a
fifth of the training rows. Bar: at least LSA on two of the three, and within 1 point on the third.

Reference: Deerwester et al. (1990), "Indexing by latent semantic analysis"; Vincent et al. (2010), "Stacked denoising
autoencoders".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from diabolo import Autoencoder, Trainer
from diabolo.data import BagOfWords, Source
from diabolo.data import open as open_source

from .record import record, spread

CODE = 256
PENALTIES = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
Encode = Callable[[ndarray], ndarray]


def main() -> None:
    """Print both accuracies for each set, and record ours."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=2)
    args = options.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # 200 steps are enough
    rows = []
    for name in ("ag_news", "chnsenticorp_hotel", "thucnews_titles"):
        ours, rival = [], []
        for seed in range(args.seed, args.seed + args.seeds):
            train, held = parts(Path(args.data), name, seed, args.rows)
            ours.append(accuracy(autoencoder(train, seed), train, held, seed))
            rival.append(accuracy(lsa(train, seed), train, held, seed))
            print(f"{name}, seed {seed}: ours {ours[-1]:.4f}, LSA {rival[-1]:.4f}", flush=True)
        rows.append((name, ours, rival))
        record("autoencoder", f"{name}, accuracy of a linear classifier on 256-d codes", ours,
               published="bar: LSA", rival=f"tf-idf and TruncatedSVD, 256: {np.mean(rival):.4f}",
               command=f"python -m runs.text_documents --data DIR --seeds {args.seeds}")  # fmt: skip
    head(f"held-out accuracy on {CODE} numbers a document; rival: tf-idf and TruncatedSVD")
    for name, ours, rival in rows:
        row(f"{name} ({spread(ours)})", float(np.mean(ours)), float(np.mean(rival)), "ratio >= 1")


def parts(folder: Path, name: str, seed: int, rows: int | None) -> tuple[Source, Source]:
    """Documents to learn from and held-out ones, with their classes."""
    path = folder / name
    if name == "thucnews_titles":
        return tuple(open_source(path / f"{part}.txt", target="last").take(slice(rows)) for part in ("dev", "test"))  # type: ignore[return-value]
    if name == "ag_news":
        source = open_source(path / "test.csv", column="x1,x2", target="x0", header=False)
    else:
        source = open_source(path / "ChnSentiCorp_htl_all.csv", column="review", target="label")
    places = np.arange(len(source))[:rows]
    train, held = train_test_split(places, test_size=0.2, stratify=source.target[places], random_state=seed)
    return source.take(train), source.take(held)


def autoencoder(train: Source, seed: int) -> Encode:
    """Codes of a tied linear denoising autoencoder of counts."""
    trainer = Trainer(epochs=8, batch_size=128, optimizer="adamw", lr=1e-3, validation=0.0)
    model = Autoencoder(CODE, network="dense(tied=True)", hidden=(), loss="multinomial", trainer=trainer,
                        corruption="masking(share=0.5)", random_state=seed)  # fmt: skip
    return model.fit(Source(train.rows, "text", processor="bag-of-words(weight='counts')")).transform


def lsa(train: Source, seed: int) -> Encode:
    """Principal directions of tf-idf."""
    bags = BagOfWords(weight="tf-idf").fit(train.rows)
    svd = TruncatedSVD(CODE, random_state=seed)

    def weights(rows: ndarray) -> ndarray:
        return bags.encode(rows)["x"].csr(len(bags.words))

    svd.fit(weights(train.rows))
    return lambda rows: svd.transform(weights(rows))


def accuracy(encode: Encode, train: Source, held: Source, seed: int) -> float:
    """Held-out accuracy of logistic regression, tuned on a fifth of the training rows."""
    x, fresh, y = encode(train.rows), encode(held.rows), train.target
    learn, check = train_test_split(np.arange(len(x)), test_size=0.2, stratify=y, random_state=seed)
    found = []
    for scale in (x.std(), x.std(0) + 1e-9):
        for c in PENALTIES:
            tried = _classifier(c).fit(x[learn] / scale, y[learn])
            found.append((tried.score(x[check] / scale, y[check]), c, scale))
    _, c, scale = max(found, key=lambda item: item[0])
    return float(_classifier(c).fit(x / scale, y).score(fresh / scale, held.target))


def _classifier(c: float) -> LogisticRegression:
    return LogisticRegression(C=c, max_iter=200)


if __name__ == "__main__":
    main()
