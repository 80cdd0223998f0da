"""Facts for finance: cohorts and their equity, acquisition, what led to orders, forecasts beside what came."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.tables import orders_that_stand, standing_purchases
from clvspark.lakehouse.table import MONEY
from clvspark.reporting.config import AcquisitionSpend
from clvspark.reporting.finance_tables import (
    FACT_ACQUISITION,
    FACT_ATTRIBUTION,
    FACT_COHORT_MONTH,
    FACT_CUSTOMER_EQUITY,
    FACT_FORECAST,
    FACT_SENSITIVITY,
    NO_CAMPAIGN,
)

_COHORT = ["cohort_month", "channel"]
_DAYS_PER_YEAR = 365.25


def find_first_purchases(orders: DataFrame, *, as_of: date) -> DataFrame:
    """``person_id, cohort_month, channel`` of who has bought before `as_of`: of the first purchase that stands.

    In: history.order.
    """
    bought = standing_purchases(_known(orders, as_of))
    first = F.min_by("channel", F.struct("ordered_at", "order_id")).alias("channel")
    return bought.groupBy("person_id").agg(
        F.trunc(F.min(F.to_date("ordered_at")), "month").alias("cohort_month"), first
    )


def build_fact_cohort_month(orders: DataFrame, first: DataFrame, *, as_of: date) -> DataFrame:
    """Orders and amounts of each cohort by its age; all changes of orders count in the month they happened.

    In: history.order; `find_first_purchases`. The amounts add up to those of all persons who have bought.
    """
    known = _known(orders, as_of)
    cancelled = known.where("row_type = 'cancellation'").select("order_id").distinct()
    marked = known.join(cancelled.withColumn("_cancelled", F.lit(True)), on="order_id", how="left")
    stands = F.col("is_purchase") & F.col("_cancelled").isNull()
    month = F.trunc("ordered_at", "month").alias("month")
    by_person = marked.groupBy("person_id", month).agg(
        F.count_if(stands).alias("orders"),
        F.sum("net_revenue").alias("net_revenue"),
        F.sum("margin").alias("margin"),
    )
    aged = by_person.join(first, on="person_id", how="inner").withColumn(
        # A refund of an order before the first that stands is of the cohort's beginning.
        "age_months", F.greatest(F.months_between("month", "cohort_month").cast("int"), F.lit(0))
    )  # fmt: skip
    sums = aged.groupBy(*_COHORT, "age_months").agg(
        F.count_if(F.col("orders") > 0).alias("active_customers"),
        F.sum("orders").alias("orders"),
        F.sum("net_revenue").cast(MONEY).alias("net_revenue"),
        F.sum("margin").cast(MONEY).alias("margin"),
    )
    return sums.withColumn("as_of_date", F.lit(as_of)).select(*FACT_COHORT_MONTH.names)


def build_fact_customer_equity(values: DataFrame, first: DataFrame, *, as_of: date) -> DataFrame:
    """Value of each cohort: what its customers have been worth, and what is expected of them.

    In: clv.customer_value of the date; `find_first_purchases`. Who is not valued, or is another person by now, is in
    neither.
    """
    valued = values.join(first, on="person_id", how="inner")
    sums = valued.groupBy(*_COHORT).agg(
        F.count(F.lit(1)).alias("customers"),
        F.coalesce(F.sum("p_alive"), F.lit(0.0)).alias("active_customers"),
        F.coalesce(F.sum("historical_value"), F.lit(0.0)).alias("historical_value"),
        F.sum("residual_value").alias("residual_value"),
        F.sum("clv").alias("clv"),
    )
    return sums.withColumn("as_of_date", F.lit(as_of)).select(*FACT_CUSTOMER_EQUITY.names)


def build_fact_acquisition(
    spend: Sequence[AcquisitionSpend], equity: DataFrame, cohorts: DataFrame, *, as_of: date
) -> DataFrame:
    """What each channel's spend acquired: the cohorts of the months it ran in, their value, and when it was paid back.

    In: facts of equity and of cohorts by month. Several entries of a channel are one, from the first day to the last.
    """
    spark = equity.sparkSession
    rows = [(one.channel, one.starts_on, one.ends_on, one.amount) for one in spend]
    paid = spark.createDataFrame(
        rows, f"channel string, starts_on date, ends_on date, amount {MONEY}"
    )
    paid = paid.groupBy("channel").agg(
        F.min("starts_on").alias("starts_on"),
        F.max("ends_on").alias("ends_on"),
        F.sum("amount").cast(MONEY).alias("spend"),
    )
    worth = (
        _within(equity, paid)
        .groupBy("channel")
        .agg(F.sum("customers").alias("new_customers"), F.sum("clv").alias("clv"))
    )
    by_age = (
        _within(cohorts, paid)
        .groupBy("channel", "age_months")
        .agg(F.sum("margin").alias("margin"), F.first("spend").alias("_spend"))
    )
    so_far = F.sum("margin").over(Window.partitionBy("channel").orderBy("age_months"))
    reached = F.when(F.col("_so_far") >= F.col("_spend"), F.col("age_months"))
    margins = (
        by_age.withColumn("_so_far", so_far)
        .groupBy("channel")
        .agg(F.sum("margin").cast(MONEY).alias("margin"), F.min(reached).alias("payback_months"))
    )
    found = paid.join(worth, on="channel", how="left").join(margins, on="channel", how="left")
    return (
        found.fillna(0, subset=["new_customers"])
        .withColumn("as_of_date", F.lit(as_of))
        .select(*FACT_ACQUISITION.names)
    )


def _within(facts: DataFrame, paid: DataFrame) -> DataFrame:
    """Cohorts of months that the spend of their channel ran in."""
    joined = facts.join(F.broadcast(paid), on="channel", how="inner")
    return joined.where(
        (F.col("cohort_month") >= F.trunc("starts_on", "month"))
        & (F.col("cohort_month") <= F.col("ends_on"))
    )


def list_ends(as_of: date, months: int) -> list[date]:
    """First days after each of so many months from `as_of` on."""
    found = []
    for count in range(1, months + 1):
        year, month = divmod(as_of.year * 12 + as_of.month - 1 + count, 12)
        # Of a month that is too short its last day, as Spark's add_months has it.
        found.append(date(year, month + 1, min(as_of.day, monthrange(year, month + 1)[1])))
    return found


def build_fact_forecast(
    expected: DataFrame,
    days: DataFrame,
    first: DataFrame,
    ends: Sequence[date],
    *,
    value: str,
    as_of: date,
    known_until: date | None,
) -> DataFrame:
    """What was expected of each month, and what the same customers brought in those that are over.

    In: ``span, customers, purchases, value`` of the spans that end before `ends`; history.person_day;
    `find_first_purchases`; `value` margin or revenue; `known_until` the last day that is known.
    """
    starts = [as_of, *ends[:-1]]
    spark = expected.sparkSession
    rows = [(n, *span) for n, span in enumerate(zip(starts, ends, strict=True))]
    months = spark.createDataFrame(rows, "span int, month_starts_on date, ends_before date")
    after = days.where((F.col("day") >= F.lit(as_of)) & (F.col("day") < F.lit(ends[-1])))
    theirs = after.join(first.select("person_id"), on="person_id", how="left_semi")
    bought = F.count_if(orders_that_stand() > 0).alias("actual_purchases")
    amount = F.sum("net_revenue" if value == "revenue" else "margin").cast(MONEY)
    by_day = theirs.groupBy("day").agg(bought, amount.alias("actual_value"))
    inside = (F.col("day") >= F.col("month_starts_on")) & (F.col("day") < F.col("ends_before"))
    came = by_day.join(F.broadcast(months), on=inside, how="inner")
    came = came.groupBy("span").agg(
        F.sum("actual_purchases").alias("actual_purchases"),
        F.sum("actual_value").alias("actual_value"),
    )
    over = F.col("ends_before") <= F.date_add(F.lit(known_until).cast("date"), 1)
    joined = months.join(expected, on="span", how="inner").join(came, on="span", how="left")
    columns = {
        "as_of_date": F.lit(as_of),
        "expected_purchases": F.round("purchases", 6),
        "expected_value": F.round("value", 6),
        "actual_purchases": _where(over, F.coalesce("actual_purchases", F.lit(0)), "bigint"),
        "actual_value": _where(over, F.coalesce("actual_value", F.lit(0)), MONEY),
    }
    return joined.withColumns(columns).select(*FACT_FORECAST.names)


def _where(condition: Column, value: Column, kind: str) -> Column:
    return F.when(condition, value).cast(kind)


def build_fact_sensitivity(
    forecast: DataFrame, horizons: Sequence[int], rates: Sequence[float], *, as_of: date
) -> DataFrame:
    """Customer equity of each horizon and discount rate, from the expected value of each month.

    The value of a month is discounted from its middle, $(1 + r)^{-t}$ with t in years of 365.25 days; a horizon is that
    many months.
    """
    middle = (
        F.date_diff("month_starts_on", F.lit(as_of))
        + F.date_diff("ends_before", "month_starts_on") / 2
    )
    number = F.months_between("month_starts_on", F.lit(as_of)).cast("int") + 1
    flows = forecast.select(
        number.alias("_month"), (middle / _DAYS_PER_YEAR).alias("_years"), "expected_value"
    )
    grid = forecast.sparkSession.createDataFrame(
        [(months, float(rate)) for months in horizons for rate in rates],
        "horizon_months int, annual_discount_rate double",
    )
    within = F.col("_month") <= F.col("horizon_months")
    growth = F.pow(1 + F.col("annual_discount_rate"), -F.col("_years"))
    equity = F.round(F.sum(F.col("expected_value") * growth), 6).alias("customer_equity")
    cells = flows.join(F.broadcast(grid), on=within, how="inner")
    sums = cells.groupBy("horizon_months", "annual_discount_rate").agg(equity)
    return sums.withColumn("as_of_date", F.lit(as_of)).select(*FACT_SENSITIVITY.names)


def build_fact_attribution(attribution: DataFrame, *, as_of: date) -> DataFrame:
    """Credits of orders placed before `as_of` by method, channel and campaign, exact to the cent.

    In: history.attribution, in which orders are what they have come to at its run.
    """
    cell = ["method", "touchpoint_channel", "campaign_id"]
    known = attribution.where(F.to_date("ordered_at") < F.lit(as_of)).withColumns(
        {
            "touchpoint_channel": F.col("channel"),
            "campaign_id": F.coalesce("campaign_id", F.lit(NO_CAMPAIGN)),
            "net_revenue": F.col("attributed_revenue"),
            "margin": F.col("attributed_margin"),
        }
    )
    names = ("credit", "net_revenue", "margin")
    # By person first, as a distinct count beside sums would multiply the rows.
    by_person = known.groupBy(*cell, "person_id").agg(*(F.sum(n).alias(n) for n in names))
    sums = by_person.groupBy(*cell).agg(
        F.count(F.lit(1)).alias("persons"),
        F.sum("credit").cast("double").alias("orders"),
        *(F.sum(name).cast(MONEY).alias(name) for name in names[1:]),
    )
    return sums.withColumn("as_of_date", F.lit(as_of)).select(*FACT_ATTRIBUTION.names)


def _known(orders: DataFrame, as_of: date) -> DataFrame:
    """What persons ordered and changed before `as_of`."""
    return orders.where((F.to_date("ordered_at") < F.lit(as_of)) & F.col("person_id").isNotNull())
