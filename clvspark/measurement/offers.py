"""What came of decisions: the sums that the posteriors of offers are learnt from."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import orders_that_stand
from clvspark.lakehouse.dates import day_of_acting
from clvspark.lakehouse.table import MONEY
from clvspark.measurement.tables import OFFER_OUTCOME


def choose_decisions(decisions: DataFrame, assigned: DataFrame, dealt: DataFrame) -> DataFrame:
    """Decisions that something can be learnt from, with ``decided_on``, the day on which they were told.

    In: audiences.decision; activation.assignment; activation.holdout; all of persons as they were then. An offer counts
    where a destination was told of it, which leaves out holdouts, suppressed addresses and offers that no destination
    sends. Doing nothing counts of everybody who is not held out: they could have been told something. A fallback went
    to whom nothing else could be offered, who are not like the others.
    """
    ranked = decisions.where("NOT is_fallback")
    told = assigned.where("split_group = 'treatment'").select(
        "audience_id", "person_id", "as_of_date"
    )
    name = F.concat_ws(".", "decision_point", "offer_id")
    offers = ranked.where("channel IS NOT NULL").withColumn("audience_id", name)
    made = offers.join(told, on=["audience_id", "person_id", "as_of_date"], how="left_semi")
    held = dealt.where("split_group = 'holdout'").select("person_id").distinct()
    nothing = ranked.where("channel IS NULL").join(held, on="person_id", how="left_anti")
    chosen = made.drop("audience_id").unionByName(nothing)
    return chosen.withColumn("decided_on", day_of_acting())


def sum_offer_outcomes(
    decisions: DataFrame,
    days: DataFrame,
    *,
    window_days: int,
    observed_until: date,
) -> DataFrame:
    """Trials, successes and margin by context, offer and day of decision.

    In: one row a decision, ``decision_id, person_id, context, offer_id, decided_on``, of persons as they are today;
    history.person_day; the first day not observed yet. Out: measurement.offer_outcome. Margin is that of ``[decided_on,
    decided_on + window_days)``, after the decision by whatever way, so that doing nothing is an offer like any other.
    A success is a purchase in the window. Only decisions whose window is over count, and each of them once: all sums
    of a day appear together and never change with the decisions of other days. Persons of whom two offers were
    decided on within one window have their margin in both; what is learnt are differences between offers.
    """
    ends = F.date_add("decided_on", window_days)
    over = decisions.where(ends <= F.lit(observed_until))
    bought = days.select("person_id", "day", "margin", orders_that_stand().alias("orders"))
    keys = ["decision_id", "person_id", "context", "offer_id", "decided_on"]
    within = (F.col("day") >= F.col("decided_on")) & (F.col("day") < ends)
    joined = over.select(*keys).join(bought, on="person_id", how="left")
    margin = F.sum(F.when(within, F.col("margin")))
    orders = F.sum(F.when(within, F.col("orders")))
    each = joined.groupBy(*keys).agg(
        F.coalesce(margin, F.lit(0)).cast(MONEY).alias("margin"),
        F.coalesce(orders > 0, F.lit(False)).alias("_bought"),
    )
    value = F.col("margin")
    summed = each.groupBy("context", "offer_id", "decided_on").agg(
        F.count(F.lit(1)).alias("trials"),
        F.count_if("_bought").alias("successes"),
        F.sum(value).cast(MONEY).alias("margin_sum"),
        F.sum(value * value).cast("decimal(38,4)").alias("margin_square_sum"),
    )
    return summed.select(*OFFER_OUTCOME.names)
