"""Orders that were cancelled count as purchases up to the day of the cancellation, for every reader alike."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from support import cancelled

from clvspark.clv.challenger.features import build_features
from clvspark.clv.curves import count_daily
from clvspark.clv.folds import count_windows
from clvspark.history.clv_summary import list_late_changes, summarise_purchases
from clvspark.history.config import KpiConfig, RelationshipConfig
from clvspark.history.kpis import tabulate_kpis
from clvspark.history.relationship import describe_relationships
from clvspark.history.surveys import name_answers, summarise_answers
from clvspark.history.tables import INTERACTION
from clvspark.identity.tables import PERSON_LINK
from clvspark.sources.tables import SURVEY_RESPONSE

BEFORE, AFTER, APRIL = date(2026, 3, 15), date(2026, 3, 21), date(2026, 4, 1)
# Purchase days; bob and cid have none that stands.
EXPECTED = {BEFORE: {"ann": 2}, AFTER: {"ann": 1}}


@pytest.mark.parametrize("on", EXPECTED)
def test_all_readers_count_the_same_purchases(spark: SparkSession, on: date) -> None:
    orders, days = cancelled.orders(spark), cancelled.days(spark)
    answers = name_answers(SURVEY_RESPONSE.rows(spark, []), PERSON_LINK.rows(spark, []))
    said = summarise_answers(answers, as_of=on)
    config = RelationshipConfig()  # type: ignore[call-arg]
    windows = count_windows(days, orders, origins=[on], window_days=30, value="revenue")
    features = build_features(
        days,
        orders,
        INTERACTION.rows(spark, []),
        answers.select("person_id", "answered_at", "score"),
        dates=[on],
        value="revenue",
    )
    summary = summarise_purchases(
        days, as_of=on, lags_days=[0], late_changes=list_late_changes(orders)
    )
    related = describe_relationships(days, said, as_of=on, config=config, orders=orders)
    daily = count_daily(days, orders, origin=on, until=on)
    counted = {
        "clv_summary": summary.select("person_id", F.col("frequency") + 1),
        "relationship": related.select("person_id", "frequency"),
        "backtest": windows.where("purchases_before > 0").select("person_id", "purchases_before"),
        "features": features.select("person_id", "purchase_days"),
    }
    found = {name: dict(map(tuple, rows.collect())) for name, rows in counted.items()}
    found["curves"] = {"ann": int(daily[["first", "repeats"]].to_numpy().sum())}
    assert found == dict.fromkeys(found, EXPECTED[on])


def test_amounts_of_relationships_are_all_that_happened_to_the_orders(spark: SparkSession) -> None:
    answers = name_answers(SURVEY_RESPONSE.rows(spark, []), PERSON_LINK.rows(spark, []))
    related = describe_relationships(
        cancelled.days(spark),
        summarise_answers(answers, as_of=APRIL),
        as_of=APRIL,
        config=RelationshipConfig(),  # type: ignore[call-arg]
        orders=cancelled.orders(spark),
    )
    assert [row["monetary"] for row in related.collect()] == [Decimal("8.00")]


def test_key_figures_leave_out_what_was_cancelled_by_the_date(spark: SparkSession) -> None:
    answers = name_answers(SURVEY_RESPONSE.rows(spark, []), PERSON_LINK.rows(spark, []))
    config = KpiConfig(months=1)  # type: ignore[call-arg]
    found = tabulate_kpis(cancelled.orders(spark), answers, as_of=APRIL, config=config)
    figures = {r["kpi"]: r["value"] for r in found.where("channel = 'web'").collect()}
    # Of 10 that were paid, an update added 2 and 4 came back.
    assert (figures["orders"], figures["revenue"], figures["active_customers"]) == (1, 8, 1)
