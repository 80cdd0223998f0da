"""Key figures of months that can be counted by hand."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.history.config import KpiConfig
from clvspark.history.kpis import list_months, tabulate_kpis
from clvspark.history.surveys import name_answers
from clvspark.history.tables import KPI, ORDER
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse.contract import verify_contract
from clvspark.sources.tables import SURVEY_RESPONSE

APRIL = date(2026, 4, 1)
CONFIG = KpiConfig(months=3, active_days=31)  # type: ignore[call-arg]
# Person, day, channel, amount. "dan" is anonymous, and the last order is of the day itself.
BOUGHT = [
    ("ann", "2026-01-05", "web", 10), ("ann", "2026-01-06", "shop", 30), ("ann", "2026-02-10", "web", 20),
    ("bob", "2026-01-20", "web", 40), ("bob", "2026-03-01", "web", 60),
    ("cat", "2026-02-01", "shop", 80), (None, "2026-02-01", "shop", 500), ("bob", "2026-04-01", "web", 9),
]  # fmt: skip
SAID = [
    ("ann", "2026-02-03", 10), ("ann", "2026-02-20", 9), ("bob", "2026-02-03", 6), ("cat", "2026-02-03", 7),
]  # fmt: skip


def orders_of(spark: SparkSession, bought: list[tuple]) -> DataFrame:
    rows = [
        {
            "order_id": n, "person_id": person, "ordered_at": day, "channel": channel, "is_purchase": True,
            "row_type": "purchase", "lines": 1, "net_revenue": amount, "cost": 0, "margin": amount,
        }
        for n, (person, day, channel, amount) in enumerate(bought)
    ]  # fmt: skip
    refund = {"order_id": 0, "person_id": "ann", "ordered_at": "2026-01-09", "channel": "web"}
    refund |= {
        "row_type": "refund",
        "is_purchase": False,
        "lines": 1,
        "net_revenue": -10,
        "cost": 0,
        "margin": -10,
    }
    return ORDER.rows(spark, [*rows, refund])


def answers_of(spark: SparkSession, said: list[tuple[str, str, int]]) -> DataFrame:
    people = sorted({person for person, *_ in said})
    links = [{"source_system": "s", "source_record_id": p, "person_id": p} for p in people]
    rows = [
        {
            "response_id": n, "source_system": "s", "source_record_id": person, "answered_at": at,
            "score": score, "channel": "e-mail" if person == "ann" else None,
        }
        for n, (person, at, score) in enumerate(said)
    ]  # fmt: skip
    return name_answers(SURVEY_RESPONSE.rows(spark, rows), PERSON_LINK.rows(spark, links))


@pytest.fixture(scope="module")
def kpis(spark: SparkSession) -> DataFrame:
    found = tabulate_kpis(
        orders_of(spark, BOUGHT), answers_of(spark, SAID), as_of=APRIL, config=CONFIG
    )
    return KPI.conform(found).persist()


def by_month(kpis: DataFrame, kpi: str, channel: str | None = None) -> dict[int, float]:
    """Of one channel, or over all."""
    grain = "all_channels" if channel is None else "one_channel"
    of_kpi = kpis.where((kpis["kpi"] == kpi) & (kpis["grain"] == grain))
    rows = of_kpi.where(kpis["channel"] == (channel or "all")).collect()
    return {row["period_starts_on"].month: row["value"] for row in rows}


def test_months_are_whole_and_end_before_the_date() -> None:
    assert list_months(date(2026, 4, 1), 2) == [date(2026, 2, 1), date(2026, 3, 1)]
    assert list_months(date(2026, 1, 31), 2) == [date(2025, 11, 1), date(2025, 12, 1)]


@pytest.mark.parametrize(
    ("kpi", "expected"),
    [
        ("new_customers", {1: 2, 2: 1}),
        ("active_customers", {1: 2, 2: 2, 3: 1}),
        ("orders", {1: 3, 2: 2, 3: 1}),
        # Of ann's first order 10 came back.
        ("revenue", {1: 70, 2: 100, 3: 60}),
        ("average_order_value", {1: 70 / 3, 2: 50, 3: 60}),
        ("purchase_frequency", {1: 1.5, 2: 1, 3: 1}),
        # Ann has ordered twice by the end of January; in February of ann and cat only ann; bob in March.
        ("repeat_rate", {1: 0.5, 2: 0.5, 3: 1}),
        # Of ann and bob ann came back in February; of ann and cat nobody in March.
        ("retention_rate", {2: 0.5, 3: 0}),
        # Of ann and bob both run out of their 31 days in February, on the 6th and the 20th; of ann and cat both in
        # March, on the 4th and the 13th.
        ("churn_rate", {2: 1, 3: 1}),
    ],
)
def test_figures_over_all_channels(kpis: DataFrame, kpi: str, expected: dict[int, float]) -> None:
    assert by_month(kpis, kpi) == pytest.approx(expected)


def test_new_customers_are_of_the_channel_they_came_by_and_sum_to_all(kpis: DataFrame) -> None:
    assert by_month(kpis, "new_customers", "web") == {1: 2}
    assert by_month(kpis, "new_customers", "shop") == {2: 1}


def test_a_channel_without_a_purchase_in_a_month_shows_none(kpis: DataFrame) -> None:
    assert by_month(kpis, "active_customers", "shop") == {1: 1, 2: 1, 3: 0}
    assert by_month(kpis, "retention_rate", "web") == {2: 0.5, 3: 0}
    assert by_month(kpis, "average_order_value", "shop") == {1: 30, 2: 80}


def test_advocacy_stands_beside_behaviour(kpis: DataFrame) -> None:
    verify_contract(kpis, KPI)
    assert by_month(kpis, "survey_answers") == {2: 4}
    assert by_month(kpis, "mean_score") == {2: 8.0}
    # Two promoters and one detractor of four.
    assert by_month(kpis, "nps") == {2: 25.0}
    assert by_month(kpis, "nps", "e-mail") == {2: 100.0}
    # Ann bought within 31 days of the end of February; bob, on January 20th, did not.
    assert by_month(kpis, "active_share_of_promoters") == {2: 1.0}
    assert by_month(kpis, "active_share_of_detractors") == {2: 0.0}


def test_a_channel_that_is_called_all_is_one_of_them(spark: SparkSession) -> None:
    renamed = [(p, day, "all" if channel == "web" else channel, a) for p, day, channel, a in BOUGHT]
    orders = orders_of(spark, renamed)
    found = tabulate_kpis(orders, answers_of(spark, SAID), as_of=APRIL, config=CONFIG)
    found = KPI.conform(found).persist()
    verify_contract(found, KPI)
    assert by_month(found, "revenue", "all") == {1: 40, 2: 20, 3: 60}
    assert by_month(found, "revenue") == {1: 70, 2: 100, 3: 60}
    assert by_month(found, "new_customers", "all") == {1: 2}


def test_revenue_is_what_orders_have_come_to_by_the_date(spark: SparkSession) -> None:
    """Refunds, updates and cancellations of orders are of the month of their order, and of its channel."""
    changes = [
        # Of order 3 something was refunded, in another channel, by somebody else and in another month.
        (3, "refund", "cat", "2026-02-07", "shop", -15), (3, "adjustment", "bob", "2026-03-02", "web", 5),
        (4, "cancellation", "bob", "2026-03-05", "web", -60), (5, "refund", "cat", "2026-04-01", "web", -80),
        # Of an order that is not there, and of an anonymous one.
        (99, "refund", "ann", "2026-02-08", "web", -7), (6, "refund", None, "2026-02-09", "shop", -9),
    ]  # fmt: skip
    rows = [
        {
            "order_id": n, "row_type": kind, "person_id": person, "ordered_at": day, "channel": channel,
            "is_purchase": False, "lines": 1, "net_revenue": amount, "cost": 0, "margin": amount,
        }
        for n, kind, person, day, channel, amount in changes
    ]  # fmt: skip
    orders = orders_of(spark, BOUGHT).unionByName(ORDER.rows(spark, rows))
    kpis = tabulate_kpis(orders, answers_of(spark, SAID), as_of=APRIL, config=CONFIG)
    kpis = KPI.conform(kpis).persist()
    revenue = by_month(kpis, "revenue")
    assert revenue == {1: 60, 2: 100, 3: 0}
    assert by_month(kpis, "revenue", "web") == {1: 30, 2: 20, 3: 0}
    assert by_month(kpis, "orders") == {1: 3, 2: 2, 3: 0}
    assert by_month(kpis, "average_order_value") == {1: 20, 2: 50}
    # Held against the orders: of what persons ordered before the date, all rows.
    ordered = orders.where("is_purchase AND person_id IS NOT NULL").select("order_id")
    known = orders.where("ordered_at < '2026-04-01'").join(ordered, on="order_id")
    assert sum(revenue.values()) == known.agg({"net_revenue": "sum"}).collect()[0][0]


def test_without_orders_and_answers_there_are_no_figures(spark: SparkSession) -> None:
    empty = orders_of(spark, []).where("is_purchase")
    answers = answers_of(spark, SAID).limit(0)
    assert tabulate_kpis(empty, answers, as_of=APRIL, config=CONFIG).isEmpty()
