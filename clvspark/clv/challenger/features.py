"""What was known of a person on a date: purchases, channels, categories, contacts, surveys, stage; as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.clv.challenger.categories import CATEGORY_FEATURES, category_features
from clvspark.clv.challenger.stages import STAGE_FEATURE, Stages, stage_features
from clvspark.clv.fit import Value
from clvspark.history.tables import days_as_known, standing_purchases

LOOK_BACKS = (30, 91, 182)
"""Days before the date in which purchases, spend and contacts are counted."""

NEVER = -1.0
"""Days since, or score of, what has not happened: apart from all values that are, which is all a tree asks."""

_CONTACTS = {
    "visits": "visit",
    "emails": "email_sent",
    "coupons": "coupon_redeemed",
    "calls": "call",
}
_RESPONSES = ("email_opened", "email_clicked")
_SINCE = ("since_purchase", "since_store", "since_elsewhere", "since_contact")
FEATURES = (
    *("tenure", "purchase_days", "spend", "spend_a_day", "interval", "overdue", "refunds"),
    *(f"purchases_{days}" for days in LOOK_BACKS),
    *(f"spend_{days}" for days in LOOK_BACKS),
    *("channels", "store_share", *_SINCE),
    *(f"{name}_{days}" for name in _CONTACTS for days in LOOK_BACKS),
    *("response_rate", "survey_score"),
    *CATEGORY_FEATURES,
    STAGE_FEATURE,
)


def build_features(
    days: DataFrame,
    orders: DataFrame,
    interactions: DataFrame,
    answers: DataFrame,
    *,
    dates: Sequence[date],
    value: Value,
    categories: DataFrame | None = None,
    stages: Stages | None = None,
) -> DataFrame:
    """Features of every person who had bought, on each of the dates, by what happened before it alone.

    In: history.person_day, history.order, history.interaction, and ``person_id, answered_at, score`` of surveys; rows
    of `list_categories`; how relationships stood. Where either of these is None its features are `NEVER`. Out:
    ``person_id, features_on`` and `FEATURES` (double), one row a person and date. Times are in days, spend in the
    lakehouse currency. An order that was cancelled before the date is no purchase.
    """
    known = days_as_known(days, orders)
    bought = standing_purchases(_before(orders, F.to_date("ordered_at"), dates), by=["features_on"])
    parts = [
        _purchase_features(_before(known, F.col("known_on"), dates), value),
        _channel_features(bought),
        _contact_features(_before(interactions, F.to_date("occurred_at"), dates)),
        _survey_features(_before(answers, F.to_date("answered_at"), dates)),
    ]
    if categories is not None:
        parts.append(category_features(bought, categories, dates=dates))
    if stages is not None:
        parts.append(stage_features(stages, days, orders, dates=dates))
    key = ["person_id", "features_on"]
    joined = reduce(lambda left, right: left.join(right, on=key, how="left"), parts)
    absent = {name: F.lit(None).cast("double") for name in FEATURES if name not in joined.columns}
    joined = joined.withColumns(absent)
    never = [*_SINCE, *CATEGORY_FEATURES, STAGE_FEATURE, "survey_score", "interval", "overdue"]
    filled = joined.fillna(NEVER, subset=never).fillna(0.0, subset=list(FEATURES))
    return filled.select(*key, *FEATURES)


def _before(rows: DataFrame, day: Column, dates: Iterable[date]) -> DataFrame:
    """Rows of known persons for each date after them, with ``ago``: days since; 1 is the day before."""
    dated = rows.where("person_id IS NOT NULL").withColumn(
        "features_on", F.explode(F.array(*(F.lit(one) for one in sorted(set(dates)))))
    )
    return dated.withColumn("ago", F.date_diff("features_on", day)).where("ago > 0")


def _number(column: Column) -> Column:
    return column.cast("double")


def _purchase_features(past: DataFrame, value: Value) -> DataFrame:
    """Tenure, frequency and spend; `overdue`: mean intervals between purchase days since the last one.

    In: rows of `days_as_known` that are known before each date.
    """
    money = F.col("margin" if value == "margin" else "net_revenue")
    sums = [F.sum(name).alias(name) for name in ("orders", "refunds", "net_revenue", "margin")]
    stood = past.groupBy("person_id", "features_on", "day").agg(*sums)
    stood = stood.withColumn("ago", F.date_diff("features_on", "day"))
    bought = F.col("orders") > 0
    recent = {
        name: column
        for days in LOOK_BACKS
        for name, column in (
            (f"purchases_{days}", F.count_if(bought & (F.col("ago") <= days))),
            (f"spend_{days}", F.sum(F.when(F.col("ago") <= days, money))),
        )
    }
    counted = stood.groupBy("person_id", "features_on").agg(
        _number(F.max(F.when(bought, F.col("ago")))).alias("tenure"),
        _number(F.min(F.when(bought, F.col("ago")))).alias("since_purchase"),
        _number(F.count_if(bought)).alias("purchase_days"),
        _number(F.sum(money)).alias("spend"),
        _number(F.sum("refunds")).alias("refunds"),
        *(_number(column).alias(name) for name, column in recent.items()),
    )
    repeats = F.col("purchase_days") - 1
    interval = F.when(repeats > 0, (F.col("tenure") - F.col("since_purchase")) / repeats)
    known = counted.where("purchase_days > 0").withColumn("interval", interval)
    return known.withColumns(
        {
            "spend_a_day": F.col("spend") / F.col("purchase_days"),
            "overdue": F.col("since_purchase") / F.col("interval"),
        }
    )


def _channel_features(bought: DataFrame) -> DataFrame:
    """How many channels were bought in, the share of orders in stores, and when last in a store and elsewhere."""
    in_store = F.col("store_id").isNotNull()
    return bought.groupBy("person_id", "features_on").agg(
        _number(F.count_distinct("channel")).alias("channels"),
        (_number(F.count_if(in_store)) / F.count(F.lit(1))).alias("store_share"),
        _number(F.min(F.when(in_store, F.col("ago")))).alias("since_store"),
        _number(F.min(F.when(~in_store, F.col("ago")))).alias("since_elsewhere"),
    )


def _contact_features(past: DataFrame) -> DataFrame:
    """Contacts by type and look-back; `response_rate`: opened or clicked e-mails to those sent, in the longest one."""
    kind, ago = F.col("interaction_type"), F.col("ago")
    recent = [
        _number(F.count_if((kind == one) & (ago <= days))).alias(f"{name}_{days}")
        for name, one in _CONTACTS.items()
        for days in LOOK_BACKS
    ]
    longest = LOOK_BACKS[-1]
    sent = F.count_if((kind == "email_sent") & (ago <= longest))
    answered = F.count_if(kind.isin(*_RESPONSES) & (ago <= longest))
    return past.groupBy("person_id", "features_on").agg(
        *recent,
        F.when(sent > 0, _number(answered) / sent).alias("response_rate"),
        _number(F.min("ago")).alias("since_contact"),
    )


def _survey_features(past: DataFrame) -> DataFrame:
    """The newest score; of those of one day the lowest."""
    newest = F.min_by("score", F.struct("ago", "score"))
    return past.groupBy("person_id", "features_on").agg(_number(newest).alias("survey_score"))
