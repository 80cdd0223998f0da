"""Prices with tax included: the tax is taken out of each line, and nothing is lost between landing and history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from support.ingest import ingest, land

from clvspark.history import stage as history
from clvspark.history.config import HistoryConfig
from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.sources.amounts import complete_amounts, contradiction_of
from clvspark.sources.tables import EVENT, QUARANTINE
from clvspark.sources.tax import take_out_tax

FIELDS = {"event_id": "id", "event_type": "kind", "occurred_at": "at", "channel": {"value": "web"}, "order_id": "id",
          "gross_revenue": "price", "discount": "off", "tax": "vat", "net_revenue": "paid", "cost": "cost",
          "margin": "margin"}  # fmt: skip
HEADER = "id,kind,at,price,off,vat,paid,cost,margin,taxed"
SALES = [
    "paid,order,2026-03-02,,,19.00,119.00,,,yes",
    "price,order,2026-03-02,119.00,23.80,15.20,,60.00,,yes",
    "all,order,2026-03-02,119.00,23.80,15.20,95.20,60.00,20.00,yes",
    "third,order,2026-03-02,10.00,0.01,1.60,9.99,,,yes",
    "refund,refund,2026-03-02,-119.00,,-19.00,,,,yes",
    "free,order,2026-03-02,119.00,119.00,,,,,yes",
    "without,order,2026-03-02,100.00,20.00,15.20,,,,no",
    "visit,visit,2026-03-02,,,,,,,",
    "untaxed,order,2026-03-02,,,,119.00,,,yes",
    "larger,order,2026-03-02,,,120.00,119.00,,,yes",
    "turned,order,2026-03-02,,,-19.00,119.00,,,yes",
    "margins,order,2026-03-02,,,19.00,119.00,60.00,59.00,yes",
    "prices,order,2026-03-02,119.00,20.00,19.00,119.00,,,yes",
    "nobody_knows,order,2026-03-02,,,19.00,119.00,,,perhaps",
]
AS_OF = date(2026, 4, 1)


@pytest.fixture(scope="module")
def taken(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("tax")
    output = {"to": "event", "fields": FIELDS, "prices_include_tax": "taxed"}
    config = land(folder, {"s.csv": [HEADER, *SALES]}, {"s.csv": [output]}, system="shop")
    lake = open_lake(folder)
    report = ingest(lake, config)
    events = {row["event_id"].removeprefix("shop:"): row for row in lake.read(EVENT).collect()}
    return SimpleNamespace(lake=lake, report=report, events=events)


@pytest.mark.parametrize(
    ("line", "amounts"),
    [
        # gross revenue, discount, tax, net revenue, cost, margin
        ("paid", ("100.00", "0.00", "19.00", "100.00", None, None)),
        ("price", ("100.00", "20.00", "15.20", "80.00", "60.00", "20.00")),
        ("all", ("100.00", "20.00", "15.20", "80.00", "60.00", "20.00")),
        # 10.00 x 8.39 / 9.99 = 8.398
        ("third", ("8.40", "0.01", "1.60", "8.39", None, None)),
        ("refund", ("-100.00", "0.00", "-19.00", "-100.00", None, None)),
        ("free", ("119.00", "119.00", "0.00", "0.00", None, None)),
        ("without", ("100.00", "20.00", "15.20", "80.00", None, None)),
        ("visit", (None, None, None, None, None, None)),
    ],
)
def test_tax_is_taken_out_of_the_prices_that_include_it(
    taken: SimpleNamespace, line: str, amounts: tuple[str | None, ...]
) -> None:
    names = ("gross_revenue", "discount", "tax", "net_revenue", "cost", "margin")
    found = [taken.events[line][name] for name in names]
    assert tuple(value if value is None else str(value) for value in found) == amounts


def test_a_line_whose_tax_is_not_known_or_cannot_be_is_in_quarantine(
    taken: SimpleNamespace,
) -> None:
    rows = taken.lake.read(QUARANTINE).collect()
    reasons = {row["raw"].split('"')[3].split(",")[0]: row["reason"] for row in rows}
    assert {name.removeprefix("shop:"): reason for name, reason in reasons.items()} == {
        "untaxed": "missing:tax",
        "larger": "contradictory_amounts",
        "turned": "contradictory_amounts",
        "margins": "contradictory_amounts",
        "prices": "contradictory_amounts",
        "nobody_knows": "bad_value:prices_include_tax",
    }


def test_revenue_without_tax_is_the_same_from_landing_to_history(taken: SimpleNamespace) -> None:
    lake = taken.lake
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, []))
    with lake.writing("history"):
        history.run(lake, HistoryConfig(), AS_OF)  # type: ignore[call-arg]
    kept = sum(row["net_revenue"] or 0 for row in taken.events.values())
    lost = sum(row["net_revenue"] or 0 for row in lake.read(QUARANTINE).collect())
    metrics = taken.report.metrics
    assert metrics["revenue_received"] == float(kept + lost)
    assert sum(row["net_revenue"] for row in lake.read(ORDER).collect()) == kept
    assert kept == Decimal("248.39")


cents = st.integers(0, 1_000_000).map(lambda n: Decimal(n) / 100)


@settings(max_examples=10)
@given(st.lists(st.tuples(cents, cents, st.integers(0, 300)), min_size=1, max_size=20))
def test_net_revenue_and_tax_are_what_was_paid_to_the_cent(
    spark: SparkSession, lines: list[tuple[Decimal, Decimal, int]]
) -> None:
    """Of lines with a price, a discount below it, and a rate of tax in thousandths."""
    rows = []
    for price, off, rate in lines:
        paid = max(price - off, Decimal(0))
        rows.append((price, price - paid, (paid * rate / (1000 + rate)).quantize(Decimal("0.01"))))
    names = ("gross_revenue", "discount", "tax")
    raw = spark.createDataFrame(rows, ", ".join(f"{name} decimal(18,2)" for name in names))
    said = {name: F.col(name) for name in names}
    plain = take_out_tax(said, F.lit(True))
    assert raw.where(contradiction_of(said, plain).isNotNull()).isEmpty()
    made = raw.select(
        (F.col("gross_revenue") - F.col("discount")).alias("paid"),
        *(
            column.alias(f"plain_{name}")
            for name, column in complete_amounts(plain, plain["net_revenue"]).items()
        ),
    )
    for row in made.collect():
        assert row["plain_net_revenue"] + row["plain_tax"] == row["paid"]
        assert row["plain_gross_revenue"] - row["plain_discount"] == row["plain_net_revenue"]
        assert row["plain_discount"] >= Decimal("-0.01")
