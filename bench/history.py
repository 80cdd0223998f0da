"""What a day with few new events costs beside building the whole history: the stage `history`, tables written.

python -m bench.history [--persons N] [--share 0.01]

Events are made up: ten a person over two years, half of them orders. The history is built; then a day comes with new
events, `share` of those that there are; then everything is built anew with them. Prints seconds and their ratio, and
whether both ways ended in the same tables.
"""

from __future__ import annotations

import argparse
import shutil
import time
from datetime import date, timedelta
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.processes import CACHE
from bench.results import write_result
from clvspark.catalogue import TABLES
from clvspark.history.config import HistoryConfig
from clvspark.history.stage import run
from clvspark.history.tables import TABLES as HISTORY
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse, LakehouseConfig, SparkConfig, build_session
from clvspark.sources.tables import EVENT, PRODUCT

TODAY = date(2026, 4, 1)
EVENTS_A_PERSON, PRODUCTS, DAYS = 10, 1_000, 730


def main() -> None:
    """Build, add a day, build anew; print and write what they took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--share", type=float, default=0.01)
    given = parser.parse_args()
    folder = CACHE / "history"
    shutil.rmtree(folder, ignore_errors=True)
    spark = build_session(SparkConfig(driver_memory="6g"))
    lake = Lakehouse(spark, LakehouseConfig(root=str(folder)), TABLES)
    count = given.persons * EVENTS_A_PERSON
    write_inputs(lake, given.persons, count)
    measured = {"whole": measure(lake, TODAY)}
    new = make_events(spark, given.persons, int(count * given.share), first=count, days=1)
    lake.append(EVENT, new)
    lake.log.forget_everything()
    tomorrow = TODAY + timedelta(days=1)
    measured["day"] = measure(lake, tomorrow)
    kept = {table: lake.version(table) for table in HISTORY}
    lake.log.force = True
    measured["anew"] = measure(lake, tomorrow)
    same = all(
        is_same(lake.read(table, version=version), lake.read(table))
        for table, version in kept.items()
    )
    ratio = measured["day"]["seconds"] / measured["anew"]["seconds"]
    print(
        f"a day with {given.share:.0%} new events takes {ratio:.1%} of building all; same tables: {same}"
    )
    result = {
        "persons": given.persons,
        "events": count,
        "share": given.share,
        "ratio": ratio,
        "same": same,
    }
    print(f"written to {write_result(f'history_{given.persons}', {**result, 'runs': measured})}")
    shutil.rmtree(folder, ignore_errors=True)


def write_inputs(lake: Lakehouse, persons: int, events: int) -> None:
    """Events, products, and a link for each record; three in ten persons have two records."""
    spark = lake.spark
    lake.overwrite(EVENT, make_events(spark, persons, events, first=0, days=DAYS))
    products = spark.range(PRODUCTS).select(
        F.concat(F.lit("sku-"), "id").alias("product_id"), (F.col("id") % 40 + 1).alias("unit_cost")
    )
    lake.overwrite(PRODUCT, fill(products, PRODUCT))
    links = spark.range(persons * 13 // 10).select(
        F.lit("shop").alias("source_system"),
        F.col("id").cast("string").alias("source_record_id"),
        F.concat(F.lit("p"), (F.col("id") % persons)).alias("person_id"),
        F.lit("2024-01-01").alias("valid_from"),
        F.lit("match").alias("reason"),
        F.lit(1).alias("probability"),
        F.lit("2024-01-01 06:00:00").alias("recorded_at"),
    )
    lake.overwrite(PERSON_LINK, fill(links, PERSON_LINK))


def make_events(
    spark: SparkSession, persons: int, number: int, *, first: int, days: int
) -> DataFrame:
    """Events of the `days` up to yesterday, or of today where they are one; drawn by hashes of their number."""
    rows = spark.range(first, first + number).withColumn("n", F.col("id"))
    at = F.lit(TODAY).cast("timestamp") + F.make_dt_interval(
        F.lit(0) if days == 1 else -draw("day", days) - 1, draw("hour", 24)
    )
    is_order = draw("type", 2) == 0
    # Some buy much more often than others.
    record = F.floor(F.pow(draw("record", 1_000_000) / 1_000_000, 2) * persons * 13 / 10)
    columns = {
        "event_id": F.concat(F.lit("shop:"), "id"),
        "event_type": F.when(is_order, "order").otherwise("email_opened"),
        "source_system": F.lit("shop"),
        "source_record_id": record.cast("bigint").cast("string"),
        "occurred_at": at,
        "channel": F.when(is_order, "shop").otherwise("email"),
        "order_id": F.when(is_order, F.concat(F.lit("shop:"), F.col("id"))),
        "product_id": F.when(is_order, F.concat(F.lit("sku-"), draw("product", PRODUCTS))),
        "quantity": F.when(is_order, draw("quantity", 3) + 1),
        "net_revenue": F.when(is_order, (draw("cents", 20_000) + 100) / 100),
    }
    return fill(rows.select(*(column.alias(name) for name, column in columns.items())), EVENT)


def draw(of: str, below: int) -> Column:
    """A whole number below a bound, by the number of the row."""
    return F.pmod(F.xxhash64(F.lit(of), "n"), F.lit(below))


def fill(df: DataFrame, table: Any) -> DataFrame:
    """Columns of the contract, cast; those that are not there are NULL."""
    present = set(df.columns)
    return df.select(
        *(
            (F.col(c.name) if c.name in present else F.lit(None)).cast(c.type).alias(c.name)
            for c in table.columns
        )
    )


def measure(lake: Lakehouse, day: date) -> dict[str, Any]:
    """One run of the stage: seconds, rows, and when each step began."""
    start, steps = time.monotonic(), []
    lake.progress = lambda _, step: steps.append((step, round(time.monotonic() - start, 1)))
    with lake.writing("history"):
        report = run(lake, HistoryConfig(), day)  # type: ignore[call-arg]
    print(f"{day}: {report.seconds:.1f} s, {steps}", flush=True)
    return {"seconds": report.seconds, "steps": steps, "rows": report.rows}


def is_same(one: DataFrame, two: DataFrame) -> bool:
    """Whether two frames have the same rows."""
    return one.exceptAll(two).isEmpty() and two.exceptAll(one).isEmpty()


if __name__ == "__main__":
    main()
