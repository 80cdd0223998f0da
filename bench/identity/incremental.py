"""What adding a few records costs beside resolving all of them: the whole stage, tables written.

python -m bench.identity.incremental [--records N] [--share 0.01]

Of the records `share`, drawn by a hash of the id, comes in a second run; then all come at once in another lakehouse.
Prints seconds of the runs and their ratio, and whether both ways ended in the same persons.
"""

from __future__ import annotations

import argparse
import shutil
import time
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from bench.identity.generate import SETTINGS
from bench.identity.prepared import prepare_records
from bench.results import write_result
from clvspark.catalogue import TABLES
from clvspark.identity.config import IdentityConfig
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.stage import run
from clvspark.identity.tables import MODEL, PERSON_LINK, TERM_FREQUENCY
from clvspark.lakehouse import Lakehouse, LakehouseConfig, SparkConfig, build_session
from clvspark.sources.tables import CUSTOMER_RECORD

DAYS = (date(2026, 1, 1), date(2026, 1, 2))


def main() -> None:
    """Resolve most of the records, then the rest; then all at once with the same model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--share", type=float, default=0.01)
    given = parser.parse_args()
    folder = prepare_records(given.records)
    spark = build_session(SparkConfig(driver_memory="6g"))
    records = to_customer_records(spark.read.parquet(str(folder / "raw")))
    late = F.pmod(F.xxhash64("source_record_id"), F.lit(10_000)) < given.share * 10_000
    parts = {"first": records.where(~late), "added": records}
    measured, found = resolve_in_turn(spark, folder / "batches", parts)
    for name, numbers in measured.items():
        print(f"{name}: {numbers['seconds']:.1f} s, {numbers['steps']}", flush=True)
    whole, all_at_once = resolve_in_turn(spark, folder / "whole", {"whole": records}, like=found)
    ratio = measured["added"]["seconds"] / whole["whole"]["seconds"]
    result = {
        "records": given.records,
        "share": given.share,
        "ratio": ratio,
        "same_persons": count_differences(found, all_at_once) == 0,
        "runs": {**measured, **whole},
    }
    print(f"adding takes {ratio:.1%} of resolving all; same persons: {result['same_persons']}")
    print(f"written to {write_result(f'incremental_{given.records}', result)}")


def resolve_in_turn(
    spark: SparkSession, folder: Path, parts: dict[str, DataFrame], *, like: Lakehouse | None = None
) -> tuple[dict[str, dict], Lakehouse]:
    """Resolve the parts one after the other in a new lakehouse, with the model of `like` if there is one."""
    shutil.rmtree(folder, ignore_errors=True)
    lake = Lakehouse(spark, LakehouseConfig(root=str(folder)), TABLES)
    if like is not None:
        for table in (MODEL, TERM_FREQUENCY):
            lake.overwrite(table, like.read(table))
    config = IdentityConfig(settings=IdentitySettings.from_yaml(SETTINGS))
    measured = {}
    for day, (name, part) in zip(DAYS, parts.items(), strict=False):
        lake.renew(CUSTOMER_RECORD, part)  # as ingest does
        lake.log.forget_version(CUSTOMER_RECORD)
        measured[name] = measure(lake, config, day)
    return measured, lake


def count_differences(one: Lakehouse, two: Lakehouse) -> int:
    """Records whose group in one lakehouse is not that in the other. Groups are named by their smallest record."""
    groups = [
        lake.read(PERSON_LINK)
        .where("valid_to IS NULL")
        .select(
            "source_system",
            "source_record_id",
            F.min(F.struct("source_system", "source_record_id"))
            .over(Window.partitionBy("person_id"))
            .alias("smallest"),
        )
        for lake in (one, two)
    ]
    return groups[0].exceptAll(groups[1]).count() + groups[1].exceptAll(groups[0]).count()


def to_customer_records(raw: DataFrame) -> DataFrame:
    """Raw records as sources.customer_record; what the generator does not make is NULL."""
    present = set(raw.columns)
    return raw.select(
        *(
            (F.col(c.name) if c.name in present else F.lit(None)).cast(c.type).alias(c.name)
            for c in CUSTOMER_RECORD.columns
        )
    )


def measure(lake: Lakehouse, config: IdentityConfig, day: date) -> dict:
    """One run of the stage: seconds, rows and metrics, and when each step began."""
    start, steps = time.monotonic(), []
    lake.progress = lambda _, step: steps.append((step, round(time.monotonic() - start, 1)))
    report = run(lake, config, day)
    return {
        "seconds": report.seconds,
        "steps": steps,
        "rows": report.rows,
        "metrics": report.metrics,
    }


if __name__ == "__main__":
    main()
