"""A Parquet table larger than memory: does memory stay flat, and how much rate does reading from disk cost?

    python -m benchmarks.stream_parquet --rows 2000000 20000000 --memory 1GB

20 columns of float32 made of 6 hidden ones, row groups of 100,000. Every measurement is a process of its own: peak
memory is what the system says of it (ru_maxrss), rows a second are those of one epoch, batch 1024. The smaller table
is also learnt from memory (``--memory`` of 64 GB), in the same run. Then the larger one is encoded to Parquet.
Bars: peaks of the two tables within 10 %, and at least 70 % of the rate from memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from .common import head, row

COLUMNS, HIDDEN, GROUP = 20, 6, 100_000


def main() -> None:
    """Make the tables, measure in processes of their own, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, nargs=2, default=[2_000_000, 20_000_000])
    options.add_argument("--memory", default="1GB")
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.work is not None:
        work(*args.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        small, large = (table(Path(folder), rows) for rows in args.rows)
        codes = Path(folder) / "codes.parquet"
        disk, memory = [], []
        for _ in range(args.rounds):
            memory.append(measured("fit", small, "64GB", "-"))
            disk.append(measured("fit", small, args.memory, "-"))
        most = measured("fit", large, args.memory, str(codes.with_suffix("")))
        encoded = measured("encode", large, args.memory, str(codes))
    head(f"Parquet of {args.rows[0]:,} and {args.rows[1]:,} rows, --memory {args.memory}")
    peak = float(np.mean([m["peak"] for m in disk]))
    row(f"peak memory, MB: {args.rows[1]:,} rows against {args.rows[0]:,}", most["peak"], peak, "ratio <= 1.1")
    row("peak memory, MB: from memory", float(np.mean([m["peak"] for m in memory])), peak)
    rates = [float(np.mean([m["rate"] for m in kind])) for kind in (disk, memory)]
    row("rows a second in training: disk against memory", *rates, "ratio >= 0.7")
    row(f"rows a second in training: {args.rows[1]:,} rows", most["rate"], rates[1])
    row("rows a second: one pass for the statistics", most["prepare"], rates[1])
    row("rows a second: encode to Parquet", encoded["rate"], rates[1])
    row("peak memory, MB: encode", encoded["peak"], peak)


def table(folder: Path, rows: int) -> Path:
    """A table of so many rows, made and written a row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    mixing = random.normal(size=(HIDDEN, COLUMNS))
    names = [f"c{place}" for place in range(COLUMNS)]
    path = folder / f"{rows}.parquet"
    with pq.ParquetWriter(path, pa.schema([(name, pa.float32()) for name in names])) as writer:
        for begin in range(0, rows, GROUP):
            n = min(GROUP, rows - begin)
            x = np.tanh(random.normal(size=(n, HIDDEN)) @ mixing) + 0.1 * random.normal(size=(n, COLUMNS))
            writer.write_table(pa.table({name: x[:, i].astype(np.float32) for i, name in enumerate(names)}))
    return path


def measured(what: str, path: Path, memory: str, out: str) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.stream_parquet", "--work", what, str(path), memory, out]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(said.splitlines()[-1]))


def work(what: str, path: str, memory: str, out: str) -> None:
    """The measurement: fit for one epoch, or encode by the model that the last fit saved."""
    from diabolo import Autoencoder, Trainer, data, load
    from diabolo.data import write_parts
    from diabolo.estimators.from_disk import pieces

    began = time.perf_counter()
    source = data.open(path, memory=memory)
    if what == "fit":
        trainer = Trainer(epochs=1, batch_size=1024, optimizer="adamw", lr=1e-3)
        model = Autoencoder(8, hidden=(128, 64), trainer=trainer, random_state=0).fit(source)
        seconds = model.history_[-1]["seconds"]
        found = {"rate": len(source) / seconds, "prepare": len(source) / (time.perf_counter() - began - seconds)}
        if out != "-":
            model.save(out)
    else:
        model = load(Path(out).with_suffix(""))
        write_parts(out, ((model.transform(piece), None) for piece in pieces(source)))
        found = {"rate": len(source) / (time.perf_counter() - began)}
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
