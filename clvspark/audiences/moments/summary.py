"""What came of each moment on a date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.tables import MOMENT


def summarise_moments(
    journeys: DataFrame,
    steps: DataFrame,
    moments: Sequence[Moment],
    *,
    since: Column,
    as_of: date,
    settled_on: date,
) -> DataFrame:
    """Every configured moment, as audiences.moment; one that nobody is in has zeros.

    In: audiences.journey after the date; audiences.journey_step of the date; the date of the moment before it; the last
    date whose days were over.
    """
    described = [
        (m.id, m.version, m.name, f"{m.goal.measure} within {m.goal.within_days} days")
        for m in moments
    ]
    named = journeys.sparkSession.createDataFrame(
        described, "moment_id string, version int, name string, goal string"
    )
    counts = journeys.groupBy("moment_id").agg(
        F.count_if(F.col("ended_on").isNull()).alias("active"),
        F.count_if(F.col("entered_on") > since).alias("entered"),
        F.count_if(F.col("ended_on") > since).alias("ended"),
    )
    sent = steps.groupBy("moment_id").agg(
        F.count_if(F.col("status") == "sent").alias("sent"),
        F.count_if(F.col("status") == "left_out").alias("left_out"),
    )
    numbers = ("active", "entered", "ended", "sent", "left_out")
    found = named.join(counts, on="moment_id", how="left").join(sent, on="moment_id", how="left")
    return (
        found.withColumns({"as_of_date": F.lit(as_of), "settled_on": F.lit(settled_on)})
        .fillna(0, subset=[*numbers])
        .select(*MOMENT.names)
    )
