"""Search by likeness: digits by the codes of an autoencoder, then as 16 bits a picture; an index on disk."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from diabolo import Autoencoder, SearchIndex, Trainer, load


def main(epochs: int = 20) -> None:
    X, y = load_digits(return_X_y=True)
    X, queries, y, asked = train_test_split(X / 16, y, test_size=0.1, stratify=y, random_state=0)
    model = Autoencoder(16, trainer=Trainer(epochs=epochs), random_state=0).fit(X)
    half = len(X) // 2
    keys = [f"digit {digit}, picture {place}" for place, digit in enumerate(y)]

    index = SearchIndex(model).add(X[:half], keys=keys[:half])
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder) / "index")
        index = load(Path(folder) / "index").add(X[half:], keys=keys[half:])  # an index can be lengthened

    distances, found = index.search(queries, k=10)
    print(
        f"like a {asked[0]}: " + "; ".join(f"{k} ({d:.3f})" for k, d in zip(found[0, :3], distances[0], strict=False))
    )
    share = sum(int(key[6] == str(digit)) for row, digit in zip(found, asked, strict=True) for key in row) / found.size
    print(f"of the 10 nearest by code, the same digit: {share:.3f}")

    try:
        bits = SearchIndex(model, kind="binary").add(X)  # 2 bytes a picture
    except ImportError as error:
        print(error)  # pip install 'diabolo[search]'
        return
    _, numbers = bits.search(queries, k=10)
    print(f"by {bits.facts_['bits']} bits: {(y[numbers] == asked[:, None]).mean():.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
