"""What products cost, and since when: a corrected cost changes no order that was placed before it."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.sources.compare_rows import SUPERSEDED, in_natural_order
from clvspark.sources.tables import PRODUCT, SINCE_EVER, costs_of

_COSTS = PRODUCT.column("costs").type


def date_costs(
    rows: DataFrame,
    landed: DataFrame,
    stored: DataFrame,
    *,
    published: date | None,
    as_of: date | None,
) -> DataFrame:
    """Rows of sources.product with their ``costs``.

    In: rows that are to be written; all rows that landed, judged, as older versions of a product say what it cost
    before; sources.product; the latest date for which something was made of the products, None if nothing ever was; the
    date of the run. A cost with ``cost_valid_from`` counts from that day on, and with it what the same files say of
    other days; they take the place of all that was known from the first of these days on. One without counts from the
    later of the two dates on if it is another one than before, and for all days where nothing was made of them yet.
    The first cost counts for all days before it as well. A row without a cost leaves what is known.
    """
    known = stored.select("product_id", costs_of().alias("_known"))
    found = rows.drop("costs").join(known, on="product_id", how="left")
    found = found.join(_list_dated(landed), on="product_id", how="left")
    before = F.coalesce("_known", _costs(F.array())) if published else _costs(F.array())
    costs = F.when(F.col("_dated").isNotNull(), _replace(before, F.col("_dated"))).otherwise(
        _go_on(before, max(day for day in (published, as_of, SINCE_EVER) if day is not None))
    )
    dated = found.withColumn("costs", _costs(costs))
    # Of one cost for all days there is nothing to tell.
    is_one = (F.size("costs") == 1) & (F.get("costs", F.lit(0))["valid_from"] == F.lit(SINCE_EVER))
    is_plain = (F.size("costs") == 0) | (is_one & F.col("unit_cost").isNotNull())
    return dated.withColumn("costs", F.when(~is_plain, F.col("costs"))).select(*PRODUCT.names)


def _list_dated(landed: DataFrame) -> DataFrame:
    """``product_id, _dated``: costs that files date, the oldest first; of one day that of the file that comes last."""
    reason = F.get("_reasons", F.lit(0))
    said = landed.where(reason.isNull() | (reason == SUPERSEDED))
    said = said.where("cost_valid_from IS NOT NULL AND unit_cost IS NOT NULL")
    newest = F.max_by("unit_cost", F.struct(in_natural_order(F.col("_file")), "unit_cost"))
    by_day = said.groupBy("product_id", F.col("cost_valid_from").alias("valid_from")).agg(
        newest.alias("unit_cost")
    )
    entries = F.array_sort(F.collect_list(F.struct("valid_from", "unit_cost")))
    return by_day.groupBy("product_id").agg(entries.alias("_dated"))


def _replace(before: Column, dated: Column) -> Column:
    first = F.get(dated, F.lit(0))["valid_from"]
    return F.concat(F.filter(before, lambda cost: cost["valid_from"] < first), _costs(dated))


def _go_on(before: Column, since: date) -> Column:
    """Costs with that of the row, where it is another one than the last, from a day on."""
    cost = F.col("unit_cost")
    last = F.get(before, F.size(before) - 1)["unit_cost"]
    day = F.when(F.size(before) == 0, F.lit(SINCE_EVER)).otherwise(F.lit(since))
    entry = F.struct(day.alias("valid_from"), cost.alias("unit_cost"))
    kept = F.filter(before, lambda cost: cost["valid_from"] < F.lit(since))
    changed = F.concat(kept, _costs(F.array(entry)))
    return F.when(cost.isNull() | (last == cost), before).otherwise(changed)


def _costs(column: Column) -> Column:
    return column.cast(_COSTS)
