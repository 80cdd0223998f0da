"""Who is on a list that destinations are told of: members of audiences, steps of journeys, offers that were chosen.

A list of an audience has its name. That of a step is named ``<moment>.<step>``, that of an offer
``<decision point>.<offer>``: being added to one is what makes the sending system send.
"""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

_COLUMNS = ("audience_id", "person_id", "channel")


def list_audience_members(memberships: DataFrame) -> DataFrame:
    """``audience_id, person_id, channel`` of members, on whatever channel. In: audiences.membership."""
    realized = memberships.where("status = 'realized'")
    return realized.withColumn("channel", F.lit(None).cast("string")).select(*_COLUMNS)


def list_step_members(steps: DataFrame, journeys: DataFrame, *, as_of: date) -> DataFrame:
    """The same of who was sent a step and is still on the journey, on the channel of the step.

    In: audiences.journey_step; audiences.journey, whose person is that of today. Who bought, or whose journey has come
    to its end, leaves the lists of all of its steps; but for one that was sent late, on this very day.
    """
    day = F.lit(as_of)
    begun = journeys.where(F.col("entered_on") <= day)
    under_way = F.col("ended_on").isNull() | (F.col("ended_on") > day)
    is_late = (F.col("end_reason") == "completed") & (F.col("contacted_on") == day)
    sent = steps.where((F.col("status") == "sent") & (F.col("contacted_on") <= day))
    name = F.concat_ws(".", "moment_id", "step_id").alias("audience_id")
    both = sent.select("journey_id", name, "channel", "contacted_on").join(
        begun.select("journey_id", "person_id", "ended_on", "end_reason"), on="journey_id"
    )
    return both.where(under_way | is_late).select(*_COLUMNS)


def list_offer_members(decisions: DataFrame, *, as_of: date) -> DataFrame:
    """The same of who is made an offer on the date, on the channel of the decision. In: audiences.decision.

    An offer is open on its date alone: the day after, its list holds those who are chosen then.
    """
    made = decisions.where((F.col("as_of_date") == F.lit(as_of)) & F.col("channel").isNotNull())
    name = F.concat_ws(".", "decision_point", "offer_id").alias("audience_id")
    return made.select(name, "person_id", "channel")
