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


def build_fact_clv_decile(
    deciles: DataFrame, values: DataFrame, after: DataFrame | None, *, days_observed: int
) -> DataFrame:
    """Deciles added up.

    In: audiences.decile and clv.customer_value of one date; ``person_id, revenue_after``, None before the window
    after the date has been observed to its end: what came in is not known then.
    """
    facts = values.select(
        "person_id", "p_alive", "expected_purchases", "residual_value", "historical_value"
    )
    joined = deciles.join(facts, on="person_id", how="left")
    came = F.lit(None).cast("double")
    if after is not None:
        joined = joined.join(after, on="person_id", how="left")
        came = F.coalesce(F.sum("revenue_after"), F.lit(0.0))
    return (
        joined.groupBy("as_of_date", "metric", "decile")
        .agg(
            F.count(F.lit(1)).alias("count_of_profiles"),
            F.sum("value").alias("value"),
            F.min("value").alias("min_value"),
            F.avg("p_alive").alias("p_alive"),
            F.avg("expected_purchases").alias("expected_purchases"),
            F.sum("historical_value").alias("historical_value"),
            F.sum("residual_value").alias("residual_value"),
            came.alias("revenue_after"),
            F.lit(days_observed).alias("days_observed"),
        )
        .select(*FACT_CLV_DECILE.names)
    )


_RESPONSES = {"email_opened": "opened", "email_clicked": "clicked", "coupon_redeemed": "redeemed"}


def build_fact_response(
    contacts: DataFrame,
    responses: DataFrame,
    deciles: DataFrame,
    *,
    as_of: date,
    days_observed: int,
) -> DataFrame:
    """Persons contacted, and what they did, by campaign and decile of CLV.

    In: ``person_id, campaign_id`` of contacts in the window; measurement.response and audiences.decile of one
    date. Every campaign has a row for each decile, of zeros where nobody was contacted. A person counts once for
    a campaign and kind of response; who responded without having been contacted is counted apart, so that a rate
    is of the people it is divided by.
    """
    key = ["campaign_id", "person_id"]
    contacted = contacts.select(*key).distinct().withColumn("_contacted", F.lit(True))
    did = [F.max(F.col("response_type") == kind).alias(name) for kind, name in _RESPONSES.items()]
    answered = responses.where(F.col("response_type").isin(*_RESPONSES)).groupBy(*key).agg(*did)
    ranks = deciles.where("metric = 'clv'").select("person_id", F.col("decile").alias("clv_decile"))
    persons = (
        contacted.join(answered, on=key, how="full_outer")
        .where("campaign_id IS NOT NULL")
        .join(ranks, on="person_id", how="left")
        .fillna(0, subset=["clv_decile"])
        .fillna(False, subset=["_contacted", *_RESPONSES.values()])
    )
    counted = persons.groupBy("campaign_id", "clv_decile").agg(
        F.count_if("_contacted").alias("contacted"),
        *(
            F.count_if(F.col("_contacted") & F.col(name)).alias(name)
            for name in _RESPONSES.values()
        ),
        F.count_if(~F.col("_contacted")).alias("responded_not_contacted"),
    )
    tenths = F.explode(F.sequence(F.lit(1), F.lit(10))).alias("clv_decile")
    every = persons.select("campaign_id").distinct().select("campaign_id", tenths)
    found = every.join(counted, on=["campaign_id", "clv_decile"], how="full_outer").fillna(0)
    return found.withColumns(
        {"as_of_date": F.lit(as_of), "days_observed": F.lit(days_observed)}
    ).select(*FACT_RESPONSE.names)


def build_fact_activation(deliveries: DataFrame) -> DataFrame:
    """Deliveries as a fact."""
    return deliveries.select(*FACT_ACTIVATION.names)
