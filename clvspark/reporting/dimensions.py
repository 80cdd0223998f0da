"""Dimensions of the star schema."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.reporting.tables import DIM_AUDIENCE, DIM_CAMPAIGN, DIM_CHANNEL, DIM_DATE


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
