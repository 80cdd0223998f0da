"""What adding a few records costs beside resolving all of them: the whole stage, tables written.

python -m bench.identity.incremental --records DIR --out DIR [--share 0.01]

In: raw records as `bench.identity.generate` makes them. Of them `share`, drawn by a hash of the id, comes in a second
run. Prints seconds of both runs and their ratio, with the seconds of every step, as JSON on the last line.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bench.identity.generate import SETTINGS
from clvspark.catalogue import TABLES
from clvspark.identity.config import IdentityConfig
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.stage import run
from clvspark.lakehouse import Lakehouse, LakehouseConfig, SparkConfig, build_session
from clvspark.sources.tables import CUSTOMER_RECORD

DAYS = (date(2026, 1, 1), date(2026, 1, 2))


def main() -> None:
    """Resolve most of the records, then all of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.01)
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    spark = build_session(SparkConfig(driver_memory="6g"))
    lake = Lakehouse(spark, LakehouseConfig(root=str(given.out / "lakehouse")), TABLES)
    config = IdentityConfig(settings=IdentitySettings.from_yaml(SETTINGS))
    records = to_customer_records(spark.read.parquet(str(given.records)))
    late = F.pmod(F.xxhash64("source_record_id"), F.lit(10_000)) < given.share * 10_000
    measured = []
    for day, part in zip(DAYS, (records.where(~late), records), strict=True):
        lake.overwrite(CUSTOMER_RECORD, part)
        lake.log.forget_versions()
        measured.append(measure(lake, config, day))
        print(json.dumps(measured[-1]), flush=True)
    full, added = (one["seconds"] for one in measured)
    print(json.dumps({"full": measured[0], "added": measured[1], "ratio": added / full}))


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
