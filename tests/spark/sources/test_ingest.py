"""A source described by YAML only: what is kept, what is quarantined and why, and that the sums agree."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from support.ingest import ingest

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import CUSTOMER_RECORD, EVENT, PRODUCT, QUARANTINE

KIOSK = """
system: kiosk
files:
  - path: kiosk/sales_*.csv
    format: csv
    outputs:
      - to: event
        fields:
          event_id: {join: [receipt, line]}
          event_type: {value: order}
          source_record_id: card
          occurred_at: {from: sold_at, formats: ["yyyy-MM-dd HH:mm"], timezone: Europe/London}
          channel: {value: shop}
          order_id: {from: receipt, prefix: "kiosk:"}
          product_id: sku
          quantity: quantity
          net_revenue: amount
  - path: kiosk/products.csv
    format: csv
    delimiter: ";"
    unknown_columns: quarantine
    outputs:
      - to: product
        fields: {product_id: sku, name: name, list_price: price}
"""
GUEST = """
system: guest
files:
  - path: guest/orders.jsonl
    format: jsonl
    outputs:
      - to: event
        fields:
          event_id: {join: [order, line]}
          event_type: {from: kind, transforms: [trim, lower], map: {sale: order, return: refund}}
          source_record_id: {from: buyer.email, transforms: [lower, sha256]}
          occurred_at: at
          channel: {value: web}
          order_id: {from: order, prefix: "guest:"}
          net_revenue: amount
      - to: customer_record
        derived: true
        fields:
          source_record_id: {from: buyer.email, transforms: [lower, sha256]}
          full_name: buyer.name
          email: buyer.email
