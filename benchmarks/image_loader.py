"""A folder of 100,000 JPEG pictures: is the loader as fast as bare decoding, and does training wait for it?

    python -m benchmarks.image_loader --pictures 100000 --distinct 2000

256 x 256 pixels in colour; ``--distinct`` different files linked to all the names, since the loader does not know.
Bare decoding is the same number of pictures read and decoded by as many threads, nothing else done. The waiting time
is that of training steps of a given cost (``sleep`` in place of arithmetic, so that the decoding threads have the
processors they would have beside an accelerator), each at least twice the decoding of its batch.
Bars: the loader at least 85 % of bare decoding; waiting at most 10 % of the time.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from diabolo import data
from diabolo.data import ImageProcessor, StoredFeed
from diabolo.data.stored_images import StoredImages

from .common import head, row

SIZE, BATCH = 256, 128


def main() -> None:
    """Make the folder, measure, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pictures", type=int, default=100_000)
    options.add_argument("--distinct", type=int, default=2000)
    options.add_argument("--measured", type=int, default=6400, help="pictures a measurement goes over")
    options.add_argument("--rounds", type=int, default=3)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), args.pictures, args.distinct)
        began = time.perf_counter()
        source = data.open(folder, memory="1GB")
        opening = time.perf_counter() - began
        bare, ours = [], []
        for place in range(args.rounds):
            bare.append(args.measured / seconds_bare(Path(folder), args.measured, place))
            ours.append(args.measured / seconds_ours(source.rows, args.measured, place))
        cost = 2 * BATCH / float(np.median(bare))
        waited = waiting(source.rows, args.measured, cost)
    head(f"{args.pictures:,} JPEG pictures of {SIZE} x {SIZE}")
    row(
        "pictures a second: loader against bare decoding",
        float(np.median(ours)),
        float(np.median(bare)),
        "ratio >= 0.85",
    )
    row("share of the time that training waits, a step of twice its decoding", waited, bar="ours <= 0.1")
    row("seconds to open the folder (all headers read)", opening)


def make(folder: Path, pictures: int, distinct: int) -> None:
    """Smooth random pictures as JPEG, and links to them."""
    random = np.random.default_rng(0)
    for place in range(distinct):
        Image.fromarray(picture(random)).save(folder / f"{place:06d}.jpg", quality=90)
    for place in range(distinct, pictures):
        os.link(folder / f"{place % distinct:06d}.jpg", folder / f"{place:06d}.jpg")


def picture(random: np.random.Generator) -> np.ndarray:
    """A random picture uint8 (256, 256, 3); its spectrum falls with the frequency, as that of photographs does."""
    across, down = np.fft.rfftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE)[:, None, None]
    spectrum = random.normal(size=(SIZE, SIZE // 2 + 1, 3)) + 1j * random.normal(size=(SIZE, SIZE // 2 + 1, 3))
    made = np.fft.irfft2(spectrum / np.maximum(np.hypot(across, down), 1 / SIZE), axes=(0, 1))
    return np.clip(128 + 50 * made / made.std(), 0, 255).astype(np.uint8)


def seconds_bare(folder: Path, count: int, seed: int) -> float:
    """Seconds to read and decode so many pictures, in threads, in a random order."""
    names = sorted(path.name for path in folder.iterdir())
    chosen = np.random.default_rng(seed).choice(names, count)

    def decode(name: str) -> int:
        with Image.open(io.BytesIO((folder / name).read_bytes())) as picture:
            return int(np.asarray(picture.convert("RGB"))[0, 0, 0])

    began = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        sum(pool.map(decode, chosen))
    return time.perf_counter() - began


def seconds_ours(stored: StoredImages, count: int, seed: int) -> float:
    """Seconds for the batches of so many pictures, nothing else done."""
    feed = feed_of(stored, count, seed)
    began = time.perf_counter()
    for _ in feed.batches(BATCH, seed=seed):
        pass
    return time.perf_counter() - began


def feed_of(stored: StoredImages, count: int, seed: int) -> StoredFeed:
    """So many of the pictures, drawn at random, as a feed."""
    chosen = np.random.default_rng(seed).choice(len(stored), count)
    some = StoredImages(stored.files, [stored.headers[place] for place in chosen], stored.picture, stored.dtype)
    return StoredFeed(some, ImageProcessor().fit(some.read([0]).rows), SIZE * SIZE * 3)


def waiting(stored: StoredImages, count: int, cost: float) -> float:
    """Share of the time from the first step on that is spent waiting for a batch."""
    batches = feed_of(stored, count, 99).batches(BATCH, seed=0)
    next(batches)
    waited, began = 0.0, time.perf_counter()
    while True:
        time.sleep(cost)
        asked = time.perf_counter()
        if next(batches, None) is None:
            return waited / (time.perf_counter() - began)
        waited += time.perf_counter() - asked


if __name__ == "__main__":
    main()
