"""Memory and time of sparse rows: the same interactions among more items, sparse rows beside dense ones.

    python -m benchmarks.sparse_speed

Generated: 10,000 users, a million interactions, 5,000 and 50,000 items. Every case is a process of its own: Mult-VAE of
a hidden layer of 32, batch 100, two epochs; the second is timed. Reported: the rows in memory as encoded (what grows
with the interactions alone), the highest resident memory of the process above that before the rows were made, and
seconds an epoch. The weights, and the scores of a batch, grow with the items on both sides.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import numpy as np
from scipy.sparse import csr_matrix

from diabolo import VAE, Trainer
from diabolo.data import ArrayProcessor, InteractionProcessor

from .common import head, parser, row

USERS, INTERACTIONS, ITEMS = 10_000, 1_000_000, (5_000, 50_000)


def main() -> None:
    """A row for every measure; with ``--case`` the figures of one case, as JSON."""
    options = parser(__doc__)
    options.add_argument("--case", nargs=2, metavar=("KIND", "ITEMS"), help="one case: sparse or dense, and items")
    args = options.parse_args()
    users = args.rows or USERS
    if args.case:
        print(json.dumps(case(args.case[0], int(args.case[1]), users)))
        return
    found = {(kind, items): _apart(kind, items, users) for items in ITEMS for kind in ("sparse", "dense")}
    head(f"{users * INTERACTIONS // USERS:,} interactions: sparse rows beside dense ones (rival)")
    for items in ITEMS:
        for what in ("rows in memory, MB", "peak memory above the start, MB", "seconds an epoch"):
            bar = "ratio <= 1" if items == ITEMS[-1] else ""
            row(f"{items:,} items: {what}", found["sparse", items][what], found["dense", items][what], bar)
    few, many = (found["sparse", items] for items in ITEMS)
    for what in few:
        row(f"sparse, {ITEMS[1]:,} items beside {ITEMS[0]:,}: {what}", many[what], few[what])


def _apart(kind: str, items: int, users: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.sparse_speed", "--rows", str(users), "--case", kind, str(items)]
    said: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said


def case(kind: str, items: int, users: int) -> dict[str, float]:
    """Train once; what it took."""
    before = _peak()
    matrix = generated(users, items)
    rows = matrix if kind == "sparse" else matrix.toarray()
    processor = (InteractionProcessor() if kind == "sparse" else ArrayProcessor()).fit(rows)
    held = processor.encode(rows)["x"]
    parts = (held.offsets, held.columns, held.values) if kind == "sparse" else (held,)
    size = sum(part.numel() * part.element_size() for part in parts)
    del held, parts
    trainer = Trainer(epochs=2, batch_size=100, optimizer="adam", lr=1e-3, validation=0.0)
    model = VAE(16, network="dense", hidden=(32,), loss="multinomial", trainer=trainer, random_state=0).fit(rows)
    return {
        "rows in memory, MB": size / 1e6,
        "peak memory above the start, MB": _peak() - before,
        "seconds an epoch": model.history_[-1]["seconds"],
    }


def generated(users: int, items: int) -> csr_matrix:
    """A hundred items a user, popular ones more often."""
    draw = np.random.default_rng(0)
    count = users * INTERACTIONS // USERS
    columns = (items * draw.random(count) ** 2).astype(np.int32)
    offsets = np.arange(users + 1) * (count // users)
    matrix = csr_matrix((np.ones(count, np.float32), columns, offsets), shape=(users, items))
    matrix.sum_duplicates()
    return matrix


def _peak() -> float:
    """The highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
