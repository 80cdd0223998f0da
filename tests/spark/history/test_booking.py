"""Orders in another currency: what becomes of them is at the rate at which they were booked."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from clvspark.history import stage
from clvspark.history.config import HistoryConfig
from clvspark.history.orders import attach_person, book_lines, build_orders
from clvspark.history.reconcile import sum_annulled_revenue, sum_exchange_differences
from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.contract import verify_contract
from clvspark.sources.tables import EVENT, PRODUCT

CENT = Decimal("0.01")
# Of a day of March, as long as no test says another one.
RATES = {"01": "0.95", "05": "0.90", "10": "0.85"}


def event(
    number: int, kind: str, order: str, day: str, amount: str | None, *, currency: str = "USD",
    rate: str | None = None, **more: object,
) -> dict[str, object]:  # fmt: skip
    """One line of an order as ingest writes it: converted at the rate of its own day."""
    rate = None if currency == "EUR" or amount is None else rate or RATES[day]
    amounts: dict[str, object] = {}
    if amount is not None:
        said = {"net_revenue": amount, **{k: more.pop(k) for k in ("tax", "cost") if k in more}}
        amounts = {name: converted(str(value), rate) for name, value in said.items()}
        amounts |= {"gross_revenue": amounts["net_revenue"], "original_net_revenue": amount}
        amounts |= {"currency": currency, "exchange_rate": rate, "discount": "0.00"}
    return {
        "event_id": f"shop:{number:03}", "event_type": kind, "source_system": "shop", "channel": "web",
        "occurred_at": f"2026-03-{day} 12:00:00", "order_id": order, "line_id": "1", "quantity": 1,
        **amounts, **more,
    }  # fmt: skip


def converted(amount: str, rate: str | None) -> str:
    exact = Decimal(amount) * Decimal(rate or 1)
    return str(exact.quantize(CENT, rounding=ROUND_HALF_EVEN))


def build(spark: SparkSession, events: Iterable[dict[str, object]]) -> DataFrame:
    people = attach_person(EVENT.rows(spark, events), PERSON_LINK.rows(spark, []))
    orders = build_orders(people, PRODUCT.rows(spark, []), default_margin_rate=0.3)
    return ORDER.conform(orders)


FULL = [
    event(1, "order", "full", "01", "100.01"),
    event(2, "refund", "full", "10", "-100.01"),
]
LIVES = [
    *FULL,
    event(3, "order", "part", "01", "100.00"),
    event(4, "refund", "part", "10", "-40.00"),
    # Updated to twice as much: both halves at one rate.
    event(5, "order", "more", "05", "10.00"),
    event(6, "order_updated", "more", "10", "20.00"),
    event(7, "order", "off", "01", "10.00"),
    event(8, "refund", "off", "05", "-4.00"),
    event(9, "order_cancelled", "off", "10", None),
    # The order itself has not landed: the rate of its own day is the only one.
    event(10, "refund", "unknown", "10", "-10.00"),
    # Paid in one currency, given back in another one.
    event(11, "order", "mixed", "01", "10.00"),
    event(12, "refund", "mixed", "10", "-9.50", currency="EUR"),
]


def test_what_becomes_of_an_order_is_at_the_rate_at_which_it_was_booked(
    spark: SparkSession,
) -> None:
    orders = build(spark, LIVES)
    verify_contract(orders, ORDER)
    found = {
        (row["order_id"], row["row_type"], row["ordered_at"].day): (str(row["net_revenue"]), row["status"])
        for row in orders.collect()
    }  # fmt: skip
    assert found == {
        ("full", "purchase", 1): ("95.01", "refunded"),
        ("full", "refund", 10): ("-95.01", "refunded"),
        ("part", "purchase", 1): ("95.00", "partly_refunded"),
        ("part", "refund", 10): ("-38.00", "partly_refunded"),
        ("more", "purchase", 5): ("9.00", "updated"),
        ("more", "adjustment", 10): ("9.00", "updated"),
        ("off", "purchase", 1): ("9.50", "cancelled"),
        ("off", "refund", 5): ("-3.80", "cancelled"),
        ("off", "cancellation", 10): ("-5.70", "cancelled"),
        ("unknown", "refund", 10): ("-8.50", "refunded"),
        ("mixed", "purchase", 1): ("9.50", "refunded"),
        ("mixed", "refund", 10): ("-9.50", "refunded"),
    }


def test_of_an_order_that_is_refunded_in_full_no_amount_is_left(spark: SparkSession) -> None:
    orders = build(
        spark,
        [
            event(1, "order", "o", "01", "100.00", tax="19.00", cost="60.00"),
            event(2, "refund", "o", "10", "-100.00", tax="-19.00", cost="-60.00"),
        ],
    )
    names = ("gross_revenue", "discount", "tax", "net_revenue", "cost", "margin")
    assert {r["row_type"]: tuple(str(r[name]) for name in names) for r in orders.collect()} == {
        "purchase": ("95.00", "0.00", "18.05", "95.00", "57.00", "38.00"),
        "refund": ("-95.00", "0.00", "-18.05", "-95.00", "-57.00", "-38.00"),
    }


def test_refunds_of_an_updated_order_take_back_what_it_was_updated_to(spark: SparkSession) -> None:
    orders = build(
        spark,
        [
            event(1, "order", "o", "01", "0.11"),
            event(2, "order_updated", "o", "05", "1.10"),
            event(3, "refund", "o", "10", "-0.55"),
            event(4, "refund", "o", "10", "-0.55"),
        ],
    )
    assert {(r["row_type"], str(r["net_revenue"]), r["status"]) for r in orders.collect()} == {
        ("purchase", "0.10", "refunded"),
        ("adjustment", "0.94", "refunded"),
        ("refund", "-1.04", "refunded"),
    }


def test_refunds_in_parts_leave_no_cent_of_rounding(spark: SparkSession) -> None:
    parts = [event(n, "refund", "o", "10", "-0.33") for n in (2, 3)]
    orders = build(
        spark, [event(1, "order", "o", "01", "0.99"), *parts, event(4, "refund", "o", "10", "-0.33")]
    )  # fmt: skip
    # 0.95 of each third is 0.3135, three times 0.31; of the whole 0.94.
    assert {(r["row_type"], str(r["net_revenue"]), r["status"]) for r in orders.collect()} == {
        ("purchase", "0.94", "refunded"), ("refund", "-0.94", "refunded")
    }  # fmt: skip


def test_a_cent_of_rounding_does_not_change_the_status(spark: SparkSession) -> None:
    orders = build(
        spark,
        [
            # 0.095 is rounded to the even 0.10, twice; of both together 0.19 goes back.
            event(1, "order", "o", "01", "0.10"),
            event(2, "order", "o", "01", "0.10", line_id="2"),
            event(3, "order_updated", "o", "05", "0.10", line_id="2"),
            event(6, "refund", "o", "10", "-0.20"),
            event(4, "order", "two", "01", "0.33", currency="EUR"),
            event(5, "refund", "two", "01", "-0.32", currency="EUR"),
        ],
    )
    found = orders.groupBy("order_id", "status").agg({"net_revenue": "sum"}).collect()
    assert {(order, status, str(left)) for order, status, left in found} == {
        ("o", "refunded", "0.01"), ("two", "partly_refunded", "0.01")
    }  # fmt: skip


def test_the_stage_tells_what_rates_have_moved(lake: Lakehouse) -> None:
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, []))
    lake.overwrite(EVENT, EVENT.rows(lake.spark, LIVES))
    config = HistoryConfig(summary_lags_days=[0])  # type: ignore[call-arg]
    with lake.writing("history"):
        report = stage.run(lake, config, date(2026, 4, 1))
    metrics = report.metrics
    # Refunds are 10.00, 4.00 and 0.20 less than what they take back, the update 1.00 less than what it says.
    assert metrics["revenue_exchange_difference"] == pytest.approx(13.20)
    # Beside it: the cancelled order has come to 5.70, and 9.00 of an update are in the line before it.
    assert metrics["revenue_annulled"] == pytest.approx(13.20 + 5.70 + 9.00)
    assert metrics["revenue"] == pytest.approx(95 - 38 + 18 - 8.5)


rates = st.integers(1, 3_000).map(lambda n: str(Decimal(n) / 1000))
lives = st.lists(
    st.tuples(st.lists(st.integers(0, 9_999), min_size=1, max_size=4), rates, rates),
    min_size=20,
    max_size=60,
)


@pytest.mark.slow
@settings(max_examples=5)
@given(lives)
def test_whatever_the_parts_and_rates_a_full_refund_leaves_nothing(
    spark: SparkSession, lives: list[tuple[list[int], str, str]]
) -> None:
    """Each order has one line of the sum of its parts, and a refund of each part."""
    rows: list[dict[str, object]] = []
    for n, (parts, booked, later) in enumerate(lives):
        whole = str(Decimal(sum(parts)) / 100)
        rows.append(event(10 * n, "order", f"o{n}", "01", whole, rate=booked))
        for k, cents in enumerate(parts, 1):
            back = str(Decimal(-cents) / 100)
            rows.append(event(10 * n + k, "refund", f"o{n}", "10", back, rate=later))
    events = EVENT.rows(spark, rows).localCheckpoint()
    orders = build(spark, rows).localCheckpoint()
    verify_contract(orders, ORDER)
    left = orders.groupBy("order_id").agg({"net_revenue": "sum"})
    assert {row[1] for row in left.collect()} == {Decimal(0)}
    assert {row["status"] for row in orders.collect()} == {"refunded"}
    written = sum(Decimal(str(row["net_revenue"])) for row in rows)
    assert sum_exchange_differences(book_lines(events)).collect()[0][0] == written
    assert not sum_annulled_revenue(book_lines(events)).collect()[0][0]
