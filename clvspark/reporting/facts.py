"""Facts of the star schema; each is a few hundred rows whatever the number of persons."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.reporting.tables import (
    FACT_ACTIVATION,
    FACT_AUDIENCE_OVERLAP,
    FACT_CLV_DECILE,
    FACT_PROFILE,
    FACT_PROFILE_BY_AUDIENCE,
    FACT_RESPONSE,
)


def build_fact_profile(values: DataFrame, persons: DataFrame, *, as_of: date) -> DataFrame:
    """Persons by lifecycle stage; persons who never bought have the stage ``prospect``."""
    joined = persons.select("person_id", "records").join(values, on="person_id", how="left")
    return (
        joined.groupBy(F.coalesce("lifecycle_stage", F.lit("prospect")).alias("lifecycle_stage"))
        .agg(
            F.lit(as_of).alias("as_of_date"),
            F.count(F.lit(1)).alias("count_of_profiles"),
            F.count_if(F.col("records") == 1).alias("count_of_single_identity_profiles"),
            F.sum("records").alias("records"),
            F.coalesce(F.sum("residual_value"), F.lit(0.0)).alias("customer_equity"),
            F.coalesce(F.sum("historical_value"), F.lit(0.0)).alias("historical_value"),
        )
        .select(*FACT_PROFILE.names)
    )


def build_fact_profile_by_audience(estimates: DataFrame) -> DataFrame:
    """Estimates of the audiences as a fact."""
    return estimates.withColumnRenamed("profiles_matched", "count_of_profiles").select(
        *FACT_PROFILE_BY_AUDIENCE.names
    )


def build_fact_audience_overlap(members: DataFrame, *, as_of: date) -> DataFrame:
    """Persons in each pair of audiences, from ``audience_id, person_id``."""
    lists = members.groupBy("person_id").agg(
        F.array_sort(F.collect_set("audience_id")).alias("lists")
    )
    pairs = lists.select(F.explode("lists").alias("audience_id"), "lists")
    pairs = pairs.select("audience_id", F.explode("lists").alias("other_audience_id")).where(
        "audience_id < other_audience_id"
    )
    counted = pairs.groupBy("audience_id", "other_audience_id").agg(
        F.count(F.lit(1)).alias("count_of_profiles")
    )
    return counted.withColumn("as_of_date", F.lit(as_of)).select(*FACT_AUDIENCE_OVERLAP.names)


def build_fact_clv_decile(deciles: DataFrame, values: DataFrame, after: DataFrame) -> DataFrame:
    """Deciles added up.

    In: audiences.decile and clv.customer_value of one date; ``person_id, revenue_after``.
    """
    facts = values.select("person_id", "p_alive", "expected_purchases", "residual_value")
    joined = deciles.join(facts, on="person_id", how="left").join(after, on="person_id", how="left")
    return (
        joined.groupBy("as_of_date", "metric", "decile")
        .agg(
            F.count(F.lit(1)).alias("count_of_profiles"),
            F.sum("value").alias("value"),
            F.min("value").alias("min_value"),
            F.avg("p_alive").alias("p_alive"),
            F.avg("expected_purchases").alias("expected_purchases"),
            F.sum("residual_value").alias("residual_value"),
            F.coalesce(F.sum("revenue_after"), F.lit(0.0)).alias("revenue_after"),
        )
        .select(*FACT_CLV_DECILE.names)
    )


def build_fact_response(
    contacts: DataFrame, responses: DataFrame, deciles: DataFrame, *, as_of: date
) -> DataFrame:
    """Persons contacted and responding, by campaign and decile of CLV.

    In: ``person_id, campaign_id`` of contacts in the window; measurement.response and audiences.decile of one
    date. A person counts once for a campaign and kind of response.
    """
    kinds = {"email_opened": "opened", "email_clicked": "clicked", "coupon_redeemed": "redeemed"}
    contacted = contacts.select("person_id", "campaign_id", F.lit("contacted").alias("kind"))
    map_ = F.create_map(*(F.lit(part) for pair in kinds.items() for part in pair))
    answered = responses.select(
        "person_id", "campaign_id", F.element_at(map_, F.col("response_type")).alias("kind")
    )
    both = (
        contacted.unionByName(answered)
        .where("kind IS NOT NULL AND campaign_id IS NOT NULL")
        .distinct()
    )
    ranks = deciles.where("metric = 'clv'").select("person_id", F.col("decile").alias("clv_decile"))
    placed = both.join(ranks, on="person_id", how="left").fillna(0, subset=["clv_decile"])
    counts = [
        F.count_if(F.col("kind") == kind).alias(kind) for kind in ("contacted", *kinds.values())
    ]
    found = placed.groupBy("campaign_id", "clv_decile").agg(*counts)
    return found.withColumn("as_of_date", F.lit(as_of)).select(*FACT_RESPONSE.names)


def build_fact_activation(deliveries: DataFrame) -> DataFrame:
    """Deliveries as a fact."""
    return deliveries.select(*FACT_ACTIVATION.names)
