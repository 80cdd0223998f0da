"""The part of the landing rows that could not be mapped, in the shape of `sources.quarantine`."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.table import MONEY, Table
from clvspark.sources.tables import QUARANTINE


def build_quarantine(mapped: DataFrame, table: Table) -> DataFrame:
    """Bad rows of a mapped frame as rows of sources.quarantine; equal rows are told apart by a counter."""
    bad = mapped.where(F.size("_reasons") > 0)
    same = Window.partitionBy("_file", "_raw").orderBy(F.col("_reasons")[0])
    revenue = F.col("net_revenue") if "net_revenue" in table.names else F.lit(None)
    names_record = "source_record_id" in table.names
    record = F.col("source_record_id") if names_record else F.lit(None)
    system = F.when(record.isNotNull(), F.col("source_system")) if names_record else F.lit(None)
    identity = F.concat_ws(
        "|", F.lit(table.name), "_file", "_raw", F.row_number().over(same).cast("string")
    )
    return bad.select(
        F.sha2(identity, 256).alias("quarantine_id"),
        F.col("_system").alias("source_system"),
        F.lit(table.name).alias("target_table"),
        F.col("_file").alias("file_name"),
        F.col("_reasons")[0].alias("reason"),
        F.col("_reasons").alias("reasons"),
        revenue.cast(MONEY).alias("net_revenue"),
        system.cast("string").alias("record_system"),
        record.cast("string").alias("source_record_id"),
        F.col("_raw").alias("raw"),
    ).select(*QUARANTINE.names)


def refuse_rows(rows: DataFrame, table: Table, refused: Column, reason: Column) -> DataFrame:
    """Put good rows into quarantine with a reason; they are shown as what they had become."""
    payload = F.to_json(F.struct(*table.names))
    return rows.withColumns(
        {
            "_raw": F.when(refused, payload).otherwise(F.col("_raw")),
            "_reasons": F.when(refused, F.array(reason)).otherwise(F.col("_reasons")),
        }
    )
