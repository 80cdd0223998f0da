"""Records that all share one e-mail: how long they take, and whether anybody is merged who should not be.

python -m bench.identity.hot_key [--records N]

Each engine resolves them twice: with the guard on shared identifiers, which takes the e-mail away, and without it, when
only the bound on blocks stands between the records and N * (N - 1) / 2 pairs.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from bench.identity.generate import SETTINGS, simulate_records
from bench.results import write_result
from clvspark.identity import IdentityResolver, IdentitySettings, evaluate_clusters
from clvspark.identity.record_ids import record_id
from clvspark.lakehouse import SparkConfig, build_session

EMAIL = "shop@example.com"
console = Console(highlight=False)


def main() -> None:
    """Resolve, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    given = parser.parse_args()
    spark = build_session(SparkConfig(driver_memory="4g"))
    guarded = IdentitySettings.from_yaml(SETTINGS)
    raw = simulate_records(spark, given.records).localCheckpoint()
    truth = raw.select(record_id(guarded), F.col("person_key").alias("true_id"))
    raw = raw.drop("person_key")
    model = IdentityResolver(spark, guarded).train(raw)
    shared = raw.withColumn("email", F.lit(EMAIL))
    rows = []
    for name, settings in {"guarded": guarded, "unguarded": without_guard(guarded)}.items():
        for engine in ("local", "distributed"):
            resolver = IdentityResolver(spark, settings, engine=engine)  # type: ignore[arg-type]
            began = time.monotonic()
            resolved = resolver.resolve(shared, model)
            persons = resolved.persons.localCheckpoint()
            seconds = time.monotonic() - began
            quality = evaluate_clusters(persons, truth)
            rows.append(
                {
                    "identifiers": name,
                    "engine": engine,
                    "seconds": seconds,
                    "pairs": resolved.pairs.count(),
                    "largest": quality.largest_cluster,
                    "largest_true": quality.largest_true_cluster,
                    "precision": quality.precision,
                    "recall": quality.recall,
                }
            )
    _print(rows, given.records)
    path = write_result(f"hot_key_{given.records}", {"records": given.records, "runs": rows})
    console.print(f"written to {path}")


def without_guard(settings: IdentitySettings) -> IdentitySettings:
    """The settings with no bound on the names that share an identifier."""
    attributes = [a.model_copy(update={"max_distinct_names": None}) for a in settings.attributes]
    return settings.model_copy(update={"attributes": attributes})


def _print(rows: list[dict[str, Any]], records: int) -> None:
    table = Table(title=f"{records:,} records, one e-mail", title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="left" if name in ("identifiers", "engine") else "right")
    for row in rows:
        table.add_row(*(f"{v:,.3f}" if isinstance(v, float) else str(v) for v in row.values()))
    console.print(table)


if __name__ == "__main__":
    main()
