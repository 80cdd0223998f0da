"""Rows that name a customer record which no system has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.sources.tables import CUSTOMER_RECORD

_RECORD = CUSTOMER_RECORD.key


def count_strangers(tables: Mapping[str, DataFrame], records: DataFrame) -> DataFrame:
    """``name, source_system, rows, strangers``: of tables by name, rows that name a record, and those of no known one.

    In: any tables with the key of a record; sources.customer_record.
    """
    named = [
        df.where("source_record_id IS NOT NULL").select(F.lit(name).alias("name"), *_RECORD)
        for name, df in tables.items()
    ]
    counted = (
        reduce(DataFrame.unionByName, named)
        .groupBy("name", *_RECORD)
        .agg(F.count(F.lit(1)).alias("rows"))
    )
    known = records.select(*_RECORD, F.lit(True).alias("_known"))
    stranger = F.when(F.col("_known").isNull(), F.col("rows")).otherwise(0)
    return (
        counted.join(known, on=_RECORD, how="left")
        .groupBy("name", "source_system")
        .agg(F.sum("rows").alias("rows"), F.sum(stranger).alias("strangers"))
    )


def warn_of_strangers(found: list[Row]) -> list[str]:
    """A sentence for each table and system with such rows. In: rows of `count_strangers`."""
    return [
        f"{row['name']}: {row['strangers']:,} of {row['rows']:,} rows of the system {row['source_system']} name a "
        f"record that {CUSTOMER_RECORD.name} does not have: such sales are anonymous, such consents count for nobody. "
        "Next step: see how these ids are written and how the ids of the records are (zeros in front, blanks, another "
        "system), and correct the mapping."
        for row in sorted(found, key=lambda row: (row["name"], row["source_system"]))
        if row["strangers"]
    ]
