"""What starts journeys: somebody enters an audience, does something, declines in value, has an anniversary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.audiences.moments.definitions import Happened, Moment

ORDER = "order"
CART_ABANDONED = "cart_abandoned"
_TRIGGER = "moment_id string, person_id string, triggered_on date"
_MONTHS_A_YEAR = 12


@dataclass(frozen=True)
class Evidence:
    """The tables that triggers and ends are read from, of the persons of today.

    Parameters
    ----------
    membership_events : audiences.membership_event.
    value_changes : clv.value_change.
    happenings : ``person_id, type, at`` of what persons did: order, cart_abandoned, types of history.interaction.
    first_purchases : ``person_id, first_purchase_on``.
    """

    membership_events: DataFrame
    value_changes: DataFrame
    happenings: DataFrame
    first_purchases: DataFrame


def list_triggers(
    evidence: Evidence, moments: Sequence[Moment], *, since: Mapping[str, date], until: date
) -> DataFrame:
    """``moment_id, person_id, triggered_on``: who may enter which moment on a day after `since` until `until`.

    In: by moment, the last day that has been looked at. What happens on a day is known on the next one. Whoever is not
    in the audiences of the moment on that day, or is in one of those excluded, is left out.
    """
    none = evidence.happenings.sparkSession.createDataFrame([], _TRIGGER)
    found = [_find(evidence, moment, since[moment.id], until) for moment in moments]
    triggers = reduce(DataFrame.unionByName, found, none)
    return _keep_members(triggers, evidence.membership_events, moments)


def list_abandoned_carts(sessions: DataFrame, orders: DataFrame) -> DataFrame:
    """``person_id, type, at`` of carts that nothing was ordered after on the same day, in whatever session.

    In: history.session; history.order.
    """
    carts = sessions.where("is_cart_abandoned AND person_id IS NOT NULL").select(
        "person_id",
        "started_at",
        F.col("ended_at").alias("at"),
        F.to_date("ended_at").alias("_day"),
    )
    bought = orders.where("is_purchase AND person_id IS NOT NULL")
    last = bought.groupBy("person_id", F.to_date("ordered_at").alias("_day")).agg(
        F.max("ordered_at").alias("_ordered_at")
    )
    ordered = F.coalesce(F.col("_ordered_at") >= F.col("started_at"), F.lit(False))
    kept = carts.join(last, on=["person_id", "_day"], how="left").where(~ordered)
    return kept.select("person_id", F.lit(CART_ABANDONED).alias("type"), "at")


def _find(evidence: Evidence, moment: Moment, since: date, until: date) -> DataFrame:
    """Triggers of one moment, whatever its audience."""
    trigger = moment.trigger
    if trigger.entered_audience is not None:
        entered = evidence.membership_events.where("transition = 'enter'").where(
            F.col("audience_id") == trigger.entered_audience.id
        )
        found = entered.select("person_id", F.col("happened_on").alias("triggered_on"))
    elif trigger.value_declines is not None:
        begun = evidence.value_changes.where("is_declining AND declining_since = as_of_date")
        found = begun.select("person_id", F.col("as_of_date").alias("triggered_on"))
    elif trigger.anniversary is not None:
        found = _list_anniversaries(evidence.first_purchases, since, until)
    else:
        assert trigger.happened is not None  # noqa: S101 - a trigger has exactly one key
        found = _list_days(evidence.happenings, trigger.happened, since, until)
    new = found.where(
        (F.col("triggered_on") > F.lit(since)) & (F.col("triggered_on") <= F.lit(until))
    )
    return new.select(F.lit(moment.id).alias("moment_id"), "person_id", "triggered_on").distinct()


def _list_days(happenings: DataFrame, rule: Happened, since: date, until: date) -> DataFrame:
    """``person_id, triggered_on``: the days after those on which something happened often enough."""
    day = F.to_date("at")
    earliest = since - timedelta(days=rule.within_days)
    recent = happenings.where(
        (F.col("type") == rule.type) & (day < F.lit(until)) & (day >= F.lit(earliest))
    )
    daily = recent.groupBy("person_id", day.alias("day")).agg(F.count(F.lit(1)).alias("times"))
    number = F.unix_date("day")
    span = Window.partitionBy("person_id").orderBy(number).rangeBetween(1 - rule.within_days, 0)
    often = daily.withColumn("_times", F.sum("times").over(span)).where(
        F.col("_times") >= rule.at_least
    )
    if rule.orders is not None:
        often = _keep_buyers(often, happenings, rule.orders)
    return often.select("person_id", F.date_add("day", 1).alias("triggered_on"))


def _keep_buyers(days: DataFrame, happenings: DataFrame, orders: int) -> DataFrame:
    """Days by the end of which their person had made exactly so many purchases in all."""
    bought = happenings.where(F.col("type") == ORDER).select(
        "person_id", F.to_date("at").alias("_on")
    )
    counted = days.join(bought, on="person_id", how="left").groupBy("person_id", "day")
    return counted.agg(F.count_if(F.col("_on") <= F.col("day")).alias("_orders")).where(
        F.col("_orders") == orders
    )


def _list_anniversaries(first_purchases: DataFrame, since: date, until: date) -> DataFrame:
    """The same day of a later year; of 29 February the 28th where there is none."""
    years = F.array(*(F.lit(year) for year in range(since.year, until.year + 1)))
    dated = first_purchases.select(
        "person_id", "first_purchase_on", F.explode(years).alias("_year")
    )
    age = F.col("_year") - F.year("first_purchase_on")
    return dated.where(age > 0).select(
        "person_id", F.add_months("first_purchase_on", age * _MONTHS_A_YEAR).alias("triggered_on")
    )


def _keep_members(triggers: DataFrame, events: DataFrame, moments: Sequence[Moment]) -> DataFrame:
    """Triggers whose person is in the audiences of the moment on that day, and in none of those excluded."""
    roles = [(m.id, name, 1) for m in moments for name in m.audiences]
    roles += [(m.id, name, 0) for m in moments for name in m.excluded_audiences]
    if not roles:
        return triggers
    named = triggers.sparkSession.createDataFrame(
        roles, "moment_id string, audience_id string, own int"
    )
    moves = events.join(F.broadcast(named), on="audience_id").select(
        "moment_id", "person_id", "own", "happened_on", count_move().alias("_move")
    )
    key = ["moment_id", "person_id", "triggered_on"]
    until_then = F.when(F.col("happened_on") <= F.col("triggered_on"), F.col("_move")).otherwise(0)
    of = {"_inside": F.col("own") == 1, "_outside": F.col("own") == 0}
    sums = [F.sum(F.when(role, until_then)).alias(name) for name, role in of.items()]
    known = triggers.join(moves, on=["moment_id", "person_id"], how="left").groupBy(*key).agg(*sums)
    needs = [m.id for m in moments if m.audiences]
    inside: Column = F.coalesce("_inside", F.lit(0)) > 0
    if needs:
        inside |= ~F.col("moment_id").isin(*needs)
    else:
        inside = F.lit(True)
    return known.where(inside & (F.coalesce("_outside", F.lit(0)) <= 0)).select(*key)


def count_move() -> Column:
    """1 for an entry, -1 for an exit: their sum is 1 while somebody is in an audience."""
    return F.when(F.col("transition") == "enter", 1).otherwise(-1)
