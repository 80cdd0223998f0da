"""Key figures of each month: acquisition, activity, retention, churn, spend and advocacy, over all and by channel."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.config import KpiConfig
from clvspark.history.surveys import is_detractor, is_promoter
from clvspark.history.tables import (
    ALL_CHANNELS,
    EVERY_CHANNEL,
    KPI,
    ONE_CHANNEL,
)
from clvspark.lakehouse.table import MONEY

# A channel of NULL is all of them: no channel can be called so.
_CELL = ["channel", "month"]
_IS_TOTAL = "channel IS NULL"


def tabulate_kpis(
    orders: DataFrame, answers: DataFrame, *, as_of: date, config: KpiConfig
) -> DataFrame:
    """Key figures of the last whole months before `as_of`.

    In: history.order; rows of `name_answers`. Out: history.kpi. A figure that cannot be told, as the retention of
    nobody, has no row. Orders are those of persons.
    """
    # Kept: all figures are counted from it.
    bought = list_purchases(orders, as_of=as_of).localCheckpoint(eager=False)
    figures = (
        count_new_customers(bought),
        measure_purchases(bought, as_of=as_of, config=config),
        measure_satisfaction(answers, bought, as_of=as_of, config=config),
    )
    months = list_months(as_of, config.months)
    found = reduce(DataFrame.unionByName, figures).where(F.col("month").isin(*months))
    grain = F.when(F.expr(_IS_TOTAL), ALL_CHANNELS).otherwise(ONE_CHANNEL)
    columns = {
        "as_of_date": F.lit(as_of),
        "period_starts_on": F.col("month"),
        "grain": grain,
        "channel": F.coalesce("channel", F.lit(EVERY_CHANNEL)),
    }
    return found.where("value IS NOT NULL").withColumns(columns).select(*KPI.names)


def list_months(as_of: date, count: int) -> list[date]:
    """First days of the last `count` whole months before `as_of`, the earliest first."""
    newest = as_of.year * 12 + as_of.month - 2
    return [date(n // 12, n % 12 + 1, 1) for n in range(newest - count + 1, newest + 1)]


def list_purchases(orders: DataFrame, *, as_of: date) -> DataFrame:
    """Purchase days of persons before `as_of`, in each channel and over all.

    In: history.order. Out: ``person_id, channel, day, month, orders, revenue``, the channel NULL over all, and the
    channel of the day's first order, ``opened_in``. Days are UTC days, as in all histories.
    """
    placed = net_orders(orders, as_of=as_of).withColumn("channel", _each_and_total("opened_in"))
    by_day = placed.groupBy("person_id", "channel", "day").agg(
        F.count(F.lit(1)).alias("orders"),
        F.sum("revenue").alias("revenue"),
        F.min_by("opened_in", F.struct("ordered_at", "order_id")).alias("opened_in"),
    )
    return by_day.withColumn("month", F.trunc("day", "month"))


def net_orders(orders: DataFrame, *, as_of: date) -> DataFrame:
    """Orders of persons that stand before `as_of`, each with all that it has come to by then.

    In: history.order. Out: one row an order: ``order_id, person_id, ordered_at, day, opened_in`` (its channel) and
    ``revenue``, what was paid for it less what was refunded and taken back by updates, whoever had it refunded. An
    order that was cancelled is none, and what was refunded of an order that is not there is no order's.
    """
    is_purchase = F.col("is_purchase")
    bought = F.struct("person_id", "ordered_at", F.col("channel").alias("opened_in"))
    sums = (
        orders.where(F.to_date("ordered_at") < F.lit(as_of))
        .groupBy("order_id")
        .agg(
            F.max(F.when(is_purchase, bought)).alias("_bought"),
            F.sum("net_revenue").cast(MONEY).alias("revenue"),
            F.bool_or(F.col("row_type") == "cancellation").alias("_is_cancelled"),
        )
    )
    standing = sums.where("NOT _is_cancelled AND _bought.person_id IS NOT NULL")
    day = F.to_date("_bought.ordered_at").alias("day")
    return standing.select("order_id", "_bought.*", day, "revenue")


def count_new_customers(bought: DataFrame) -> DataFrame:
    """``new_customers``: persons whose first purchase ever is of the month, by the channel of that purchase.

    In: rows of `list_purchases`. Out: ``channel, month, kpi, value``.
    """
    first = (
        bought.where(_IS_TOTAL)
        .groupBy("person_id")
        .agg(F.min("month").alias("month"), F.min_by("opened_in", "day").alias("_opened_in"))
    )
    placed = first.withColumn("channel", _each_and_total("_opened_in"))
    counts = placed.groupBy(*_CELL).agg(F.count(F.lit(1)).cast("double").alias("new_customers"))
    return _by_kpi(counts, ["new_customers"])


def measure_purchases(bought: DataFrame, *, as_of: date, config: KpiConfig) -> DataFrame:
    """Figures of activity, loyalty and spend; of a channel they look at purchases in that channel alone.

    In: rows of `list_purchases`. Out: ``channel, month, kpi, value``.

    - ``active_customers``: persons who bought in the month. ``orders``, ``revenue``: what they bought, and what it has
      come to by `as_of` (`net_orders`): what is left of orders that were refunded or changed, without cancelled ones.
    - ``average_order_value``: revenue / orders. ``purchase_frequency``: orders / active customers.
    - ``repeat_rate``: share of the active customers who had ordered twice or more by the end of the month.
    - ``retention_rate``: share of those who bought in the month before who bought in this month too.
    - ``churn_rate``: share of the customers at the beginning of the month, who had bought within ``active_days``,
      whose ``active_days`` ran out in the month without another purchase.
    """
    counted = _count_by_month(_follow_purchases(bought, config.active_days))
    dense = counted.unionByName(_every_month(bought, as_of, config), allowMissingColumns=True)
    sums = [name for name in counted.columns if name not in _CELL]
    totals = dense.groupBy(*_CELL).agg(*(F.coalesce(F.sum(n), F.lit(0)).alias(n) for n in sums))
    # A row a channel and month: small, whatever the number of customers.
    order = Window.partitionBy("channel").orderBy("month")
    before = order.rowsBetween(Window.unboundedPreceding, -1)
    at_start = F.coalesce(F.sum(F.col("_activated") - F.col("_lapsed")).over(before), F.lit(0))
    of_month_before = F.col("month") == F.add_months(F.lag("month").over(order), 1)
    active_before = F.when(of_month_before, F.lag("active_customers").over(order))
    measured = totals.withColumns({"_at_start": at_start, "_active_before": active_before})
    shares = {
        "average_order_value": ("revenue", "orders"),
        "purchase_frequency": ("orders", "active_customers"),
        "repeat_rate": ("_repeating", "active_customers"),
        "retention_rate": ("_retained", "_active_before"),
        "churn_rate": ("_lapsed", "_at_start"),
    }
    measured = measured.withColumns({name: _share(*parts) for name, parts in shares.items()})
    return _by_kpi(measured, ["active_customers", "orders", "revenue", *shares])


def _follow_purchases(bought: DataFrame, active_days: int) -> DataFrame:
    """Purchase days with what they change: 1 where one opens a month, keeps, activates, or is the last for long."""
    order = Window.partitionBy("person_id", "channel").orderBy("day")
    previous, following = F.lag("day").over(order), F.lead("day").over(order)
    seen = bought.withColumns(
        {
            "_previous": previous,
            "_next": following,
            "_so_far": F.sum("orders").over(order.rowsBetween(Window.unboundedPreceding, 0)),
        }
    )
    last_month, next_month = (F.trunc(day, "month") for day in ("_previous", "_next"))
    opens = F.coalesce(last_month < F.col("month"), F.lit(True))
    closes = F.coalesce(next_month > F.col("month"), F.lit(True))
    kept = opens & (last_month == F.add_months("month", -1))
    since, until = F.date_diff("day", "_previous"), F.date_diff("_next", "day")
    flags = {
        "active_customers": opens,
        "_retained": kept,
        "_repeating": closes & (F.col("_so_far") >= 2),
        "_activated": F.coalesce(since > active_days, F.lit(True)),
        "_lapsed": F.coalesce(until > active_days, F.lit(True)),
    }
    ones = {name: F.coalesce(flag, F.lit(False)).cast("int") for name, flag in flags.items()}
    lapses_in = F.trunc(F.date_add("day", active_days), "month")
    return seen.withColumns({**ones, "_lapses_in": lapses_in})


def _count_by_month(followed: DataFrame) -> DataFrame:
    names = ("orders", "revenue", "active_customers", "_retained", "_repeating", "_activated")
    sums = followed.groupBy(*_CELL).agg(*(F.sum(name).alias(name) for name in names))
    lapses = followed.groupBy("channel", F.col("_lapses_in").alias("month")).agg(
        F.sum("_lapsed").alias("_lapsed")
    )
    return sums.unionByName(lapses, allowMissingColumns=True)


def _every_month(bought: DataFrame, as_of: date, config: KpiConfig) -> DataFrame:
    """Each channel in each month, and in the one before, so that months in which nobody bought are there."""
    months = list_months(as_of, config.months + 1)
    every = F.explode(F.array(*(F.lit(month) for month in months))).alias("month")
    return bought.select("channel").distinct().select("channel", every)


def measure_satisfaction(
    answers: DataFrame, bought: DataFrame, *, as_of: date, config: KpiConfig
) -> DataFrame:
    """Figures of advocacy, and of behaviour beside it, by the channel of the survey.

    In: rows of `name_answers` and `list_purchases`. Out: ``channel, month, kpi, value``.

    - ``survey_answers``, ``mean_score``: answers of the month and the mean of their scores, 0 to 10.
    - ``nps``: percentage of promoters - percentage of detractors among these answers (Reichheld 2003).
    - ``active_share_of_promoters``, ``active_share_of_detractors``: share of their answers whose person had bought
      within ``active_days`` by the end of the month.
    """
    known = answers.where(F.col("answered_on") < F.lit(as_of))
    known = known.withColumn("month", F.trunc("answered_on", "month"))
    days = bought.where(_IS_TOTAL).select("person_id", "day")
    ends = F.add_months("month", 1)
    is_active = F.col("day").between(F.date_sub(ends, config.active_days), F.date_sub(ends, 1))
    behaved = (
        known.join(days, on="person_id", how="left")
        .groupBy("response_id", "month", "channel", "score")
        .agg(F.coalesce(F.max(is_active), F.lit(False)).cast("double").alias("_active"))
    )
    placed = behaved.withColumn("channel", _each_and_total("channel"))
    promoter, detractor = is_promoter(), is_detractor()
    leaning = promoter.cast("int") - detractor.cast("int")
    sums = placed.groupBy(*_CELL).agg(
        F.count(F.lit(1)).cast("double").alias("survey_answers"),
        F.mean("score").alias("mean_score"),
        (100 * F.mean(leaning)).alias("nps"),
        F.mean(F.when(promoter, F.col("_active"))).alias("active_share_of_promoters"),
        F.mean(F.when(detractor, F.col("_active"))).alias("active_share_of_detractors"),
    )
    return _by_kpi(sums, [name for name in sums.columns if name not in _CELL])


def _each_and_total(channel: str) -> Column:
    """Two rows: of the channel, and of all channels."""
    return F.explode(F.array(channel, F.lit(None).cast("string")))


def _share(part: str, whole: str) -> Column:
    """NULL of nothing."""
    return F.try_divide(F.col(part).cast("double"), F.col(whole).cast("double"))


def _by_kpi(figures: DataFrame, names: list[str]) -> DataFrame:
    doubles = figures.select(*_CELL, *(F.col(name).cast("double").alias(name) for name in names))
    return doubles.unpivot([*_CELL], [*names], "kpi", "value")
