"""Facts of the star schema; each is a few hundred rows whatever the number of persons."""

from __future__ import annotations

from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.history.tables import standing_orders
from clvspark.reporting.tables import (
    FACT_ACTIVATION,
    FACT_AUDIENCE_OVERLAP,
    FACT_CLV_DECILE,
    FACT_PROFILE,
    FACT_PROFILE_BY_AUDIENCE,
    FACT_RESPONSE,
    FACT_RESPONSE_BY_AUDIENCE,
)


def build_fact_profile(
    values: DataFrame, persons: DataFrame, days: DataFrame, *, as_of: date
) -> DataFrame:
    """Persons by lifecycle stage; ``prospect``: no order stands; ``unvalued``: bought, but no model has valued them.

    In: clv.customer_value of the date; ``person_id, records`` of everyone known on it; history.person_day. Every value
    is counted, also that of a person whose records are another's by then.
    """
    # Of all days so far, the orders that nobody has cancelled since.
    past = days.where(F.col("day") < F.lit(as_of)).groupBy("person_id")
    buyers = past.agg(standing_orders().alias("_orders")).where("_orders > 0")
    buyers = buyers.select("person_id", F.lit("unvalued").alias("_bought"))
    joined = persons.select("person_id", "records").join(values, on="person_id", how="full_outer")
    joined = joined.join(buyers, on="person_id", how="left")
    stage = F.coalesce("lifecycle_stage", "_bought", F.lit("prospect"))
    is_valued = F.col("lifecycle_stage") != "unvalued"
    facts = joined.groupBy(stage.alias("lifecycle_stage")).agg(
        F.lit(as_of).alias("as_of_date"),
        F.count(F.lit(1)).alias("count_of_profiles"),
        F.count_if(F.col("records") == 1).alias("count_of_single_identity_profiles"),
        F.coalesce(F.sum("records"), F.lit(0)).cast("bigint").alias("records"),
        F.coalesce(F.sum("residual_value"), F.lit(0.0)).alias("customer_equity"),
        F.coalesce(F.sum("historical_value"), F.lit(0.0)).alias("historical_value"),
    )
    unknown = {
        name: F.when(is_valued, F.col(name)) for name in ("customer_equity", "historical_value")
    }
    return facts.withColumns(unknown).select(*FACT_PROFILE.names)


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

    In: audiences.decile and clv.customer_value of one date; ``metric, decile, revenue_after`` of `sum_by_decile`, None
    before the window after the date has been observed to its end: what came in is not known then.
    """
    facts = values.select(
        "person_id",
        "p_alive",
        "expected_purchases",
        "residual_value",
        "historical_value",
        "horizon_days",
    )
    joined = deciles.join(facts, on="person_id", how="left")
    came = F.lit(None).cast("double")
    if after is not None:
        joined = joined.join(F.broadcast(after), on=["metric", "decile"], how="left")
        came = F.coalesce(F.first("revenue_after"), F.lit(0.0))
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
            F.max("horizon_days").alias("horizon_days"),
        )
        .select(*FACT_CLV_DECILE.names)
    )


def sum_by_decile(revenue: DataFrame, ranks: DataFrame) -> DataFrame:
    """``metric, decile, revenue_after``: what came in of the persons of each decile.

    In: ``person_id, revenue_after``; ``person_id, metric, decile`` of persons of today.
    """
    joined = ranks.join(revenue, on="person_id")
    return joined.groupBy("metric", "decile").agg(F.sum("revenue_after").alias("revenue_after"))


_RESPONSES = {"email_opened": "opened", "email_clicked": "clicked", "coupon_redeemed": "redeemed"}


def build_fact_response(
    contacts: DataFrame,
    responses: DataFrame,
    ranks: DataFrame,
    *,
    as_of: date,
    days_observed: int,
) -> DataFrame:
    """Persons contacted, and what they did, by campaign and decile of CLV.

    In: ``person_id, campaign_id`` of contacts in the window; measurement.response and ``person_id, metric, decile`` of
    one date. Every campaign has a row for each decile, of zeros where nobody was contacted. A person counts once for
    a campaign and kind of response; who responded without having been contacted is counted apart, so that a rate
    is of the people it is divided by.
    """
    by_value = ranks.where("metric = 'clv'").select(
        "person_id", F.col("decile").alias("clv_decile")
    )
    persons = (
        _list_responses(contacts, responses)
        .join(by_value, on="person_id", how="left")
        .fillna(0, subset=["clv_decile"])
    ).localCheckpoint(eager=False)  # asked for twice
    counted = persons.groupBy("campaign_id", "clv_decile").agg(*_count_responses())
    tenths = F.explode(F.sequence(F.lit(1), F.lit(10))).alias("clv_decile")
    every = persons.select("campaign_id").distinct().select("campaign_id", tenths)
    found = every.join(counted, on=["campaign_id", "clv_decile"], how="full_outer").fillna(0)
    return found.withColumns(
        {"as_of_date": F.lit(as_of), "days_observed": F.lit(days_observed)}
    ).select(*FACT_RESPONSE.names)


def build_fact_response_by_audience(
    contacts: DataFrame,
    responses: DataFrame,
    members: DataFrame,
    audiences: DataFrame,
    *,
    as_of: date,
    days_observed: int,
) -> DataFrame:
    """Persons contacted, and what they did, by campaign and audience, as `build_fact_response` counts them.

    In: as there; ``audience_id, person_id`` of the members on `as_of`; ``audience_id`` of all audiences. A person
    counts in each of their audiences.
    Every campaign has a row for each audience, of zeros where nobody of it was contacted or responded.
    """
    persons = _list_responses(contacts, responses)
    key = ["campaign_id", "audience_id"]
    counted = persons.join(members, on="person_id").groupBy(*key).agg(*_count_responses())
    campaigns = persons.select("campaign_id").distinct()
    every = campaigns.crossJoin(F.broadcast(audiences.select("audience_id").distinct()))
    found = every.join(counted, on=key, how="left").fillna(0)
    return found.withColumns(
        {"as_of_date": F.lit(as_of), "days_observed": F.lit(days_observed)}
    ).select(*FACT_RESPONSE_BY_AUDIENCE.names)


def _list_responses(contacts: DataFrame, responses: DataFrame) -> DataFrame:
    """One row a campaign and person who was contacted or responded: ``_contacted`` and the kinds of response.

    What a machine opened or clicked is no response.
    """
    key = ["campaign_id", "person_id"]
    contacted = contacts.select(*key).distinct().withColumn("_contacted", F.lit(True))
    did = [F.max(F.col("response_type") == kind).alias(name) for kind, name in _RESPONSES.items()]
    people = responses.where(F.col("response_type").isin(*_RESPONSES) & ~F.col("is_bot"))
    answered = people.groupBy(*key).agg(*did)
    both = contacted.join(answered, on=key, how="full_outer").where("campaign_id IS NOT NULL")
    return both.fillna(False, subset=["_contacted", *_RESPONSES.values()])


def _count_responses() -> list[Column]:
    contacted = F.col("_contacted")
    kinds = [F.count_if(contacted & F.col(name)).alias(name) for name in _RESPONSES.values()]
    apart = F.count_if(~contacted).alias("responded_not_contacted")
    return [F.count_if(contacted).alias("contacted"), *kinds, apart]


def build_fact_activation(deliveries: DataFrame) -> DataFrame:
    """Deliveries as a fact."""
    return deliveries.select(*FACT_ACTIVATION.names)
