"""Amounts of a line: what follows from what is said, contradictions, and other currencies at dated rates."""

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

from clvspark.lakehouse import Lakehouse
from clvspark.sources.amounts import SAID, complete_amounts, contradiction_of
from clvspark.sources.config import Output
from clvspark.sources.currencies import convert_amounts
from clvspark.sources.tables import EVENT, EXCHANGE_RATE, QUARANTINE

FIELDS = {
    "event_id": "id",
    "event_type": "kind",
    "occurred_at": "at",
    "channel": {"value": "web"},
    "order_id": "id",
    "gross_revenue": "gross",
    "discount": "off",
    "tax": "tax",
    "net_revenue": "net",
    "cost": "cost",
    "margin": "margin",
    "currency": "currency",
}
HEADER = "id,kind,at,gross,off,tax,net,cost,margin,currency"
SALES = [
    "net,order,2026-03-02,,,,10.00,,,USD",
    "gross,order,2026-03-02,12.00,2.00,0.70,,4.00,,usd",
    "all,order,2026-03-02,12.00,2.00,0.70,10.00,4.00,6.00,USD",
    "a_cent,order,2026-03-02,11.99,2.00,0,10.00,4.00,5.99,USD",
    "margin,order,2026-03-02,,,,10.00,,6.00,USD",
    "refund,refund,2026-03-02,-12.00,-2.00,-0.70,-10.00,-4.00,,USD",
    "two_cents,order,2026-03-02,12.02,2.00,,10.00,,,USD",
    "margins,order,2026-03-02,,,,10.00,4.00,5.00,USD",
    "surcharge,order,2026-03-02,8.00,-2.00,,10.00,,,USD",
    "unnamed,order,2026-03-02,,,,10.00,,,",
    "euro,order,2026-03-02 23:59:59,10.10,0.05,0.99,10.05,1.01,,EUR",
    "next_day,order,2026-03-03,,,,10.05,,,EUR",
    "gap,order,2026-03-06,,,,10.05,,,eur",
    "early,order,2026-02-28 23:59:59,,,,10.05,,,EUR",
    "pound,order,2026-03-02,,,,10.00,,,GBP",
    "visit,visit,2026-03-02,,,,,,,GBP",
]
RATES = ["currency,day,rate", "EUR,2026-03-01,1.1", "eur,2026-03-03,1.25", "EUR,2026-03-09,3"]


