"""What customers are told apart by: what was known of them by the end of the day of their first purchase."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.privacy.consent import MARKETING, consent_by_channel, resolve_consent

UNKNOWN = "unknown"
_COUNTRY = "country"


def label_persons(
    summaries: DataFrame,
    labels: Sequence[str],
    *,
    orders: DataFrame,
    records: DataFrame,
    consents: DataFrame,
    links: DataFrame,
) -> DataFrame:
    """Rows of history.clv_summary with labels of their persons, as text; `UNKNOWN` where nothing was known.

    In: history.order, sources.customer_record, sources.consent, and current rows of identity.person_link. A person has
    one label of each kind at all lags, as of the earliest first purchase of any: later ones can only be of histories
    whose first order was cancelled. Nothing that came after that day counts, so a backtest knows no more than a run of
    its origin did.

    - ``acquisition_channel``: channel of the first order;
    - ``country``: attribute `country` of the earliest record that was there by then, or whose date is unknown;
    - ``email_consent``: yes, where marketing by e-mail was agreed to by then; else no;
    - ``cohort``: quarter of the first purchase, e.g. 2025-Q3.
    """
    first = summaries.groupBy("person_id").agg(F.min("first_purchase_on").alias("_first_on"))
    current = links.select("source_system", "source_record_id", "person_id")
    found: dict[str, Callable[[], DataFrame]] = {
        "acquisition_channel": lambda: _first_channels(orders, first),
        "country": lambda: _countries(records, current, first),
        "email_consent": lambda: _consents(consents, current, first),
        "cohort": lambda: _cohorts(first),
    }
    labelled = summaries
    for label in labels:
        labelled = labelled.join(found[label](), on="person_id", how="left")
    return labelled.fillna(UNKNOWN, subset=list(labels))


def _first_channels(orders: DataFrame, first: DataFrame) -> DataFrame:
    bought = orders.where(F.col("is_purchase")).select(
        "person_id", "channel", "ordered_at", "order_id"
    )
    on_day = bought.join(first, on="person_id", how="inner").where(
        F.to_date("ordered_at") == F.col("_first_on")
    )
    earliest = F.min_by("channel", F.struct("ordered_at", "order_id"))
    return on_day.groupBy("person_id").agg(earliest.alias("acquisition_channel"))


def _countries(records: DataFrame, links: DataFrame, first: DataFrame) -> DataFrame:
    country = F.upper(F.trim(F.col("attributes")[_COUNTRY]))
    known = (
        records.select("source_system", "source_record_id", "created_at", country.alias(_COUNTRY))
        .where(F.col(_COUNTRY) != "")
        .join(links, on=["source_system", "source_record_id"], how="inner")
        .join(first, on="person_id", how="inner")
    )
    created = F.col("created_at")
    by_then = known.where(created.isNull() | (F.to_date(created) <= F.col("_first_on")))
    order = F.struct(created.isNull(), created, "source_system", "source_record_id")
    return by_then.groupBy("person_id").agg(F.min_by(_COUNTRY, order).alias(_COUNTRY))


def _consents(consents: DataFrame, links: DataFrame, first: DataFrame) -> DataFrame:
    firsts = links.join(first, on="person_id", how="inner").drop("person_id")
    dated = consents.join(firsts, on=["source_system", "source_record_id"], how="inner")
    day_after = F.date_add("_first_on", 1).cast("timestamp")
    said = resolve_consent(dated, links, purpose=MARKETING, until=day_after)
    agreed = consent_by_channel(said, ["email"]).where("consent_email")
    yes = agreed.select("person_id", F.lit("yes").alias("_said"))
    everybody = first.join(yes, on="person_id", how="left")
    return everybody.select("person_id", F.coalesce("_said", F.lit("no")).alias("email_consent"))


def _cohorts(first: DataFrame) -> DataFrame:
    quarter = F.concat(F.year("_first_on"), F.lit("-Q"), F.quarter("_first_on"))
    return first.select("person_id", quarter.alias("cohort"))
