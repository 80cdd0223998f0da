"""Dimensions of the star schema."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.reporting.tables import (
    DIM_AUDIENCE,
    DIM_CAMPAIGN,
    DIM_CHANNEL,
    DIM_DATE,
    DIM_DESTINATION,
    DIM_PERSON_SEGMENT,
)


def build_dim_date(days: DataFrame) -> DataFrame:
    """Every calendar day from the first to the last of history.person_day."""
    span = days.agg(F.min("day").alias("first"), F.max("day").alias("last")).where(
        "first IS NOT NULL"
    )
    calendar = span.select(F.explode(F.sequence("first", "last")).alias("date"))
    return calendar.select(
        "date",
        F.year("date").alias("year"),
        F.quarter("date").alias("quarter"),
        F.month("date").alias("month"),
        F.extract(F.lit("YEAROFWEEK"), "date").cast("int").alias("iso_year"),
        F.weekofyear("date").alias("iso_week"),
        (F.weekday("date") + 1).alias("day_of_week"),
    ).select(*DIM_DATE.names)


def build_dim_audience(definitions: DataFrame) -> DataFrame:
    """The newest version of each audience."""
    columns = ["name", "description", "version", "owner"]
    newest = F.max_by(F.struct(*columns), "version").alias("newest")
    return (
        definitions.groupBy("audience_id")
        .agg(newest)
        .select("audience_id", "newest.*")
        .select(*DIM_AUDIENCE.names)
    )


def build_dim_campaign(campaigns: DataFrame) -> DataFrame:
    """The campaigns of sources.campaign."""
    return campaigns.select(*DIM_CAMPAIGN.names)


def build_dim_channel(orders: DataFrame, interactions: DataFrame) -> DataFrame:
    """Every channel of orders and interactions."""
    return (
        orders.select("channel")
        .unionByName(interactions.select("channel"))
        .distinct()
        .select(*DIM_CHANNEL.names)
    )


def build_dim_destination(deliveries: DataFrame) -> DataFrame:
    """Every destination of activation.delivery."""
    return (
        deliveries.groupBy("destination_id")
        .agg(F.min("as_of_date").alias("first_delivery_on"))
        .select(*DIM_DESTINATION.names)
    )


STAGES = {
    "new": "first purchase a short time ago",
    "growing": "buys, but not yet often",
    "core": "buys often",
    "slipping": "may have left",
    "lapsed": "has probably left",
    "unvalued": "has bought, but no model has valued them",
    "prospect": "known, but never bought",
}
"""Stages of the relationship in their order; the bounds are those of clv.lifecycle."""


def build_dim_person_segment(spark: SparkSession) -> DataFrame:
    """The stages of the relationship."""
    rows = [(name, n, text) for n, (name, text) in enumerate(STAGES.items(), 1)]
    return spark.createDataFrame(rows, DIM_PERSON_SEGMENT.schema)
