"""Faults that show only between rows: keys that repeat, and orders that several customers share."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.table import Table
from clvspark.sources.tables import CAMPAIGN, CUSTOMER_RECORD, EVENT, PRODUCT

SHARED_ORDER = "order_of_several_records"
DUPLICATE = "duplicate_key"
SUPERSEDED = "superseded"
VERSIONED = {CUSTOMER_RECORD.name, PRODUCT.name, CAMPAIGN.name}
_ORDER = ["order_id", "event_type"]


def quarantine_repeats(mapped: DataFrame, table: Table) -> DataFrame:
    """Give every good row but one of each key a reason: ``duplicate_key``, or ``superseded`` where rows have versions.

    A record has versions (`VERSIONED`): the newest stays, by ``created_at`` where the system says it, then that of the
    file whose name comes last, as dumps are numbered or dated. Of what happened there is one account: the smallest by
    content, so that the order in which files arrive does not matter.
    """
    content = F.xxhash64(*(F.col(name) for name in table.names if name != "attributes"))
    good = F.size("_reasons") == 0
    order = [content, F.col("_file")]
    is_versioned = table.name in VERSIONED
    if is_versioned:
        said = [F.desc_nulls_last("created_at")] if "created_at" in table.names else []
        order = [*said, F.desc("_file"), content]
    # Bad rows may all lack their key; spread, they are not one task's work.
    spread = F.when(~good, content)
    window = Window.partitionBy(*table.key, good, spread).orderBy(*order)
    repeated = good & (F.row_number().over(window) > 1)
    if not is_versioned:
        return _refuse(mapped, table, repeated, F.lit(DUPLICATE))
    same = F.first(content).over(window) == content
    reason = F.when(same, DUPLICATE).otherwise(SUPERSEDED)
    return _refuse(mapped, table, repeated, reason)


def find_shared_orders(events: DataFrame) -> DataFrame:
    """``order_id, event_type`` of orders, and of refunds, whose good lines name more than one customer record.

    Two shops that count their receipts from 1 under the name of one system look like this.
    """
    named = events.where(
        (F.size("_reasons") == 0)
        & F.col("event_type").isin("order", "refund")
        & F.col("source_record_id").isNotNull()
    )
    record = F.struct("source_system", "source_record_id")
    ends = named.groupBy(*_ORDER).agg(F.min(record).alias("_first"), F.max(record).alias("_last"))
    return ends.where(F.col("_first") != F.col("_last")).select(*_ORDER)


def quarantine_shared_orders(events: DataFrame, shared: DataFrame) -> DataFrame:
    """Give every good line of the orders `shared` the reason ``order_of_several_records``."""
    marked = events.join(shared.withColumn("_shared", F.lit(True)), on=_ORDER, how="left")
    refused = F.col("_shared").isNotNull() & (F.size("_reasons") == 0)
    return _refuse(marked, EVENT, refused, F.lit(SHARED_ORDER)).select(*events.columns)


def keep_first_of_key(mapped: DataFrame, table: Table) -> DataFrame:
    """One good row a key, for outputs whose rows repeat keys by nature; the fullest row wins."""
    filled = reduce(Column.__add__, [F.col(name).isNotNull().cast("int") for name in table.names])
    content = F.xxhash64(*(F.col(name) for name in table.names if name != "attributes"))
    best = F.max_by(F.struct(*mapped.columns), F.struct(filled, content)).alias("_best")
    good = mapped.where(F.size("_reasons") == 0)
    return (
        good.groupBy(*(F.col(name).alias(f"_{name}") for name in table.key))
        .agg(best)
        .select("_best.*")
    )


def _refuse(rows: DataFrame, table: Table, refused: Column, reason: Column) -> DataFrame:
    """Put good rows into quarantine; they are shown as what they had become."""
    payload = F.to_json(F.struct(*table.names))
    return rows.withColumns(
        {
            "_raw": F.when(refused, payload).otherwise(F.col("_raw")),
            "_reasons": F.when(refused, F.array(reason)).otherwise(F.col("_reasons")),
        }
    )
