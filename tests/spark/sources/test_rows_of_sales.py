"""Sales are of one order of one system and one customer; only sales carry revenue; bad rows make no customers."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from clvspark.history import stage as history
from clvspark.history.config import HistoryConfig
from clvspark.history.tables import ORDER
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.sources import stage
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
          event_id: {{from: id, prefix: "{system}:"}}
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


def ingest(lake: Lakehouse, folder: Path, **shops: list[str]) -> RunReport:
    """Land the rows of each shop and take them."""
    for system, rows in shops.items():
        (folder / f"{system}.csv").write_text("\n".join([HEADER, *rows, ""]))
    systems = [yaml.safe_load(SHOP.format(system=system)) for system in shops]
    config = SourcesConfig.model_validate({"landing": str(folder), "systems": systems})
    with lake.writing("ingest"):
        return stage.run(lake, config)


def reasons(lake: Lakehouse) -> Counter[str]:
    return Counter(row["reason"] for row in lake.read(QUARANTINE).collect())


def records(lake: Lakehouse) -> set[tuple[str, str]]:
    found = lake.read(CUSTOMER_RECORD).collect()
    return {(row["source_system"], row["source_record_id"]) for row in found}


def build_history(lake: Lakehouse) -> list[Any]:
    links = [
        {"source_system": system, "source_record_id": record, "valid_from": "2026-01-01",
         "person_id": f"{system}-{record}", "reason": "match", "probability": 1,
         "recorded_at": "2026-01-01 06:00:00"}
        for system, record in records(lake)
    ]  # fmt: skip
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, links))
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    config = HistoryConfig(summary_lags_days=[0])  # type: ignore[call-arg]
    with lake.writing("history"):
        history.run(lake, config, date(2026, 4, 1))
    return lake.read(ORDER).collect()


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


def test_revenue_of_a_visit_is_quarantined_and_still_counted(
    lake: Lakehouse, landing: Path
) -> None:
    rows = ["1,order,c1,2026-03-01 10:00:00,r1,10.00"]
    rows += [f"v{n},visit,c1,2026-03-02 10:00:00,,5.00" for n in range(3)]
    rows += ["v9,visit,c1,2026-03-02 10:00:00,,0.00", "v8,visit,c1,2026-03-02 10:00:00,,"]
    report = ingest(lake, landing, till=rows)

    assert reasons(lake) == {"check:revenue_of_sales": 3}
    assert report.metrics["revenue_received"] == 25
    assert (report.metrics["revenue_kept"], report.metrics["revenue_quarantined"]) == (10, 15)
    assert {r["event_id"] for r in lake.read(EVENT).collect()} == {"till:1", "till:v9", "till:v8"}


def test_receipts_with_one_number_in_two_systems_are_two_orders(
    lake: Lakehouse, landing: Path
) -> None:
    till = ["1,order,c1,2026-03-01 10:00:00,1,10.00", "2,order,c1,2026-03-01 10:00:00,1,2.00"]
    web = ["1,order,c2,2026-03-05 10:00:00,1,30.00"]
    ingest(lake, landing, till=till, web=web)
    orders = {row["order_id"]: row for row in build_history(lake)}

    assert {name: (row["person_id"], row["net_revenue"]) for name, row in orders.items()} == {
        "till:1": ("till-c1", Decimal("12.00")),
        "web:1": ("web-c2", Decimal("30.00")),
    }


def test_an_order_of_several_customers_of_one_system_is_quarantined_whole(
    lake: Lakehouse, landing: Path
) -> None:
    shared = [f"{n},order,c{n},2026-03-0{n} 10:00:00,1,10.00" for n in (1, 2)]
    sound = [
        "3,order,c1,2026-03-04 10:00:00,2,5.00",
        "4,order,,2026-03-04 10:00:00,2,1.00",  # the card was not shown for this line
        "5,order,,2026-03-04 10:00:00,3,1.00",
        # Somebody else brings it back.
        "6,refund,c3,2026-03-05 10:00:00,2,-5.00",
    ]
    report = ingest(lake, landing, till=[*shared, *sound])

    assert reasons(lake) == {"order_of_several_records": 2}
    assert (report.metrics["revenue_kept"], report.metrics["revenue_quarantined"]) == (2, 20)
    assert records(lake) == {("till", "c1"), ("till", "c3")}, "c2 is on no sound receipt"
    raw = [row["raw"] for row in lake.read(QUARANTINE).collect()]
    assert all('"order_id":"till:1"' in text for text in raw)


def test_a_row_in_quarantine_makes_no_customer(lake: Lakehouse, landing: Path) -> None:
    rows = [
        "1,order,good,2026-03-01 10:00:00,r1,10.00",
        "2,order,bad_date,2026-13-01 10:00:00,r2,10.00",
        "3,order,malformed,2026-03-01 10:00:00,r3,10.00,surplus",
        "4,order,twice,2026-03-01 10:00:00,r4,10.00",
        "4,order,twice,2026-03-01 10:00:00,r4,10.00",
        "5,order,both,2026-13-01 10:00:00,r5,10.00",
        "6,order,both,2026-03-01 10:00:00,r6,10.00",
    ]
    ingest(lake, landing, till=rows)

    assert records(lake) == {("till", "good"), ("till", "twice"), ("till", "both")}
    assert lake.read(QUARANTINE).count() == 4


def test_a_mapping_that_fits_hardly_any_row_is_told(lake: Lakehouse, landing: Path) -> None:
    rows = [f"{n},ordr,c1,2026-03-01 10:00:00,r{n},1.00" for n in range(3)]
    report = ingest(lake, landing, till=[*rows, "9,order,c1,2026-03-01 10:00:00,r9,1.00"])

    (warning,) = report.warnings
    assert warning.startswith(
        "till:till.csv to sources.event: 3 of 4 rows are in quarantine, 3 of them with the reason "
        "check:event_type."
    )
    assert ingest(lake, landing, till=["9,order,c1,2026-03-01 10:00:00,r9,1.00"]).warnings == []
