"""Amounts of other currencies become amounts of the lakehouse's, by dated rates."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.lakehouse.table import MONEY
from clvspark.sources.quarantine import refuse_rows
from clvspark.sources.tables import EVENT, MOST_REVENUE

NO_RATE = "missing:exchange_rate"
_TOO_LARGE = "check:net_revenue"
_AMOUNTS = ("gross_revenue", "tax", "net_revenue", "cost")


def convert_amounts(events: DataFrame, rates: DataFrame, *, currency: str) -> DataFrame:
    """Events with their amounts in `currency`, that of the lakehouse.

    In: mapped events with ``_reasons``; sources.exchange_rate, unique by its key. The rate is that of the UTC day on
    which the event happened, else of the last day before that has one. A line is rounded to cents, half to even, so
    that sums of lines are sums of what was written; its discount and its margin are differences. A line of which no
    rate is known keeps no amount but ``original_net_revenue``, and the reason ``missing:exchange_rate``: it is never
    taken for the lakehouse's currency.
    """
    day = F.to_date("occurred_at")
    named = F.col("currency")
    is_foreign = named.isNotNull() & (named != currency)
    spans = rates.select(
        F.col("currency").alias("_currency"),
        F.col("valid_on").alias("_from"),
        F.lead("valid_on")
        .over(Window.partitionBy("currency").orderBy("valid_on"))
        .alias("_before"),
        F.col("rate").alias("_rate"),
    )
    is_valid = (day >= F.col("_from")) & (F.col("_before").isNull() | (day < F.col("_before")))
    found = events.join(
        F.broadcast(spans), is_foreign & (named == F.col("_currency")) & is_valid, "left"
    )
    rate = F.col("_rate")
    amounts = {name: _converted(name, is_foreign) for name in _AMOUNTS}
    net = amounts["net_revenue"]
    amounts["discount"] = (amounts["gross_revenue"] - net).try_cast(MONEY)
    amounts["margin"] = (net - amounts["cost"]).try_cast(MONEY)
    changed = found.withColumns({**amounts, "exchange_rate": F.when(is_foreign, rate)})
    is_lost = is_foreign & F.col("original_net_revenue").isNotNull() & F.col("net_revenue").isNull()
    is_beyond = F.greatest(*(F.abs(name) for name in _AMOUNTS)) > MOST_REVENUE
    reason = F.when(is_lost, F.lit(NO_RATE)).when(is_beyond, F.lit(_TOO_LARGE))
    refused = reason.isNotNull() & (F.size("_reasons") == 0)
    return refuse_rows(changed, EVENT, refused, reason).select(*events.columns)


def _converted(name: str, is_foreign: Column) -> Column:
    product = F.bround(F.col(name) * F.col("_rate"), 2).try_cast(MONEY)
    return F.when(is_foreign, product).otherwise(F.col(name))
