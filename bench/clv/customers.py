"""Simulated customers of known parameters, as summaries in Parquet: what all engines are given.

python -m bench.clv.customers --customers N --out DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

# Pareto/NBD of CDNOW (docs/clv.md), weeks; Gamma-Gamma of the same customers.
TRUE = {"r": 0.553277, "alpha": 10.577684, "s": 0.606240, "beta": 11.668728}
SPEND = {"p": 6.249574, "q": 3.744225, "v": 15.443517}
DAYS = 273
SEED = 20260401
_BLOCK = 1_000_000


def simulate_customers(number: int, rng: np.random.Generator) -> pa.Table:
    """``customer_id, frequency, recency, T, monetary_value`` in weeks, counted by whole days.

    Everybody first buys in the first 84 of `DAYS` days. Several purchases on one day are one.
    """
    age = rng.integers(DAYS - 84, DAYS, number)
    rate = rng.gamma(TRUE["r"], 1 / TRUE["alpha"], number) / 7
    death = rng.exponential(1 / (rng.gamma(TRUE["s"], 1 / TRUE["beta"], number) / 7))
    count = rng.poisson(rate * np.minimum(death, age))
    owner = np.repeat(np.arange(number), count)
    day = np.ceil(rng.random(len(owner)) * np.minimum(death, age)[owner])
    days = np.unique(np.stack([owner, np.clip(day, 1, age[owner])]), axis=1).astype(np.int64)
    frequency = np.bincount(days[0], minlength=number)
    recency = np.zeros(number)
    np.maximum.at(recency, days[0], days[1])
    scale = rng.gamma(SPEND["q"], 1 / SPEND["v"], number)
    spend = rng.gamma(SPEND["p"] * np.maximum(frequency, 1), 1 / scale) / np.maximum(frequency, 1)
    return pa.table(
        {
            "frequency": frequency,
            "recency": recency / 7,
            "T": age / 7,
            "monetary_value": np.where(frequency > 0, np.round(spend, 2).clip(0.01), 0.0),
        }
    )


def main() -> None:
    """Write the customers in files of a million."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    for start in range(0, given.customers, _BLOCK):
        table = simulate_customers(min(_BLOCK, given.customers - start), rng)
        ids = pa.array(np.arange(start, start + len(table))).cast(pa.string())
        table = table.add_column(0, "customer_id", ids)
        pq.write_table(table, given.out / f"{start // _BLOCK:04}.parquet")


if __name__ == "__main__":
    main()
