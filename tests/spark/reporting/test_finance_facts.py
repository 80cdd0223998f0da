"""Facts for finance on a handful of rows: cohorts, equity, acquisition, forecasts, sensitivity."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.attribution.config import AttributionConfig
from clvspark.history.attribution.paths import build_paths, list_touchpoints, net_refunds
from clvspark.history.attribution.shares import share_orders
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY
from clvspark.lakehouse.contract import verify_contract
from clvspark.reporting import finance_facts, finance_tables
from clvspark.reporting.config import AcquisitionSpend

APRIL = date(2026, 4, 1)
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)


def orders(spark: SparkSession):
    """Ann: web, January and March; Bob: shop, February, and a refund; Cat cancelled; Dan bought in April."""
    rows = [
        ("1", "ann", "2026-01-10 10:00:00", "web", True, "30.00", "12.00", "purchase"),
        ("2", "ann", "2026-03-10 10:00:00", "shop", True, "20.00", "8.00", "purchase"),
        ("3", "bob", "2026-02-05 10:00:00", "shop", True, "50.00", "20.00", "purchase"),
        ("3", "bob", "2026-03-05 10:00:00", "shop", False, "-10.00", "-4.00", "refund"),
        ("4", "cat", "2026-02-06 10:00:00", "shop", True, "9.00", "3.00", "purchase"),
        ("4", "cat", "2026-02-07 10:00:00", "shop", False, "-9.00", "-3.00", "cancellation"),
        ("5", "dan", "2026-04-01 10:00:00", "web", True, "70.00", "7.00", "purchase"),
        ("6", None, "2026-01-01 10:00:00", "web", True, "5.00", "1.00", "purchase"),
    ]
    names = (
        "order_id",
        "person_id",
        "ordered_at",
        "channel",
        "is_purchase",
        "net_revenue",
        "margin",
        "row_type",
    )
    return ORDER.rows(spark, [dict(zip(names, row, strict=True)) for row in rows])


def first(spark: SparkSession):
    return finance_facts.find_first_purchases(orders(spark), as_of=APRIL)


def kept(fact, table):
    """The rows, which hold the contract."""
    conformed = table.conform(fact)
    verify_contract(conformed, table)
    return conformed.collect()


def test_credits_are_told_by_channel_and_campaign_and_add_up_to_the_orders(
    spark: SparkSession,
) -> None:
    config = AttributionConfig(methods=["last", "linear"])  # type: ignore[call-arg]
    touched = [
        (1, "ann", "2026-01-08", "email", "spring"), (2, "ann", "2026-01-09", "web", None),
        (3, "bob", "2026-02-01", "email", "spring"), (4, "dan", "2026-03-31", "email", "spring"),
    ]  # fmt: skip
    interactions = [
        {"event_id": n, "person_id": who, "occurred_at": f"{day} 09:00:00", "interaction_type": "email_clicked",
         "channel": channel, "campaign_id": campaign}
        for n, who, day, channel, campaign in touched
    ]  # fmt: skip
    touchpoints = list_touchpoints(
        INTERACTION.rows(spark, interactions), always=["email_clicked"], with_campaign=[]
    )
    paths = build_paths(net_refunds(orders(spark)), touchpoints, window_days=30)
    shared = share_orders(paths, config=config, channel_values={})
    fact = finance_facts.build_fact_attribution(shared, as_of=APRIL)
    rows = kept(fact, finance_tables.FACT_ATTRIBUTION)
    # Ann's second order has no touchpoint, Cat's was cancelled, and Dan's is of the day itself.
    assert {(*tuple(row)[1:5], row["orders"], str(row["net_revenue"])) for row in rows} == {
        ("last", "web", "none", 1, 1.0, "30.00"),
        ("last", "email", "spring", 1, 1.0, "40.00"),
        ("last", "direct", "none", 1, 1.0, "20.00"),
        ("linear", "web", "none", 1, 0.5, "15.00"),
        ("linear", "email", "spring", 2, 1.5, "55.00"),
        ("linear", "direct", "none", 1, 1.0, "20.00"),
    }
    bought = orders(spark).where("person_id IS NOT NULL AND ordered_at < '2026-04-01'")
    expected = tuple(bought.agg(F.sum("net_revenue"), F.sum("margin")).collect()[0])
    for method in config.methods:
        mine = [row for row in rows if row["method"] == method]
        assert (
            sum(row["net_revenue"] for row in mine), sum(row["margin"] for row in mine)
        ) == expected  # fmt: skip


def test_a_customer_is_of_the_cohort_of_the_first_purchase_that_stands(spark: SparkSession) -> None:
    assert {tuple(row) for row in first(spark).collect()} == {
        ("ann", JANUARY, "web"),
        ("bob", FEBRUARY, "shop"),
    }


def test_cohorts_add_up_to_what_their_customers_brought(spark: SparkSession) -> None:
    fact = finance_facts.build_fact_cohort_month(orders(spark), first(spark), as_of=APRIL)
    rows = kept(fact, finance_tables.FACT_COHORT_MONTH)
    found = {
        (r["cohort_month"], r["age_months"]): (r["active_customers"], r["orders"], r["net_revenue"])
        for r in rows
    }
    assert found == {
        (JANUARY, 0): (1, 1, Decimal("30.00")),
        (JANUARY, 2): (1, 1, Decimal("20.00")),
        (FEBRUARY, 0): (1, 1, Decimal("50.00")),
        (FEBRUARY, 1): (0, 0, Decimal("-10.00")),
    }
    assert sum(r["net_revenue"] for r in rows) == Decimal("90.00")


def equity(spark: SparkSession):
    base = {"as_of_date": APRIL, "horizon_days": 364, "model_id": "m", "lifecycle_stage": "core"}
    values = CUSTOMER_VALUE.rows(
        spark,
        [
            {**base, "person_id": p, "p_alive": 0.5, "historical_value": 20, "residual_value": v, "clv": 20 + v}
            for p, v in (("ann", 10), ("bob", 40))
        ],
    )  # fmt: skip
    return finance_facts.build_fact_customer_equity(values, first(spark), as_of=APRIL)


def test_equity_is_of_the_cohorts(spark: SparkSession) -> None:
    rows = kept(equity(spark), finance_tables.FACT_CUSTOMER_EQUITY)
    found = {(r["cohort_month"], r["channel"]): (r["customers"], r["residual_value"]) for r in rows}
    assert found == {(JANUARY, "web"): (1, 10.0), (FEBRUARY, "shop"): (1, 40.0)}


def test_spend_acquired_the_cohorts_of_its_months_and_is_paid_back_by_their_margin(
    spark: SparkSession,
) -> None:
    spend = [
        AcquisitionSpend(channel=c, starts_on=JANUARY, ends_on=end, amount=amount)
        for c, end, amount in (
            ("web", "2026-01-31", 15),
            ("shop", "2026-01-31", 10),
            ("shop", "2026-02-28", 15),
            ("app", "2026-01-31", 1),
        )
    ]
    cohorts = finance_facts.build_fact_cohort_month(orders(spark), first(spark), as_of=APRIL)
    fact = finance_facts.build_fact_acquisition(spend, equity(spark), cohorts, as_of=APRIL)
    found = {r["channel"]: r for r in kept(fact, finance_tables.FACT_ACQUISITION)}
    web, shop, app = (found[name] for name in ("web", "shop", "app"))
    assert (web["new_customers"], web["spend"], web["clv"], web["margin"]) == (1, 15, 30.0, 20)
    assert web["payback_months"] == 2, "12 in the first month, 8 in the third"
    assert (shop["spend"], shop["margin"], shop["payback_months"]) == (25, 16, None)
    assert (app["new_customers"], app["clv"]) == (0, None)


def test_months_end_as_the_calendar_has_it() -> None:
    assert finance_facts.list_ends(date(2026, 1, 31), 3) == [
        date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)
    ]  # fmt: skip
    assert finance_facts.list_ends(date(2026, 11, 1), 2) == [date(2026, 12, 1), date(2027, 1, 1)]


def forecast(spark: SparkSession, known_until: date | None):
    expected = spark.createDataFrame(
        [(0, 2, 1.5, 30.0), (1, 2, 1.25, 25.0)],
        "span int, customers bigint, purchases double, value double",
    )
    days = PERSON_DAY.rows(
        spark,
        [
            {"person_id": p, "day": day, "orders": 1, "cancellations": 0, "net_revenue": 9, "margin": margin}
            for p, day, margin in (
                ("ann", "2026-04-01", 4), ("ann", "2026-04-30", 5), ("bob", "2026-05-01", 6),
                ("dan", "2026-04-02", 99), ("ann", "2026-03-31", 99),
            )
        ],
    )  # fmt: skip
    return finance_facts.build_fact_forecast(
        expected,
        days,
        first(spark),
        [date(2026, 5, 1), date(2026, 6, 1)],
        value="margin",
        as_of=APRIL,
        known_until=known_until,
    )


def test_a_month_that_is_over_has_what_the_same_customers_brought(spark: SparkSession) -> None:
    rows = kept(forecast(spark, date(2026, 5, 30)), finance_tables.FACT_FORECAST)
    found = {
        r["month_starts_on"]: (r["expected_value"], r["actual_purchases"], r["actual_value"])
        for r in rows
    }
    assert found == {APRIL: (30.0, 2, Decimal(9)), date(2026, 5, 1): (25.0, None, None)}


@pytest.mark.parametrize("known_until", [None, date(2026, 3, 31)])
def test_before_a_month_is_over_nothing_is_known_and_nothing_is_zero(
    spark: SparkSession, known_until: date | None
) -> None:
    rows = forecast(spark, known_until).collect()
    assert {(r["actual_purchases"], r["actual_value"]) for r in rows} == {(None, None)}


def test_a_longer_horizon_is_worth_more_and_a_higher_rate_less(spark: SparkSession) -> None:
    fact = finance_facts.build_fact_sensitivity(
        forecast(spark, None), [1, 2], [0.0, 0.1], as_of=APRIL
    )
    found = {
        (r["horizon_months"], r["annual_discount_rate"]): r["customer_equity"]
        for r in kept(fact, finance_tables.FACT_SENSITIVITY)
    }
    assert (found[1, 0.0], found[2, 0.0]) == (30.0, 55.0)
    # Of a month the middle: 15 days, and 30 + 15.5 days, of years of 365.25 days.
    assert found[2, 0.1] == pytest.approx(30 * 1.1 ** (-15 / 365.25) + 25 * 1.1 ** (-45.5 / 365.25))
