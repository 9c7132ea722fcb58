"""A table of numbers, categories, dates and gaps: to codes, and back to a table of the same columns and types."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from diabolo import Autoencoder, Trainer


def customers(rows: int = 400) -> pd.DataFrame:
    """A made-up table with structure: the plan decides the fee, members joined later, and some ages are missing."""
    random = np.random.default_rng(0)
    plan = random.choice(["basic", "plus", "pro"], rows, p=[0.6, 0.3, 0.1])
    fee = pd.Series(plan).map({"basic": 10.0, "plus": 25.0, "pro": 80.0}) + random.normal(0, 1, rows)
    member = random.random(rows) < 0.5
    joined = pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 700, rows) + 700 * member, unit="D")
    age = pd.Series(random.normal(45, 12, rows).round(1)).mask(random.random(rows) < 0.1)
    return pd.DataFrame({"age": age, "plan": plan, "fee": fee.round(2), "member": member, "joined": joined})


def main(epochs: int = 100) -> None:
    table = customers()
    model = Autoencoder(n_components=3, trainer=Trainer(epochs=epochs), random_state=0).fit(table)

    back = model.reconstruct(table)
    print("rows as they are:", table.head(3), "rows from three numbers each:", back.head(3), sep="\n")
    print(f"plan right in {np.mean(np.asarray(back['plan']) == table['plan']):.0%} of the rows")

    odd = table.head(1).assign(fee=80.0, plan="basic")  # a basic plan at the price of a pro one
    usual, unusual = -model.score_samples(table).mean(), -model.score_samples(odd)[0]
    print(f"error of a usual row {usual:.2f}, of an odd one {unusual:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
