"""A saved encoder as the first step of a scikit-learn pipeline: trained on all digits, 50 of which have a label."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline

from diabolo import Autoencoder, PretrainedEncoder, Trainer


def main(epochs: int = 100) -> None:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.3, stratify=y, random_state=0)
    few = np.concatenate([np.flatnonzero(y == digit)[:5] for digit in range(10)])

    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "encoder"
        Autoencoder(16, trainer=Trainer(epochs=epochs), random_state=0).fit(X).save(saved)

        # Cloned and searched like any pipeline; the encoder is loaded, never trained again.
        pipe = make_pipeline(PretrainedEncoder(saved), LogisticRegression(max_iter=1000))
        search = GridSearchCV(pipe, {"logisticregression__C": [0.1, 1, 10]}, cv=3).fit(X[few], y[few])

    pixels = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1, 10]}, cv=3).fit(X[few], y[few])
    print(f"accuracy with {len(few)} labels: codes {search.score(X_test, y_test):.3f}, ", end="")
    print(f"pixels {pixels.score(X_test, y_test):.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