"""
MARCH = """receipt,line,sold_at,card,sku,quantity,amount
r1,1,2026-03-01 10:00,c1,s1,2,10.10
r1,2,2026-03-01 10:00,c1,s2,1,0.25
r2,1,2026-13-45 10:00,c1,s1,1,7.00
r3,1,2026-03-02 10:00,,s1,-2,20.00
r4,1,2026-03-02 10:00,c2,s1,1,12.345
r5,1,2026-03-02 10:00,c2,s1,1,abc
r6,1,2026-03-02 10:00,c2,s1,1,5.00,surplus
r7,1,2026-03-02 10:00,c2,s1,1,3.33
r7,1,2026-03-02 10:00,c2,s1,1,3.33
,1,2026-03-02 10:00,c2,s1,1,4.00
r8,1,2026-03-02 10:00,,s1,1,99999999999999999999.00
"""
# A later drop has its columns in another order, and one more.
JULY = """line,receipt,sold_at,card,sku,operator,amount,quantity
1,r9,2026-07-01 10:00,c9,s1,op7,8.40,1
"""
PRODUCTS = """sku;name;price
s1;Café;5.05
s2;"Tea; green";0.25
s3;;-1
"""
ORDERS = [
    (
        b'{"order": "g1", "line": 1, "kind": " Sale", "at": "2026-03-05T12:00:00Z", "amount": 30.5, '
        b'"buyer": {"email": "Ann@example.org", "name": "Ann Lee"}}'
    ),
    (
        b'{"order": "g2", "line": 1, "kind": "return", "at": "2026-03-06 12:00:00", "amount": "-10.50", '
        b'"buyer": {"email": "ann@example.org"}, "gift": true}'
    ),
    b'{"order": "g3", "line": 1, "kind": "swap", "at": "2026-03-06 12:00:00", "amount": "1.00", "buyer": {}}',
    b'{"order": "g4", "line": 1, "kind": "sale", "at": "2026-03-06',
    (
        b'{"order": "g5", "line": 1, "kind": "sale", "at": "2026-03-06 12:00:00", "amount": "2.00", '
        b'"buyer": {"email": "b@example.org", "name": "Ren\xe9e"}}'
    ),
    b"",
]


def write_landing(folder: Path) -> None:
    for name in ("kiosk", "guest"):
        (folder / name).mkdir(parents=True)
    (folder / "kiosk/sales_2026-03.csv").write_text(MARCH, encoding="utf-8")
    (folder / "kiosk/sales_2026-07.csv").write_text("\ufeff" + JULY, encoding="utf-8")
    (folder / "kiosk/products.csv").write_text(PRODUCTS, encoding="utf-8")
    (folder / "guest/orders.jsonl").write_bytes(b"\n".join(ORDERS) + b"\n")


def described(landing: Path, *systems: str) -> SourcesConfig:
    return SourcesConfig.model_validate(
        {"landing": str(landing), "systems": [yaml.safe_load(system) for system in systems]}
    )


@pytest.fixture(scope="module")
def taken(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """Both systems ingested once."""
    folder = tmp_path_factory.mktemp("ingest")
    write_landing(folder / "landing")
    lake, config = open_lake(folder), described(folder / "landing", KIOSK, GUEST)
    report = ingest(lake, config)
    events = {row["event_id"]: row for row in lake.read(EVENT).collect()}
    bad = lake.read(QUARANTINE).collect()
    return SimpleNamespace(
        lake=lake, config=config, report=report, events=events, bad=bad, folder=folder
    )


def test_columns_that_nothing_reads_are_told(taken: SimpleNamespace) -> None:
    told = [text.partition(". Next step")[0] for text in taken.report.warnings]
    assert told[:2] == [
        "guest:guest/orders.jsonl: 1 of 5 rows have columns that nothing reads, e.g. gift",
        "kiosk:kiosk/sales_*.csv: 1 of 12 rows have columns that nothing reads, e.g. operator",
    ]
    assert taken.report.metrics["rows_with_unknown_columns"] == 2


def test_good_rows_are_kept(taken: SimpleNamespace) -> None:
    assert set(taken.events) == {
        "kiosk:r1:1", "kiosk:r1:2", "kiosk:r7:1", "kiosk:r9:1", "guest:g1:1", "guest:g2:1"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ("r2", "bad_value:occurred_at"),
        ("r3", "check:quantity"),
        ("r4", "bad_value:net_revenue"),
        ("r5", "bad_value:net_revenue"),
        ("r6", "malformed_row"),
        ("r7", "copy"),
        ("r8", "bad_value:net_revenue"),
        ("g3", "missing:event_type"),
        ("g4", "malformed_row"),
        ("g5", "wrong_encoding"),
        ("s3", "check:list_price"),
    ],
)
def test_bad_rows_are_quarantined_with_their_reason(
    taken: SimpleNamespace, marker: str, reason: str
) -> None:
    found = [row for row in taken.bad if re.search(rf"\b{marker}\b", row["raw"])]
    assert len(found) == 1
    assert reason in found[0]["reasons"]
    assert found[0]["reason"] == found[0]["reasons"][0]


def test_what_quarantine_shows_is_utf8_for_every_reader(taken: SimpleNamespace) -> None:
    assert taken.lake.read(QUARANTINE).where("NOT is_valid_utf8(raw)").count() == 0


def test_a_row_without_its_key_is_quarantined(taken: SimpleNamespace) -> None:
    (row,) = [row for row in taken.bad if row["net_revenue"] == Decimal("4.00")]
    assert row["file_name"] == "kiosk/sales_2026-03.csv"


def test_good_and_bad_make_up_what_landed(taken: SimpleNamespace) -> None:
    metrics = taken.report.metrics
    assert metrics["rows_received"] == 11 + 1 + 3 + 5
    assert metrics["rows_quarantined"] == len(taken.bad) == 12
    assert metrics["rows_kept"] == 6 + 2


def test_revenue_agrees_to_the_cent(taken: SimpleNamespace) -> None:
    kept = sum(row["net_revenue"] for row in taken.events.values())
    assert kept == sum(map(Decimal, ("10.10", "0.25", "3.33", "8.40", "30.50", "-10.50")))
    metrics = taken.report.metrics
    assert metrics["revenue_kept"] == pytest.approx(float(kept))
    received = metrics["revenue_kept"] + metrics["revenue_quarantined"]
    assert metrics["revenue_received"] == pytest.approx(received, abs=0.001)


def test_instants_are_read_in_the_zone_of_the_system(taken: SimpleNamespace) -> None:
    winter, summer = (taken.events[f"kiosk:{name}:1"]["occurred_at"] for name in ("r1", "r9"))
    assert (winter.hour, summer.hour) == (10, 9)


def test_columns_may_move_between_the_files_of_a_kind(taken: SimpleNamespace) -> None:
    row = taken.events["kiosk:r9:1"]
    assert (row["source_record_id"], row["quantity"], row["net_revenue"]) == (
        "c9",
        1,
        Decimal("8.40"),
    )


def test_steps_of_a_field_are_applied_in_order(taken: SimpleNamespace) -> None:
    sale, refund = taken.events["guest:g1:1"], taken.events["guest:g2:1"]
    assert (sale["event_type"], refund["event_type"]) == ("order", "refund")
    assert sale["source_record_id"] == refund["source_record_id"], "one address in two spellings"
    assert taken.events["kiosk:r1:1"]["source_record_id"] == "c1"


def test_derived_records_appear_once_and_full(taken: SimpleNamespace) -> None:
    rows = taken.lake.read(CUSTOMER_RECORD).where("source_system = 'guest'").collect()
    names = {row["email"].lower(): row["full_name"] for row in rows if row["email"]}
    assert names["ann@example.org"] == "Ann Lee"
    assert len({row["source_record_id"] for row in rows}) == len(rows)


def test_quoted_cells_and_letters_survive(taken: SimpleNamespace) -> None:
    names = {row["product_id"]: row["name"] for row in taken.lake.read(PRODUCT).collect()}
    assert names == {"s1": "Café", "s2": "Tea; green"}


def test_an_unchanged_landing_folder_is_not_read_again(taken: SimpleNamespace) -> None:
    versions = {table.name: taken.lake.version(table) for table in (EVENT, QUARANTINE, PRODUCT)}
    assert ingest(taken.lake, taken.config).status == "unchanged"
    assert {
        table.name: taken.lake.version(table) for table in (EVENT, QUARANTINE, PRODUCT)
    } == versions


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_landing(folder)
    return folder


def test_columns_that_nobody_named_can_be_quarantined(
    lake: Lakehouse, landing: Path, tmp_path: Path
) -> None:
    target = tmp_path / "landing/kiosk"
    target.mkdir(parents=True)
    (target / "products.csv").write_text("sku;name;price;colour\ns1;Tea;1.00;green\n")
    only = yaml.safe_load(KIOSK)
    only["files"] = only["files"][1:]
    ingest(lake, described(tmp_path / "landing", yaml.safe_dump(only)))
    (row,) = lake.read(QUARANTINE).collect()
    assert row["reasons"] == ["unknown_columns"]
    assert "green" in row["raw"]


def test_a_missing_file_or_column_stops_before_anything_is_written(
    lake: Lakehouse, tmp_path: Path
) -> None:
    config = described(tmp_path, KIOSK)
    with pytest.raises(
        MissingInputError,
        match=r"No landing file in .* matches kiosk/sales_\*.csv \(kiosk\), kiosk/products.csv \(kiosk\)",
    ):
        ingest(lake, config)
    write_landing(tmp_path / "x")
    file = tmp_path / "x/kiosk/products.csv"
    file.write_text(file.read_text().replace("price", "cost"))
    with pytest.raises(
        ConfigError, match="column 'price' is missing; the file has sku, name, cost"
    ):
        ingest(lake, described(tmp_path / "x", KIOSK))
    assert not lake.exists(EVENT)
    assert not lake.exists(PRODUCT)


def test_a_package_that_is_not_installed_is_named(lake: Lakehouse) -> None:
    config = SourcesConfig.model_validate(
        {"landing": "package:no-such-package/data", "systems": [yaml.safe_load(GUEST)]}
    )
    with pytest.raises(MissingInputError, match="pip install no-such-package"):
        ingest(lake, config)