@pytest.fixture(scope="module")
def taken(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("amounts")
    rate = {"currency": "currency", "valid_on": "day", "rate": "rate"}
    config = land(
        folder,
        {"sales.csv": [HEADER, *SALES], "rates.csv": RATES},
        {
            "sales.csv": [{"to": "event", "fields": FIELDS}],
            "rates.csv": [{"to": "exchange_rate", "fields": rate}],
        },
        system="shop",
    )
    lake = open_lake(folder)
    report = ingest(lake, config)
    events = {
        row["event_id"].removeprefix("shop:"): {
            name: str(value) if isinstance(value, Decimal) else value
            for name, value in row.asDict().items()
        }
        for row in lake.read(EVENT).collect()
    }
    return SimpleNamespace(lake=lake, report=report, events=events)


@pytest.mark.parametrize(
    ("line", "amounts"),
    [
        # gross revenue, discount, tax, net revenue, cost, margin
        ("net", ("10.00", "0.00", "0.00", "10.00", None, None)),
        ("gross", ("12.00", "2.00", "0.70", "10.00", "4.00", "6.00")),
        ("all", ("12.00", "2.00", "0.70", "10.00", "4.00", "6.00")),
        ("a_cent", ("11.99", "1.99", "0.00", "10.00", "4.00", "6.00")),
        ("margin", ("10.00", "0.00", "0.00", "10.00", "4.00", "6.00")),
        ("refund", ("-12.00", "-2.00", "-0.70", "-10.00", "-4.00", "-6.00")),
    ],
)
def test_amounts_that_are_not_said_follow_from_those_that_are(
    taken: SimpleNamespace, line: str, amounts: tuple[str | None, ...]
) -> None:
    names = ("gross_revenue", "discount", "tax", "net_revenue", "cost", "margin")
    assert tuple(taken.events[line][name] for name in names) == amounts


def test_amounts_that_contradict_each_other_are_in_quarantine(taken: SimpleNamespace) -> None:
    rows = taken.lake.read(QUARANTINE).collect()
    reasons = {row["raw"].split('"')[3].removeprefix("shop:"): row["reason"] for row in rows}
    assert {name.split(",")[0]: reason for name, reason in reasons.items()} == {
        "two_cents": "contradictory_amounts",
        "margins": "contradictory_amounts",
        "surcharge": "check:discount_sign",
        "unnamed": "missing:currency",
        "early": "missing:exchange_rate",
        "pound": "missing:exchange_rate",
    }


def test_other_currencies_are_converted_at_the_rate_of_the_day_or_the_last_one_before(
    taken: SimpleNamespace,
) -> None:
    found = {
        name: (e["net_revenue"], e["exchange_rate"], e["original_net_revenue"], e["currency"])
        for name, e in taken.events.items()
        if e["currency"] == "EUR"
    }
    assert found == {
        # 11.055 is rounded to the even cent.
        "euro": ("11.06", "1.1000000000", "10.05", "EUR"),
        "next_day": ("12.56", "1.2500000000", "10.05", "EUR"),
        "gap": ("12.56", "1.2500000000", "10.05", "EUR"),
    }
    euro = taken.events["euro"]
    amounts = [euro[name] for name in ("gross_revenue", "discount", "tax", "cost", "margin")]
    assert amounts == ["11.11", "0.05", "1.09", "1.11", "9.95"]
    assert taken.events["net"]["exchange_rate"] is None


def test_what_cannot_be_converted_is_no_amount_of_the_lakehouse(taken: SimpleNamespace) -> None:
    lost = taken.lake.read(QUARANTINE).where("reason = 'missing:exchange_rate'").collect()
    assert [row["net_revenue"] for row in lost] == [None, None]
    assert all('"original_net_revenue":10' in row["raw"] for row in lost)
    assert "visit" in taken.events, "without an amount nothing is to be converted"
    metrics = taken.report.metrics
    kept = sum(Decimal(e["net_revenue"]) for e in taken.events.values() if e["net_revenue"])
    assert metrics["revenue_kept"] == float(kept)
    assert metrics["revenue_received"] == float(kept + 4 * 10)


cents = st.integers(0, 10_000).map(lambda n: Decimal(n) / 100)
lines = st.lists(
    st.tuples(st.none() | cents, st.none() | cents, st.none() | cents), min_size=1, max_size=20
)


@settings(max_examples=10)
@given(lines, st.integers(1, 10**12))
def test_gross_less_discount_is_net_to_the_cent_before_and_after_conversion(
    spark: SparkSession, amounts: list[tuple[Decimal | None, ...]], rate: int
) -> None:
    raw = spark.createDataFrame(
        amounts, "gross_revenue decimal(18,2), discount decimal(18,2), net_revenue decimal(18,2)"
    )
    said = {name: F.col(name) for name in SAID}
    base = EVENT.rows(
        spark, [{"event_type": "order", "occurred_at": "2026-03-02", "currency": "EUR"}]
    )
    made = complete_amounts(said)
    lines = raw.where(contradiction_of(said).isNull()).select(
        *(c.alias(n) for n, c in made.items())
    )
    rest = base.drop(*made).withColumns(
        {"_raw": F.lit("x"), "_reasons": F.array().cast("array<string>")}
    )
    dated = [{"currency": "EUR", "valid_on": date(2026, 3, 1), "rate": Decimal(rate).scaleb(-6)}]
    events = rest.crossJoin(lines).select(*EVENT.names, "_raw", "_reasons")
    converted = convert_amounts(events, EXCHANGE_RATE.rows(spark, dated), currency="USD")
    for frame in (events, converted):
        for row in frame.where("net_revenue IS NOT NULL").collect():
            assert row["gross_revenue"] - row["discount"] == row["net_revenue"]


def test_a_mapping_cannot_say_what_ingest_makes() -> None:
    fields = {name: FIELDS[name] for name in ("event_id", "event_type", "occurred_at", "channel")}
    with pytest.raises(ValueError, match=r"exchange_rate of event is made by ingest"):
        Output.model_validate({"to": "event", "fields": {**fields, "exchange_rate": "rate"}})
    with pytest.raises(ValueError, match=r"amounts of a derived event are not converted"):
        Output.model_validate(
            {"to": "event", "derived": True, "fields": {**fields, "currency": "currency"}}
        )
