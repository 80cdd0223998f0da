"""Orders, days and purchase summaries, held to plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession

from clvspark.history import histories, stage
from clvspark.history.clv_summary import list_late_changes, summarise_purchases
from clvspark.history.config import HistoryConfig
from clvspark.history.interactions import build_interactions
from clvspark.history.orders import add_up_lines, attach_person, build_orders
from clvspark.history.person_day import summarise_person_days
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY, TABLES
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.contract import verify_contract
from clvspark.lakehouse.errors import ContractError
from clvspark.sources.tables import EVENT, PRODUCT

APRIL = date(2026, 4, 1)


def event(
    event_id: str, order_id: str | None, at: str, amount: str | None, **more: object
) -> dict[str, object]:
    return {
        "event_id": event_id, "event_type": "order", "source_system": "shop", "occurred_at": at,
        "channel": "shop", "order_id": order_id, "quantity": 1, "net_revenue": amount, **more,
    }  # fmt: skip


EVENTS = [
    event(
        "e1",
        "o1",
        "2026-03-01 23:30:00",
        "10.00",
        source_record_id="1",
        product_id="tea",
        quantity=2,
    ),
    event("e2", "o1", "2026-03-01 23:30:00", "5.55", source_record_id="1", product_id="unknown"),
    event("e3", "o2", "2026-03-02 00:30:00", "4.00", source_record_id="2", product_id="tea"),
    event("e4", "o3", "2026-03-03 12:00:00", "7.00"),
    event(
        "e5",
        "r1",
        "2026-03-10 12:00:00",
        "-10.00",
        source_record_id="1",
        product_id="tea",
        quantity=2,
        event_type="refund",
    ),
    event(
        "e6",
        None,
        "2026-03-05 08:00:00",
        None,
        source_record_id="2",
        event_type="email_opened",
        campaign_id="c1",
    ),
    event("e7", None, "2026-03-05 08:00:00", None, event_type="visit"),
]
LINKS = [
    {"source_system": "shop", "source_record_id": record, "valid_from": "2026-01-01", "person_id": "p1",
     "reason": "match", "probability": 1, "recorded_at": "2026-01-01 06:00:00"}
    for record in ("1", "2")
]  # fmt: skip
PRODUCTS = [{"product_id": "tea", "unit_cost": "3.00"}]


@pytest.fixture(scope="module")
def events(spark: SparkSession) -> DataFrame:
    return attach_person(EVENT.rows(spark, EVENTS), PERSON_LINK.rows(spark, LINKS)).persist()


@pytest.fixture(scope="module")
def orders(spark: SparkSession, events: DataFrame) -> DataFrame:
    return build_orders(events, PRODUCT.rows(spark, PRODUCTS), default_margin_rate=0.3).persist()


def test_lines_add_up_to_orders_with_known_and_assumed_costs(orders: DataFrame) -> None:
    verify_contract(ORDER.conform(orders), ORDER)
    found = {row["order_id"]: row for row in orders.collect()}
    first = found["o1"]
    assert (first["lines"], first["units"], first["net_revenue"]) == (2, 3, Decimal("15.55"))
    # 2 x 3.00 known, 70 % of 5.55 assumed.
    assert first["cost"] == Decimal("6.00") + Decimal("3.89")
    assert first["margin"] == Decimal("5.66")
    assert found["o3"]["person_id"] is None
    assert {name: row["is_purchase"] for name, row in found.items()} == {
        "o1": True, "o2": True, "o3": True, "r1": False
    }  # fmt: skip


def test_a_refund_gives_its_cost_back(orders: DataFrame) -> None:
    (refund,) = orders.where("order_id = 'r1'").collect()
    assert (refund["net_revenue"], refund["cost"], refund["margin"]) == (
        Decimal("-10.00"), Decimal("-6.00"), Decimal("-4.00")
    )  # fmt: skip


def test_a_refund_of_money_alone_gives_no_cost_back(spark: SparkSession) -> None:
    at = "2026-03-02 10:00:00"
    tea: dict[str, object] = {"event_type": "refund", "product_id": "tea"}
    rows = [
        event("1", "o1", at, "30.00", product_id="tea", quantity=3),
        event("2", "o1", at, "-5.00", **tea, quantity=None),
        event("3", "o2", at, "10.00", product_id="unknown"),
        event("4", "o2", at, "-5.00", event_type="refund", product_id="unknown", quantity=0),
        # This shop counts no pieces: what it gives back is taken for goods.
        event("5", "o3", at, "10.00", quantity=None),
        event("6", "o3", at, "-10.00", event_type="refund", quantity=None),
        # Of an order that has not landed nobody knows.
        event("7", "o4", at, "-5.00", **tea, quantity=None),
    ]
    events = attach_person(EVENT.rows(spark, rows), PERSON_LINK.rows(spark, LINKS))
    orders = build_orders(events, PRODUCT.rows(spark, PRODUCTS), default_margin_rate=0.3)
    refunds = orders.where("row_type = 'refund'").collect()
    assert {row["order_id"]: (str(row["cost"]), str(row["margin"])) for row in refunds} == {
        "o1": ("0.00", "-5.00"),
        "o2": ("0.00", "-5.00"),
        "o3": ("-7.00", "-3.00"),
        "o4": ("0.00", "-5.00"),
    }


RECEIPT = [
    event("1", "o1", "2026-03-01 10:00:00", "40.00", source_record_id="1"),
    event("2", "o1", "2026-03-01 10:00:00", "2.50", source_record_id="1"),
    event("3", "o1", "2026-03-09 09:00:00", "-1.00", source_record_id="1", event_type="refund"),
    event("4", "o1", "2026-03-09 18:00:00", "-0.50", event_type="refund"),
    event("5", "o1", "2026-03-20 09:00:00", "-3.00", event_type="refund"),
    event("6", "o2", "2026-03-02 10:00:00", "7.00"),
    event("7", "o2", "2026-03-02 11:00:00", "-7.00", event_type="refund"),
]


def test_refunds_on_the_original_receipt_leave_the_purchase_and_count_on_their_own_days(
    spark: SparkSession,
) -> None:
    events = attach_person(EVENT.rows(spark, RECEIPT), PERSON_LINK.rows(spark, LINKS))
    orders = ORDER.conform(
        build_orders(events, PRODUCT.rows(spark, []), default_margin_rate=0.3)
    ).persist()
    verify_contract(orders, ORDER)
    assert {
        (row["order_id"], row["is_purchase"], row["ordered_at"].isoformat(" ")): (
            row["person_id"], row["lines"], row["net_revenue"],
        )
        for row in orders.collect()
    } == {
        ("o1", True, "2026-03-01 10:00:00"): ("p1", 2, Decimal("42.50")),
        # A refund that names nobody is of the person who ordered.
        ("o1", False, "2026-03-09 09:00:00"): ("p1", 2, Decimal("-1.50")),
        ("o1", False, "2026-03-20 09:00:00"): ("p1", 1, Decimal("-3.00")),
        ("o2", True, "2026-03-02 10:00:00"): (None, 1, Decimal("7.00")),
        ("o2", False, "2026-03-02 11:00:00"): (None, 1, Decimal("-7.00")),
    }  # fmt: skip
    days = summarise_person_days(orders, build_interactions(events)).collect()
    assert {
        row["day"].isoformat(): (row["orders"], row["refunds"], row["net_revenue"]) for row in days
    } == {
        "2026-03-01": (1, 0, Decimal("42.50")),
        "2026-03-09": (0, 1, Decimal("-1.50")),
        "2026-03-20": (0, 1, Decimal("-3.00")),
    }


order_lines = st.lists(
    st.tuples(
        st.sampled_from(["o1", "o2", "o3"]),
        st.booleans(),
        st.integers(0, 3),
        st.integers(0, 5_000),
        st.sampled_from([None, "1"]),
    ),
    max_size=15,
)


@settings(max_examples=8)
@given(order_lines)
def test_every_order_is_one_purchase_and_no_cent_is_lost(
    spark: SparkSession, lines: list[tuple[str, bool, int, int, str | None]]
) -> None:
    rows = [
        event(
            str(n),
            order,
            f"2026-03-{10 + on} 10:00:00",
            str(Decimal(-cents if refund else cents) / 100),
            source_record_id=record,
            event_type="refund" if refund else "order",
        )
        for n, (order, refund, on, cents, record) in enumerate(lines)
    ]
    events = attach_person(EVENT.rows(spark, rows), PERSON_LINK.rows(spark, LINKS))
    orders = ORDER.conform(build_orders(events, PRODUCT.rows(spark, []), default_margin_rate=0.3))
    verify_contract(orders, ORDER)
    found = orders.collect()
    bought = sorted({order for order, refund, *_ in lines if not refund})
    refunded = {(order, on) for order, refund, on, *_ in lines if refund}
    assert sorted(row["order_id"] for row in found if row["is_purchase"]) == bought
    assert len(found) == len(bought) + len(refunded)
    assert sum(row["lines"] for row in found) == len(lines)
    assert sum(row["net_revenue"] for row in found) == sum(Decimal(r["net_revenue"]) for r in rows)


def test_interactions_are_events_of_known_persons_that_are_no_orders(events: DataFrame) -> None:
    rows = INTERACTION.conform(build_interactions(events)).collect()
    assert [(row["event_id"], row["person_id"], row["interaction_type"]) for row in rows] == [
        ("e6", "p1", "email_opened")
    ]


def test_days_are_utc_and_a_refund_counts_on_its_own_day(
    events: DataFrame, orders: DataFrame
) -> None:
    days = PERSON_DAY.conform(summarise_person_days(orders, build_interactions(events)))
    found = {row["day"].isoformat(): row for row in days.collect()}
    assert {
        day: (row["orders"], row["refunds"], row["net_revenue"], row["interactions"])
        for day, row in found.items()
    } == {
        "2026-03-01": (1, 0, Decimal("15.55"), 0),
        "2026-03-02": (1, 0, Decimal("4.00"), 0),
        "2026-03-05": (0, 0, Decimal("0.00"), 1),
        "2026-03-10": (0, 1, Decimal("-10.00"), 0),
    }


def write_inputs(lake: Lakehouse, events: list[dict[str, object]]) -> None:
    lake.overwrite(EVENT, EVENT.rows(lake.spark, events))
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, PRODUCTS))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, LINKS))


@pytest.mark.slow
def test_revenue_of_the_stage_agrees_and_a_rerun_writes_nothing(lake: Lakehouse) -> None:
    write_inputs(lake, EVENTS)
    config = HistoryConfig(summary_lags_days=[0, 30])  # type: ignore[call-arg]
    with lake.writing("history"):
        report = stage.run(lake, config, APRIL)
        assert report.metrics == pytest.approx(
            {"revenue": 16.55, "revenue_of_persons": 9.55, "revenue_anonymous": 7.0}
        )
        versions = [lake.version(table) for table in (ORDER, PERSON_DAY, CLV_SUMMARY)]
        assert stage.run(lake, config, APRIL).status == "unchanged"
        assert [lake.version(table) for table in (ORDER, PERSON_DAY, CLV_SUMMARY)] == versions


def test_revenue_that_no_order_has_is_refused(lake: Lakehouse) -> None:
    write_inputs(lake, EVENTS)
    paid_visit = event("v1", None, "2026-03-05 08:00:00", "5.00", event_type="visit")
    lake.storage.save(EVENT.rows(lake.spark, [paid_visit]).write.mode("append"), EVENT.name)
    with (
        lake.writing("history"),
        pytest.raises(ContractError, match=r"net_revenue is 16\.55, the events have 21\.55"),
    ):
        stage.run(lake, HistoryConfig(summary_lags_days=[0]), APRIL)  # type: ignore[call-arg]
    assert [table.name for table in TABLES if lake.exists(table)] == []


@pytest.mark.slow
def test_summaries_of_one_date_are_not_touched_by_another(lake: Lakehouse) -> None:
    write_inputs(lake, EVENTS)
    config = HistoryConfig(summary_lags_days=[0, 30])  # type: ignore[call-arg]
    may = date(2026, 5, 1)  # less its lag of 30 days this is April

    def of_april() -> list[object]:
        rows = lake.read(CLV_SUMMARY).where(f"as_of_date = DATE'{APRIL}'")
        return rows.orderBy("person_id", "lag_days").collect()

    with lake.writing("history"):
        stage.run(lake, config, APRIL)
        before = of_april()
        stage.run(lake, config, may)
        version = lake.version(CLV_SUMMARY)
        assert stage.run(lake, config, may).status == "unchanged"
    assert before
    assert of_april() == before
    assert lake.version(CLV_SUMMARY) == version
    rows = lake.read(CLV_SUMMARY).select("as_of_date", "lag_days").distinct().collect()
    assert {tuple(row) for row in rows} == {(APRIL, 0), (APRIL, 30), (may, 0), (may, 30)}


def day(person: str, on: date, orders: int, amount: int, refunds: int = 0) -> dict[str, object]:
    return {
        "person_id": person, "day": on, "orders": orders, "refunds": refunds, "net_revenue": amount,
        "margin": amount / 2, "interactions": 0,
    }  # fmt: skip


def test_an_empty_history_gives_an_empty_summary(spark: SparkSession) -> None:
    assert summarise_purchases(PERSON_DAY.rows(spark, []), as_of=APRIL, lags_days=[0]).count() == 0


def test_refunds_lower_spend_but_are_no_purchase(spark: SparkSession) -> None:
    days = [
        day("p1", date(2026, 3, 1), 1, 100), day("p1", date(2026, 3, 11), 2, 60),
        day("p1", date(2026, 3, 21), 0, -20, refunds=1), day("p2", date(2026, 3, 31), 0, -5, refunds=1),
    ]  # fmt: skip
    (row,) = summarise_purchases(PERSON_DAY.rows(spark, days), as_of=APRIL, lags_days=[0]).collect()
    assert (row["person_id"], row["frequency"], row["recency_days"], row["t_days"]) == (
        "p1",
        1,
        10,
        30,
    )
    assert (row["orders"], row["historical_revenue"]) == (3, Decimal("140.00"))
    assert row["monetary_value"] == pytest.approx(60 - 20)
    assert row["monetary_margin"] == pytest.approx(20)


def test_log_intervals_are_of_the_purchase_days_known_and_of_no_refund(
    spark: SparkSession,
) -> None:
    days = [
        day("p1", date(2026, 3, 1), 1, 100), day("p1", date(2026, 3, 5), 0, -20, refunds=1),
        day("p1", date(2026, 3, 11), 2, 60), day("p1", date(2026, 3, 31), 1, 30),
        day("p2", date(2026, 3, 2), 1, 10),
    ]  # fmt: skip
    found = summarise_purchases(PERSON_DAY.rows(spark, days), as_of=APRIL, lags_days=[0, 7])
    sums = {(row["person_id"], row["lag_days"]): row["log_intervals"] for row in found.collect()}
    assert sums == {
        ("p1", 0): pytest.approx(math.log(10) + math.log(20)),
        ("p1", 7): pytest.approx(math.log(10)),
        ("p2", 0): 0.0,
        ("p2", 7): 0.0,
    }


def test_what_is_refunded_of_the_first_day_is_no_spend_of_the_later_ones(
    spark: SparkSession,
) -> None:
    first, third = date(2026, 3, 1), date(2026, 3, 3)
    bought = {"o1": f"{first} 12:00:00", "o2": "2026-03-20 12:00:00"}

    def order(number: str, on: date, amount: int, *, refund: bool = False) -> dict[str, object]:
        return {
            "order_id": number, "person_id": "p1", "ordered_at": f"{on} 12:00:00", "channel": "web",
            "is_purchase": not refund, "row_type": "refund" if refund else "purchase", "lines": 1,
            "purchased_at": bought.get(number), "net_revenue": amount, "cost": 0, "margin": amount,
        }  # fmt: skip

    orders = [
        order("o1", first, 1000), order("o1", third, -900, refund=True),
        order("o1", date(2026, 3, 25), -100, refund=True), order("o2", date(2026, 3, 20), 24),
        order("o2", date(2026, 3, 22), -4, refund=True), order("lost", date(2026, 3, 23), -1, refund=True),
    ]  # fmt: skip
    table = ORDER.rows(spark, orders)
    days = summarise_person_days(table, spark.createDataFrame([], INTERACTION.schema))
    found = summarise_purchases(
        days, as_of=APRIL, lags_days=[0, 10], late_changes=list_late_changes(table)
    )
    spend = {row["lag_days"]: row["monetary_value"] for row in found.collect()}
    assert spend[0] == pytest.approx(24 - 4 - 1)
    assert spend[10] == pytest.approx(24), "as of March 22nd nothing else was known"
    (row,) = found.where("lag_days = 0").collect()
    assert row["historical_revenue"] == Decimal("19.00")


def test_a_purchase_on_the_last_day_counted_has_t_0(spark: SparkSession) -> None:
    days = [day("p1", date(2026, 3, 31), 1, 10), day("p2", APRIL, 1, 10)]
    (row,) = summarise_purchases(PERSON_DAY.rows(spark, days), as_of=APRIL, lags_days=[0]).collect()
    assert (row["person_id"], row["frequency"], row["t_days"], row["monetary_value"]) == (
        "p1",
        0,
        0,
        0.0,
    )


START = date(2026, 1, 1)
purchases = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 100), st.integers(1, 500)),
    min_size=1,
    max_size=25,
    unique_by=lambda p: p[:2],
)


@settings(max_examples=8)
@given(purchases, st.lists(st.integers(0, 101), min_size=1, max_size=3))
def test_summaries_agree_with_plain_python(
    spark: SparkSession, bought: list[tuple[str, int, int]], ends: list[int]
) -> None:
    last = START + timedelta(days=101)
    lags = [101 - end for end in ends]
    days = PERSON_DAY.rows(
        spark, [day(p, START + timedelta(days=n), 1, amount) for p, n, amount in bought]
    )
    summary = CLV_SUMMARY.conform(summarise_purchases(days, as_of=last, lags_days=lags))
    verify_contract(summary, CLV_SUMMARY)
    found = {
        (r["person_id"], 101 - r["lag_days"]): (
            r["frequency"],
            r["recency_days"],
            r["t_days"],
            r["monetary_value"],
        )
        for r in summary.collect()
    }
    expected: dict[tuple[str, int], tuple[int, int, int, float]] = {}
    for end in set(ends):
        by_person: dict[str, dict[int, int]] = defaultdict(dict)
        for person, n, amount in bought:
            if n < end:
                by_person[person][n] = amount
        for person, on in by_person.items():
            first, last = min(on), max(on)
            repeats = [amount for n, amount in on.items() if n > first]
            mean = sum(repeats) / len(repeats) if repeats else 0.0
            expected[person, end] = (len(repeats), last - first, end - 1 - first, mean)
    assert found == {key: pytest.approx(value) for key, value in expected.items()}


def test_revenue_that_does_not_add_up_is_refused(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs(lake, EVENTS)
    monkeypatch.setattr(
        histories, "add_up_lines", lambda *a, **k: add_up_lines(*a, **k).where("order_id <> 'o1'")
    )
    with (
        lake.writing("history"),
        pytest.raises(ContractError, match=r"net_revenue is 1\.00, the events have 16\.55"),
    ):
        stage.run(lake, HistoryConfig(summary_lags_days=[0]), APRIL)  # type: ignore[call-arg]
    assert [table.name for table in TABLES if lake.exists(table)] == []
