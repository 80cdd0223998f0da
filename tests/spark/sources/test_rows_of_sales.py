"""Sales are of one order of one system and one customer; only sales carry revenue; bad rows make no customers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from support.ingest import ingest

from clvspark.history import stage as history
from clvspark.history.config import HistoryConfig
from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.sources.compare_rows import find_shared_orders, warn_of_shared_orders
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import CUSTOMER_RECORD, EVENT, PRODUCT, QUARANTINE

SHOP = """
system: {system}
files:
  - path: {system}.csv
    format: csv
    outputs:
      - to: event
        fields:
          event_id: id
          event_type: kind
          source_record_id: card
          occurred_at: at
          channel: {{value: shop}}
          order_id: receipt
          net_revenue: amount
      - to: customer_record
        derived: true
        fields: {{source_record_id: card}}
"""
HEADER = "id,kind,card,at,receipt,amount"
SHOPS = {
    # Visits with an amount.
    "paid": [
        "1,order,c1,2026-03-01 10:00:00,r1,10.00",
        "2,visit,c1,2026-03-02 10:00:00,,5.00",
        "3,visit,c1,2026-03-02 10:00:00,,5.00",
        "4,visit,c1,2026-03-02 10:00:00,,0.00",
        "5,visit,c1,2026-03-02 10:00:00,,",
    ],
    "signs": [
        "1,order,c1,2026-03-01 10:00:00,r1,10.00",
        "2,refund,c1,2026-03-02 10:00:00,r1,4.00",
        "3,refund,c1,2026-03-02 10:00:00,r1,-4.00",
        "4,refund,c1,2026-03-02 10:00:00,r1,0.00",
        "5,order,c1,2026-03-02 10:00:00,r2,-4.00",
    ],
    # Two shops that number their receipts from 1.
    "till": [
        "1,order,c1,2026-03-01 10:00:00,1,10.00",
        "2,order,c1,2026-03-01 10:00:00,1,2.00",
    ],
    "web": ["1,order,c2,2026-03-05 10:00:00,1,30.00"],
    # Two tills under one name.
    "shared": [
        "1,order,c1,2026-03-01 10:00:00,1,10.00",
        "2,order,c2,2026-03-02 10:00:00,1,10.00",
        "3,order,c1,2026-03-04 10:00:00,2,5.00",
        "4,order,,2026-03-04 10:00:00,2,1.00",  # the card was not shown for this line
        "5,order,,2026-03-04 10:00:00,3,1.00",
        "6,refund,c3,2026-03-05 10:00:00,2,-5.00",  # somebody else brings it back
    ],
    "broken": [
        "1,order,good,2026-03-01 10:00:00,r1,10.00",
        "2,order,bad_date,2026-13-01 10:00:00,r2,10.00",
        "3,order,malformed,2026-03-01 10:00:00,r3,10.00,surplus",
        "4,order,twice,2026-03-01 10:00:00,r4,10.00",
        "4,order,twice,2026-03-01 10:00:00,r4,10.00",
        "5,order,both,2026-13-01 10:00:00,r5,10.00",
        "6,order,both,2026-03-01 10:00:00,r6,10.00",
    ],
    "misread": [
        *(f"{n},ordr,c1,2026-03-01 10:00:00,r{n},1.00" for n in range(3)),
        "9,order,c1,2026-03-01 10:00:00,r9,1.00",
    ],
}


@pytest.fixture(scope="module")
def taken(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """All shops ingested once, and their history; every record is a person."""
    folder = tmp_path_factory.mktemp("sales")
    for system, rows in SHOPS.items():
        (folder / f"{system}.csv").write_text("\n".join([HEADER, *rows, ""]))
    systems = [yaml.safe_load(SHOP.format(system=system)) for system in SHOPS]
    lake = open_lake(folder)
    config = SourcesConfig.model_validate({"landing": str(folder), "systems": systems})
    report = ingest(lake, config)
    records = defaultdict(set)
    for row in lake.read(CUSTOMER_RECORD).collect():
        records[row["source_system"]].add(row["source_record_id"])
    reasons = defaultdict(Counter)
    for row in lake.read(QUARANTINE).collect():
        reasons[row["source_system"]][row["reason"]] += 1
    build_history(lake, records)
    return SimpleNamespace(lake=lake, report=report, records=records, reasons=reasons)


def build_history(lake: Lakehouse, records: dict[str, set[str]]) -> None:
    links = [
        {"source_system": system, "source_record_id": record, "valid_from": "2026-01-01",
         "person_id": f"{system}-{record}", "reason": "match", "probability": 1,
         "recorded_at": "2026-01-01 06:00:00"}
        for system, found in records.items() for record in found
    ]  # fmt: skip
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, links))
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    config = HistoryConfig(summary_lags_days=[0])  # type: ignore[call-arg]
    with lake.writing("history"):
        history.run(lake, config, date(2026, 4, 1))


def test_revenue_of_a_visit_is_quarantined_and_still_counted(taken: SimpleNamespace) -> None:
    assert taken.reasons["paid"] == {"check:revenue_of_sales": 2}
    kept = taken.lake.read(EVENT).where("source_system = 'paid'").collect()
    assert {row["event_id"] for row in kept} == {"paid:1", "paid:4", "paid:5"}
    metrics = taken.report.metrics
    landed = sum(Decimal(row.split(",")[5] or 0) for rows in SHOPS.values() for row in rows)
    assert metrics["revenue_received"] == landed
    assert metrics["revenue_kept"] + metrics["revenue_quarantined"] == landed


def test_a_refund_is_never_revenue_nor_an_order_a_loss(taken: SimpleNamespace) -> None:
    assert taken.reasons["signs"] == {"check:revenue_sign": 2}
    kept = taken.lake.read(EVENT).where("source_system = 'signs'").collect()
    assert {row["event_id"] for row in kept} == {"signs:1", "signs:3", "signs:4"}


def test_orders_of_several_records_or_stores_are_found(spark: SparkSession) -> None:
    said = {"event_type": "order", "occurred_at": "2026-03-01", "channel": "shop", "net_revenue": 1}
    sales = [
        ("whole", "c1", "S1"), ("whole", None, "S1"), ("whole", "c1", None),
        ("records", "c1", "S1"), ("records", "c2", "S1"),
        ("stores", "c1", "S1"), ("stores", None, "S2"),
    ]  # fmt: skip
    rows = [
        {**said, "event_id": n, "order_id": order, "source_system": "s", "source_record_id": record, "store_id": store}
        for n, (order, record, store) in enumerate(sales)
    ]  # fmt: skip
    events = EVENT.rows(spark, rows).withColumn("_reasons", F.array().cast("array<string>"))
    shared = find_shared_orders(events)
    assert {(r["order_id"], r["has_records"], r["has_stores"]) for r in shared.collect()} == {
        ("records", True, False),
        ("stores", False, True),
    }
    (warning,) = warn_of_shared_orders(shared)
    assert warning.startswith("sources.event: 1 orders have lines of several stores")


def test_receipts_with_one_number_in_two_systems_are_two_orders(taken: SimpleNamespace) -> None:
    orders = taken.lake.read(ORDER).where("person_id LIKE 'till-%' OR person_id LIKE 'web-%'")
    assert {(r["order_id"], r["person_id"], r["net_revenue"]) for r in orders.collect()} == {
        ("till:1", "till-c1", Decimal("12.00")),
        ("web:1", "web-c2", Decimal("30.00")),
    }


def test_an_order_of_several_customers_of_one_system_is_quarantined_whole(
    taken: SimpleNamespace,
) -> None:
    assert taken.reasons["shared"] == {"order_of_several_records": 2}
    assert taken.records["shared"] == {"c1", "c3"}, "c2 is on no sound receipt"
    orders = taken.lake.read(ORDER).where("order_id LIKE 'shared:%'").collect()
    assert {(r["order_id"], r["is_purchase"], r["person_id"], r["net_revenue"]) for r in orders} == {
        ("shared:2", True, "shared-c1", Decimal("6.00")),
        ("shared:2", False, "shared-c3", Decimal("-5.00")),
        ("shared:3", True, None, Decimal("1.00")),
    }  # fmt: skip
    bad = taken.lake.read(QUARANTINE).where("source_system = 'shared'").collect()
    assert all('"order_id":"shared:1"' in row["raw"] for row in bad)


def test_a_row_in_quarantine_makes_no_customer(taken: SimpleNamespace) -> None:
    assert taken.reasons["broken"].total() == 4
    assert taken.records["broken"] == {"good", "twice", "both"}


def test_a_mapping_that_fits_hardly_any_row_is_told(taken: SimpleNamespace) -> None:
    (misread, *others) = [text for text in taken.report.warnings if not text.startswith("broken:")]
    assert others == []
    assert misread.startswith(
        "misread:misread.csv to sources.event: 3 of 4 rows are in quarantine, 3 of them with the reason "
        "check:event_type. Next step: look at such rows in sources.quarantine"
    )
