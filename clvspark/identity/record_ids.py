"""The id of a record over all systems, and records whose id cannot be trusted."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.errors import ContractError

# Key of sources.customer_record, of which the pipeline makes unique_id.
RECORD = ("source_system", "source_record_id")


def unique_id() -> Column:
    """``unique_id`` of rows that have the key of a customer record."""
    return F.concat_ws(":", *RECORD).alias("unique_id")


def record_id(settings: IdentitySettings) -> Column:
    """The id of a record over all systems, ``system:id``; NULL if a part of it is missing or blank."""
    parts = [F.col(f"`{name}`").cast("string") for name in settings.unique_id]
    whole = reduce(Column.__and__, (F.trim(part) != F.lit("") for part in parts))
    return F.when(whole, F.concat_ws(":", *parts)).alias("unique_id")


def refuse_bad_ids(records: DataFrame, settings: IdentitySettings) -> None:
    """ContractError if an id is missing or given to more than one record; it tells how many. One pass, no write."""
    counted = records.select(record_id(settings)).groupBy("unique_id").agg(F.count("*").alias("n"))
    unknown = F.col("unique_id").isNull()
    twice = ~unknown & (F.col("n") > 1)
    row = counted.agg(
        F.coalesce(F.sum(F.when(unknown, F.col("n"))), F.lit(0)).alias("missing"),
        F.count_if(twice).alias("ids"),
        F.coalesce(F.sum(F.when(twice, F.col("n"))), F.lit(0)).alias("records"),
    ).collect()[0]
    faults = []
    if row["missing"]:
        faults.append(f"{row['missing']} records have none")
    if row["ids"]:
        faults.append(f"{row['ids']} are given to more than one record ({row['records']} records)")
    if faults:
        columns = ", ".join(settings.unique_id)
        raise ContractError(
            f"unique ids of the records ({columns}): {'; '.join(faults)}. Next step: correct these records, or name "
            "columns in 'unique_id' that together tell every record apart (in Python, split_bad_ids of "
            "clvspark.identity.record_ids parts good ones from bad ones)."
        )


def split_bad_ids(records: DataFrame, settings: IdentitySettings) -> tuple[DataFrame, DataFrame]:
    """(good, bad): every record is in one of the two; bad ones have a ``reason``.

    ``missing_id``: a part of the id is NULL or blank. ``duplicate_id``: records that differ have the same id, and
    which of them is meant nobody can tell. ``copy``: the same record again; one of the copies is good.
    """
    same_id = Window.partitionBy("_id")
    content = F.to_json(F.struct(*(F.col(f"`{name}`") for name in records.columns)))
    marked = (
        records.withColumns({"_id": record_id(settings), "_content": content})
        .withColumns(
            {
                "_first": F.row_number().over(same_id.orderBy("_content")) == 1,
                "_differ": F.min("_content").over(same_id) != F.max("_content").over(same_id),
            }
        )
        .withColumn(
            "reason",
            F.when(F.col("_id").isNull(), "missing_id")
            .when(F.col("_differ"), "duplicate_id")
            .when(~F.col("_first"), "copy"),
        )
    )
    names = [f"`{name}`" for name in records.columns]
    good = marked.where("reason IS NULL").select(*names)
    return good, marked.where("reason IS NOT NULL").select(*names, "reason")
