"""What becomes of an order after it was placed: updates, refunds and cancellations, each on its own day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from clvspark.history import stage
from clvspark.history.clv_summary import list_late_changes, summarise_purchases
from clvspark.history.config import HistoryConfig
from clvspark.history.orders import attach_person, book_lines, build_orders
from clvspark.history.person_day import summarise_person_days
from clvspark.history.reconcile import list_altered, sum_annulled_revenue
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.contract import verify_contract
from clvspark.lakehouse.errors import ContractError
from clvspark.sources.tables import EVENT, PRODUCT

LINKS = [
    {"source_system": "shop", "source_record_id": "1", "valid_from": "2026-01-01", "person_id": "p1",
     "reason": "match", "probability": 1, "recorded_at": "2026-01-01 06:00:00"}
]  # fmt: skip
APRIL = date(2026, 4, 1)


def event(number: int, kind: str, order: str, day: str, amount: str | None, **more: object) -> dict:
    """One line of an order; a day with a time is an instant of that day."""
    return {
        "event_id": f"shop:{number}", "event_type": kind, "source_system": "shop", "source_record_id": "1",
        "occurred_at": day if ":" in day else f"2026-03-{day} 12:00:00", "channel": "web",
        "order_id": order, "quantity": 1, "net_revenue": amount, **more,
    }  # fmt: skip


def build(spark: SparkSession, events: Iterable[dict]) -> DataFrame:
    people = attach_person(EVENT.rows(spark, events), PERSON_LINK.rows(spark, LINKS))
    orders = build_orders(people, PRODUCT.rows(spark, []), default_margin_rate=0.3)
    return ORDER.conform(orders)


def days_of(spark: SparkSession, orders: DataFrame) -> DataFrame:
    return summarise_person_days(orders, spark.createDataFrame([], INTERACTION.schema))


def shape(orders: DataFrame) -> dict[tuple[str, str, int], tuple[str, str]]:
    """Net revenue and status by order, kind of row and day of March."""
    return {
        (row["order_id"], row["row_type"], row["ordered_at"].day): (str(row["net_revenue"]), row["status"])
        for row in orders.collect()
    }  # fmt: skip


def summary_of(spark: SparkSession, orders: DataFrame, lag: int) -> dict | None:
    found = summarise_purchases(
        days_of(spark, orders),
        as_of=APRIL,
        lags_days=[lag],
        late_changes=list_late_changes(orders),
    ).collect()
    return found[0].asDict() if found else None


def test_each_change_is_a_row_of_its_own_day(spark: SparkSession) -> None:
    orders = build(
        spark,
        [
            event(1, "order", "whole", "01", "10.00"),
            event(2, "order", "part", "01", "10.00"),
            event(3, "refund", "part", "05", "-4.00"),
            event(4, "order", "back", "01", "10.00"),
            event(5, "refund", "back", "05", "-4.00"),
            event(6, "refund", "back", "07", "-6.00"),
            event(7, "order", "off", "01", "10.00"),
            event(8, "refund", "off", "05", "-4.00"),
            event(9, "order_cancelled", "off", "07", None),
            event(10, "order_cancelled", "off", "08", None),
            # The money goes back after the cancellation: it is annulled once.
            event(11, "refund", "off", "09", "-6.00"),
            event(12, "order", "new", "01", "10.00", line_id="a"),
            event(13, "order_updated", "new", "05", "7.50", line_id="a", quantity=3),
        ],
    )
    verify_contract(orders, ORDER)
    assert shape(orders) == {
        ("whole", "purchase", 1): ("10.00", "completed"),
        ("part", "purchase", 1): ("10.00", "partly_refunded"),
        ("part", "refund", 5): ("-4.00", "partly_refunded"),
        ("back", "purchase", 1): ("10.00", "refunded"),
        ("back", "refund", 5): ("-4.00", "refunded"),
        ("back", "refund", 7): ("-6.00", "refunded"),
        ("off", "purchase", 1): ("10.00", "cancelled"),
        ("off", "refund", 5): ("-4.00", "cancelled"),
        ("off", "cancellation", 7): ("-6.00", "cancelled"),
        ("new", "purchase", 1): ("10.00", "updated"),
        ("new", "adjustment", 5): ("-2.50", "updated"),
    }
    (adjustment,) = orders.where("row_type = 'adjustment'").collect()
    assert (adjustment["units"], adjustment["cost"], adjustment["margin"]) == (
        2, Decimal("-1.75"), Decimal("-0.75")
    )  # fmt: skip
    assert {row["person_id"] for row in orders.collect()} == {"p1"}


def test_an_update_replaces_the_version_before_it_of_the_same_line_and_no_other(
    spark: SparkSession,
) -> None:
    orders = build(
        spark,
        [
            event(1, "order", "o", "01", "10.00", line_id="a"),
            event(2, "order", "o", "01", "5.00", line_id="b"),
            event(3, "order_updated", "o", "03", "12.00", line_id="a"),
            event(4, "order_updated", "o", "04", "0.00", line_id="a"),
            # The order had no such line: it is added.
            event(5, "order_updated", "o", "06", "3.00", line_id="c"),
            # What came before the order was placed counts from then on.
            event(6, "order_updated", "o", "2026-02-28 12:00:00", "6.00", line_id="b"),
        ],
    )
    assert shape(orders) == {
        ("o", "purchase", 1): ("15.00", "updated"),
        ("o", "adjustment", 1): ("1.00", "updated"),
        ("o", "adjustment", 3): ("2.00", "updated"),
        ("o", "adjustment", 4): ("-12.00", "updated"),
        ("o", "adjustment", 6): ("3.00", "updated"),
    }


def test_discounts_and_taxes_add_up_beside_net_revenue(spark: SparkSession) -> None:
    said = {"gross_revenue": "12.00", "discount": "2.00", "tax": "1.90", "cost": "6.00"}
    back = {"gross_revenue": "-6.00", "discount": "-1.00", "tax": "-0.95", "cost": "-3.00"}
    orders = build(
        spark,
        [
            event(1, "order", "o", "01", "10.00", **said),
            event(2, "order", "o", "01", "4.00"),
            event(3, "refund", "o", "02", "-5.00", **back),
            event(4, "order_cancelled", "o", "03", None),
        ],
    )
    names = ("gross_revenue", "discount", "tax", "net_revenue", "cost", "margin")
    assert {r["row_type"]: tuple(str(r[name]) for name in names) for r in orders.collect()} == {
        # The second line says its net revenue alone; its cost is assumed.
        "purchase": ("16.00", "2.00", "1.90", "14.00", "8.80", "5.20"),
        "refund": ("-6.00", "-1.00", "-0.95", "-5.00", "-3.00", "-2.00"),
        "cancellation": ("-10.00", "-1.00", "-0.95", "-9.00", "-5.80", "-3.20"),
    }


CANCELLED = [
    event(1, "order", "first", "02", "10.00"),
    event(2, "order", "second", "10", "20.00"),
    event(3, "order", "third", "20", "40.00"),
    event(4, "order_cancelled", "third", "25", None),
]


@pytest.mark.parametrize(
    ("lag", "orders", "frequency", "recency", "revenue", "spend"),
    [
        (0, 2, 1, 8, "30.00", 20.0),
        # March 25th is the first day not counted: the order stands.
        (7, 3, 2, 18, "70.00", 30.0),
        (6, 2, 1, 8, "30.00", 20.0),
    ],
)
def test_a_cancelled_order_is_a_purchase_until_it_is_cancelled(
    spark: SparkSession, lag: int, orders: int, frequency: int, recency: int, revenue: str, spend: float
) -> None:  # fmt: skip
    row = summary_of(spark, build(spark, CANCELLED), lag)
    assert row is not None
    assert (row["orders"], row["frequency"], row["recency_days"]) == (orders, frequency, recency)
    assert row["historical_revenue"] == Decimal(revenue)
    assert row["monetary_value"] == pytest.approx(spend)


def test_the_first_purchase_is_the_first_that_was_not_cancelled(spark: SparkSession) -> None:
    orders = build(
        spark,
        [
            event(1, "order", "first", "02", "10.00"),
            event(2, "order", "second", "10", "20.00"),
            event(3, "order", "third", "20", "40.00"),
            event(4, "order_cancelled", "first", "05", None),
            event(5, "order_updated", "second", "12", "25.00", line_id="late"),
        ],
    )
    row = summary_of(spark, orders, 0)
    assert row is not None
    assert (row["first_purchase_on"], row["frequency"]) == (date(2026, 3, 10), 1)
    assert row["historical_revenue"] == Decimal("85.00")
    assert row["monetary_value"] == pytest.approx(40), "the update opens the relationship too"


def test_who_cancelled_all_has_bought_nothing(spark: SparkSession) -> None:
    orders = build(
        spark,
        [
            event(1, "order", "o", "02", "10.00"),
            event(2, "order_cancelled", "o", "2026-03-03 00:00:00", None),
        ],
    )
    assert summary_of(spark, orders, 0) is None
    assert summary_of(spark, orders, 29) is not None, "as of March 3rd it was an order"


def test_days_that_are_past_stay_and_an_order_of_no_full_day_is_none(spark: SparkSession) -> None:
    orders = build(
        spark,
        [
            event(1, "order", "same_day", "02", "10.00"),
            event(2, "order_cancelled", "same_day", "2026-03-02 23:59:59", None),
            event(3, "order", "later", "02", "20.00"),
            event(4, "order_cancelled", "later", "05", None),
            # A clock that is wrong: cancelled when it was placed.
            event(5, "order", "early", "09", "30.00"),
            event(6, "order_cancelled", "early", "08", None),
        ],
    )
    days = PERSON_DAY.conform(days_of(spark, orders))
    verify_contract(days, PERSON_DAY)
    assert {
        row["day"].day: (row["orders"], row["cancellations"], str(row["net_revenue"]))
        for row in days.collect()
    } == {2: (1, 0, "20.00"), 5: (0, 1, "-20.00"), 9: (0, 0, "0.00")}


changes = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "order_updated", "refund", "order_cancelled"]),
        st.sampled_from(["o1", "o2"]),
        st.sampled_from([None, "a", "b"]),
        st.integers(1, 4),
        st.integers(0, 5_000),
        st.integers(0, 700),
    ),
    max_size=14,
)
Line = tuple[str, str, str | None, int, int, int]


def worth_on(lines: list[Line], last_day: int) -> Decimal:
    """What the orders are worth at the end of a day by what happened until then, in plain Python."""
    by_order = defaultdict(list)
    for n, line in enumerate(lines):
        by_order[line[1]].append((n, line))
    total = 0
    for found in by_order.values():
        placed = min((d for _, (kind, _, _, d, *_) in found if kind == "order"), default=0)
        known = [
            (n, line)
            for n, line in found
            if (placed if line[0] == "order" else line[3] if line[0] == "refund" else max(placed, line[3]))
            <= last_day
        ]  # fmt: skip
        if any(line[0] == "order_cancelled" for _, line in known):
            continue
        newest: dict[str, tuple[tuple[int, str], int]] = {}
        for n, (kind, _, name, day, cents, _) in known:
            if kind == "order_updated" and name is not None:
                version = ((day, f"shop:{n:02}"), cents)
                newest[name] = max(newest.get(name, version), version)
        for _, (kind, _, name, _, cents, _) in known:
            if kind == "refund":
                total -= cents
            elif kind == "order" and name not in newest:
                total += cents
        total += sum(cents for _, cents in newest.values())
    return Decimal(total) / 100


@pytest.mark.slow
@settings(max_examples=15)
@given(changes)
def test_no_cent_is_lost_whatever_becomes_of_orders(spark: SparkSession, lines: list[Line]) -> None:
    lines = [line for line in lines if line[0] != "order_updated" or line[2] is not None]
    rows = []
    for n, (kind, order, name, day, cents, off) in enumerate(lines):
        sign = -1 if kind == "refund" else 1
        net, discount = Decimal(sign * cents) / 100, Decimal(sign * off) / 100
        said = {"gross_revenue": net + discount, "discount": discount, "tax": discount}
        if kind == "order_cancelled":
            net, said = None, {}
        rows.append(
            {**event(n, kind, order, f"{day:02}", net, line_id=name, **said), "event_id": f"shop:{n:02}"}
        )  # fmt: skip
    orders = build(spark, rows).localCheckpoint()
    verify_contract(orders, ORDER)
    events = EVENT.rows(spark, rows)
    written = events.selectExpr("sum(net_revenue)").collect()[0][0] or Decimal(0)
    annulled = sum_annulled_revenue(book_lines(list_altered(events))).collect()[0][0] or Decimal(0)
    found = orders.collect()
    assert sum(row["net_revenue"] for row in found) == written - annulled
    for last_day in range(1, 5):
        known = sum(row["net_revenue"] for row in found if row["ordered_at"].day <= last_day)
        assert known == worth_on(lines, last_day), f"on March {last_day}"
    days = days_of(spark, orders).collect()
    assert sum(day["net_revenue"] for day in days) == written - annulled
    cancelled = {order for kind, order, *_ in lines if kind == "order_cancelled"}
    standing = {order for kind, order, *_ in lines if kind == "order"} - cancelled
    assert sum(day["orders"] - day["cancellations"] for day in days) == len(standing)


WITHOUT_PURCHASE = [
    event(1, "order", "o1", "02", "10.00"),
    # Their order has not landed; nobody's summary has this money.
    event(2, "refund", "o2", "03", "-4.00", source_record_id="2"),
    # What was cancelled is worth nothing.
    event(3, "order", "o3", "02", "20.00", source_record_id="3"),
    event(4, "order_cancelled", "o3", "05", None, source_record_id="3"),
    event(5, "order", "o4", "2026-04-01 00:00:00", "7.00"),
]


@pytest.mark.slow
def test_the_stage_tells_what_of_the_revenue_of_persons_no_summary_has(lake: Lakehouse) -> None:
    links = [{**LINKS[0], "source_record_id": n, "person_id": f"p{n}"} for n in "123"]
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, links))
    lake.overwrite(EVENT, EVENT.rows(lake.spark, WITHOUT_PURCHASE))
    config = HistoryConfig(summary_lags_days=[0, 7])  # type: ignore[call-arg]
    with lake.writing("history"):
        metrics = stage.run(lake, config, APRIL).metrics
    assert metrics["revenue_of_persons"] == pytest.approx(13.0)
    assert metrics["revenue_without_purchase"] == pytest.approx(-4.0)
    assert metrics["revenue_from_the_date_on"] == pytest.approx(7.0)
    summaries = lake.read(CLV_SUMMARY).where("lag_days = 0").collect()
    assert [(r["person_id"], str(r["historical_revenue"])) for r in summaries] == [("p1", "10.00")]


@pytest.mark.slow
def test_summaries_that_lack_somebody_are_not_written(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, LINKS))
    lake.overwrite(EVENT, EVENT.rows(lake.spark, CANCELLED))
    summed = stage._summarise
    monkeypatch.setattr(stage, "_summarise", lambda *args: summed(*args).limit(0))
    config = HistoryConfig(summary_lags_days=[0])  # type: ignore[call-arg]
    with (
        lake.writing("history"),
        pytest.raises(ContractError, match=r"2026-04-01 is 0, history.person_day has 30.00 before"),
    ):
        stage.run(lake, config, APRIL)
    assert not lake.exists(CLV_SUMMARY)


@pytest.mark.slow
def test_the_stage_tells_what_was_annulled_and_reads_events_without_the_newer_columns(
    lake: Lakehouse,
) -> None:
    spark = lake.spark
    lake.overwrite(PRODUCT, PRODUCT.rows(spark, []))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, LINKS))
    newer = EVENT.names[EVENT.names.index("session_id") + 1 :]
    old = EVENT.rows(spark, [event(1, "order", "o", "02", "10.00")]).drop(*newer)
    config = HistoryConfig(summary_lags_days=[0])  # type: ignore[call-arg]
    with lake.writing("history"):
        lake.storage.save(old.write, EVENT.name)
        stage.run(lake, config, APRIL)
        assert shape(lake.read(ORDER)) == {("o", "purchase", 2): ("10.00", "completed")}
        lake.overwrite(EVENT, EVENT.rows(spark, CANCELLED))
        lake.log.forget_version(EVENT)
        report = stage.run(lake, config, APRIL)
    assert report.metrics == pytest.approx(
        {
            "revenue": 30.0, "revenue_of_persons": 30.0, "revenue_anonymous": 0.0, "revenue_annulled": 40.0
        }
    )  # fmt: skip
