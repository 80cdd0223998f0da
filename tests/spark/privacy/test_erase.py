"""The right to be forgotten: rows go, sales stay without the person, a tombstone stays for good."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import HOLDOUT
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import (
    ATTRIBUTION,
    CLV_SUMMARY,
    INTERACTION,
    ORDER,
    PERSON_DAY,
    RELATIONSHIP,
    SESSION,
)
from clvspark.identity.tables import EVIDENCE, PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.errors import MissingInputError
from clvspark.privacy import erase
from clvspark.privacy.erase import erase_persons
from clvspark.privacy.tables import TOMBSTONE
from clvspark.privacy.tombstones import mark_erased
from clvspark.sources.tables import CUSTOMER_RECORD, EVENT, QUARANTINE, UNREAD_ADDRESS

pytestmark = pytest.mark.slow
APRIL = date(2026, 4, 1)
MORNING = "2026-04-01 06:00:00"
RECORDS = [("crm", "1", "ann"), ("app", "7", "ann"), ("crm", "2", "bob")]


VALUE = {"lifecycle_stage": "core", "horizon_days": 364, "model_id": "m"}
SUMMARY = {"lag_days": 0, "first_purchase_on": "2026-03-01", "last_purchase_on": "2026-03-01"}
RAW = ("torn;1;order", "torn;11;order", "torn;ANN@example.org")
# Of a till that speaks of the records of the app.
OF_THE_TILL = {
    "source_system": "till",
    "record_system": "app",
    "source_record_id": "7",
    "raw": "torn;7",
}


def mapped(rows: DataFrame) -> DataFrame:
    """Good rows as ingest has them when it asks which of them are erased."""
    return rows.withColumns({"_raw": F.lit("the row"), "_reasons": F.array().cast("array<string>")})


def write(lake: Lakehouse) -> None:
    spark = lake.spark
    ids = [{"source_system": system, "source_record_id": record} for system, record, _ in RECORDS]
    lake.overwrite(
        CUSTOMER_RECORD,
        CUSTOMER_RECORD.rows(spark, [ids[0], {**ids[1], "email": "Ann@example.org"}, ids[2]]),
    )
    common = {"valid_from": APRIL, "reason": "match", "probability": 1, "recorded_at": MORNING}
    links = [
        {**i, **common, "person_id": person} for i, (_, _, person) in zip(ids, RECORDS, strict=True)
    ]
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, links))
    events = [
        {
            **i, "event_id": f"{kind}{n}", "event_type": kind, "occurred_at": "2026-03-01", "channel": "web",
            **({"order_id": n, "net_revenue": 10 + n} if kind == "order" else {}),
        }
        for n, i in enumerate(ids)
        for kind in ("order", "visit")
    ]  # fmt: skip
    lake.overwrite(EVENT, EVENT.rows(spark, events))
    orders = [
        {
            "order_id": n, "person_id": person, "ordered_at": "2026-03-01", "channel": "web", "is_purchase": True,
            "row_type": "purchase", "lines": 1, "net_revenue": 10 + n, "cost": 1, "margin": 9 + n,
        }
        for n, (_, _, person) in enumerate(RECORDS)
    ]  # fmt: skip
    lake.overwrite(ORDER, ORDER.rows(spark, orders))
    groups = [
        {"person_id": person, "split_group": "holdout", "assigned_on": APRIL}
        for person in ("ann", "bob")
    ]
    lake.overwrite(HOLDOUT, HOLDOUT.rows(spark, groups))
    torn = {"source_system": "crm", "target_table": "sources.event", "file_name": "f.csv"}
    reasons = {"reason": "malformed_row", "reasons": ["malformed_row"]}
    bad = [{**torn, **reasons, "quarantine_id": str(n), "raw": raw} for n, raw in enumerate(RAW)]
    bad.append({**torn, **reasons, **OF_THE_TILL, "quarantine_id": "till"})
    lake.overwrite(QUARANTINE, QUARANTINE.rows(spark, bad))


@pytest.fixture(scope="module")
def erased(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> SimpleNamespace:
    """Ann erased by the id of one of her two records."""
    lake = open_lake(tmp_path_factory.mktemp("erase"))
    write(lake)
    return SimpleNamespace(lake=lake, rows=erase_persons(lake, ["crm:1"], requested_on=APRIL))


def test_every_record_of_the_person_goes_from_every_table(erased: SimpleNamespace) -> None:
    lake = erased.lake
    assert erased.rows == {
        "sources.customer_record": 2, "sources.event": 4, "identity.person_link": 2, "history.order": 2,
        "activation.holdout": 1, "sources.quarantine": 3,
    }  # fmt: skip
    assert [row["source_record_id"] for row in lake.read(CUSTOMER_RECORD).collect()] == ["2"]
    assert [row["person_id"] for row in lake.read(PERSON_LINK).collect()] == ["bob"]
    assert [row["person_id"] for row in lake.read(HOLDOUT).collect()] == ["bob"]


def test_sales_stay_in_the_books_without_the_person(erased: SimpleNamespace) -> None:
    events = {row["event_id"]: row for row in erased.lake.read(EVENT).collect()}
    assert set(events) == {"order0", "order1", "order2", "visit2"}
    assert {name: row["source_record_id"] for name, row in events.items() if name != "visit2"} == {
        "order0": None, "order1": None, "order2": "2"
    }  # fmt: skip
    orders = erased.lake.read(ORDER).collect()
    assert sum(row["net_revenue"] for row in orders) == Decimal("33.00")
    assert sorted(str(row["person_id"]) for row in orders) == ["None", "None", "bob"]


def test_tombstones_name_nobody_and_keep_the_records_out(erased: SimpleNamespace) -> None:
    lake = erased.lake
    stones = lake.read(TOMBSTONE).collect()
    assert len(stones) == 5, "two records and three rows in quarantine"
    assert all(len(row["record_sha256"]) == 64 for row in stones)
    stones_of = lake.read(TOMBSTONE)
    ids = [{"source_system": system, "source_record_id": record} for system, record, _ in RECORDS]
    links = mark_erased(mapped(PERSON_LINK.rows(lake.spark, ids)), PERSON_LINK, stones_of)
    gone = {
        (row["source_system"], row["source_record_id"]) for row in links.where("_erased").collect()
    }
    assert gone == {("crm", "1"), ("app", "7")}


def test_what_lands_again_of_the_person_is_dropped_but_for_the_sales(
    erased: SimpleNamespace,
) -> None:
    rows = [
        {
            "event_id": f"{kind}{record}",
            "event_type": kind,
            "source_system": "crm",
            "source_record_id": record,
        }
        for kind in ("order", "visit")
        for record in ("1", "2")
    ]
    landed = mapped(EVENT.rows(erased.lake.spark, rows))
    marked = mark_erased(landed, EVENT, erased.lake.read(TOMBSTONE))
    kept = {
        row["event_id"]: row["source_record_id"] for row in marked.where("NOT _erased").collect()
    }
    assert kept == {"order1": None, "order2": "2", "visit2": "2"}


def test_rows_in_quarantine_that_name_the_person_are_hidden_for_good(
    erased: SimpleNamespace,
) -> None:
    lake = erased.lake
    shown = {row["quarantine_id"]: row["raw"] for row in lake.read(QUARANTINE).collect()}
    assert shown == {"0": None, "1": RAW[1], "2": None, "till": None}, (
        "counted as before, but not shown"
    )
    torn = EVENT.rows(lake.spark, [{"event_id": "e"}]).withColumn(
        "_reasons", F.array(F.lit("torn"))
    )
    again = [
        mark_erased(torn.withColumn("_raw", F.lit(raw)), EVENT, lake.read(TOMBSTONE)).collect()[0]
        for raw in RAW
    ]
    assert [row["_raw"] for row in again] == [None, RAW[1], None]
    assert not any(row["_erased"] for row in again)


def test_records_that_moved_to_another_person_stay(lake: Lakehouse) -> None:
    write(lake)
    moved = {"source_system": "crm", "source_record_id": "2", "reason": "match", "probability": 1}
    moved |= {"recorded_at": MORNING, "closed_at": MORNING}
    past = [
        {**moved, "person_id": "ann", "valid_from": "2026-01-01", "valid_to": "2026-02-01"},
        {**moved, "source_record_id": "1", "person_id": "old", "valid_from": "2026-01-01"}
        | {"valid_to": "2026-02-01"},
    ]
    lake.append(PERSON_LINK, PERSON_LINK.rows(lake.spark, past))
    groups = [{"person_id": "old", "split_group": "holdout", "assigned_on": APRIL}]
    lake.append(HOLDOUT, HOLDOUT.rows(lake.spark, groups))
    erase_persons(lake, ["crm:1"], requested_on=APRIL)

    assert {row["source_record_id"] for row in lake.read(CUSTOMER_RECORD).collect()} == {"2"}
    assert {row["person_id"] for row in lake.read(HOLDOUT).collect()} == {"bob"}


def test_an_unknown_record_is_refused_and_nothing_changes(erased: SimpleNamespace) -> None:
    version = erased.lake.version(EVENT)
    with pytest.raises(MissingInputError) as refused:
        erase_persons(erased.lake, ["crm:1", "crm:2", "crm:typo"], requested_on=APRIL)
    text = str(refused.value)
    assert (
        "Nothing was erased. Of the 3 records given, by their place: 1: erased already; 3: not known"
        in text
    )
    assert "typo" not in text
    assert erased.lake.version(EVENT) == version


def test_a_record_that_belongs_to_no_person_yet_is_named_with_the_next_command(
    lake: Lakehouse,
) -> None:
    write(lake)
    new = [{"source_system": "crm", "source_record_id": "new"}]
    lake.append(CUSTOMER_RECORD, CUSTOMER_RECORD.rows(lake.spark, new))
    with pytest.raises(
        MissingInputError, match=r"1: not resolved yet \(run first: clvspark resolve\)"
    ):
        erase_persons(lake, ["crm:new"], requested_on=APRIL)


def test_no_value_of_a_person_is_in_the_log_of_a_table(lake: Lakehouse, tmp_path: Path) -> None:
    write(lake)
    secrets = {
        str(value)
        for row in lake.read(CUSTOMER_RECORD).collect()
        for name, value in row.asDict().items()
        if CUSTOMER_RECORD.column(name).pii and value is not None
    }
    assert secrets
    for log in (tmp_path / "lakehouse").glob("sources/customer_record/_delta_log/*.*"):
        text = log.read_bytes().decode("utf-8", "replace")
        assert [secret for secret in secrets if secret in text] == [], log.name


def test_an_interrupted_erasure_is_finished_by_the_next(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake)
    whole = erase._erase_from

    def killed(lake: Lakehouse, table: Table, found: DataFrame) -> int:
        if table is ORDER:
            raise KeyboardInterrupt
        return whole(lake, table, found)

    monkeypatch.setattr(erase, "_erase_from", killed)
    with pytest.raises(KeyboardInterrupt):
        erase_persons(lake, ["crm:1"], requested_on=APRIL)
    monkeypatch.setattr(erase, "_erase_from", whole)
    assert set(erase_persons(lake, ["crm:1"], requested_on=APRIL)) == {
        "history.order",
        "activation.holdout",
        "sources.quarantine",
        "sources.customer_record",
        "identity.person_link",
    }
    assert lake.read(ORDER).where("person_id = 'ann'").count() == 0


def test_what_another_stage_has_deleted_is_purged_with_her(lake: Lakehouse) -> None:
    """A run that finds a record gone marks its person as deleted, in a file that stays; the links are closed only."""
    write(lake)
    persons = [{"person_id": person, "records": 1} for person in ("ann", "bob")]
    lake.overwrite(PERSON, PERSON.rows(lake.spark, persons).coalesce(1))
    gone = lake.read(PERSON).where("person_id = 'ann'")
    lake.merge(PERSON, lake.read(PERSON).limit(0), gone=gone)
    left = lake.spark.read.parquet(*lake.read(PERSON).inputFiles())
    assert left.where("person_id = 'ann'").count() == 1  # marked only
    erase_persons(lake, ["crm:1"], requested_on=APRIL)
    left = lake.spark.read.parquet(*lake.read(PERSON).inputFiles())
    assert left.where("person_id = 'ann'").count() == 0


@pytest.mark.parametrize("last", [PERSON, PERSON_LINK], ids=lambda table: table.name)
def test_what_an_interruption_left_to_be_purged_is_purged_by_the_next(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch, last: Table
) -> None:
    """Links go last: after them, the next one finds nobody."""
    write(lake)
    persons = [{"person_id": person, "records": 1} for person in ("ann", "bob")]
    lake.overwrite(PERSON, PERSON.rows(lake.spark, persons).coalesce(1))
    lake.overwrite(PERSON_LINK, lake.read(PERSON_LINK).coalesce(1))
    whole = erase.purge_deleted

    def killed(lake: Lakehouse, table: Table) -> None:
        if table is last:
            raise KeyboardInterrupt
        whole(lake, table)

    monkeypatch.setattr(erase, "purge_deleted", killed)
    with pytest.raises(KeyboardInterrupt):
        erase_persons(lake, ["crm:1"], requested_on=APRIL)
    monkeypatch.setattr(erase, "purge_deleted", whole)
    left = lake.spark.read.parquet(*lake.read(last).inputFiles())
    assert left.where("person_id = 'ann'").count() > 0  # marked only
    done = pytest.raises(MissingInputError, match="erased already")
    with done if last is PERSON_LINK else nullcontext():
        erase_persons(lake, ["crm:1"], requested_on=APRIL)
    left = lake.spark.read.parquet(*lake.read(last).inputFiles())
    assert left.where("person_id = 'ann'").count() == 0


def test_values_and_histories_of_every_date_go(lake: Lakehouse) -> None:
    write(lake)
    for table, more in ((CUSTOMER_VALUE, VALUE), (CLV_SUMMARY, SUMMARY)):
        rows = [
            {**more, "person_id": person, "as_of_date": day}
            for person in ("ann", "bob")
            for day in (APRIL, date(2026, 5, 1))
        ]
        lake.overwrite(table, table.rows(lake.spark, rows))
    erased = erase_persons(lake, ["crm:1"], requested_on=APRIL)
    for table in (CUSTOMER_VALUE, CLV_SUMMARY):
        assert erased[table.name] == 2
        assert {row["person_id"] for row in lake.read(table).collect()} == {"bob"}


def test_nothing_that_is_made_of_histories_is_kept_of_her(lake: Lakehouse) -> None:
    """Nor is a trace of her left in the files of the newest version."""
    write(lake)
    at, day = "2026-03-01 12:00:00", {"as_of_date": APRIL}
    made: dict[Table, dict[str, object]] = {
        ATTRIBUTION: {
            "order_id": "o", "event_id": "e", "method": "last", "ordered_at": at, "touched_at": at, "channel": "web",
            "credit": 1, "attributed_revenue": 10, "attributed_margin": 9,
        },
        RELATIONSHIP: {
            **day, "recency_days": 3, "frequency": 1, "segment": "loyal", "usual_gap_days": 91, "stage": "new",
            "answers": 0,
        },
        SESSION: {
            "session_id": "gap:", "channel": "web", "started_at": at, "ended_at": at, "has_cart": False,
            "has_checkout": False, "has_order": False, "is_cart_abandoned": False,
        },
        PERSON_DAY: {"day": APRIL, "orders": 1, "net_revenue": 10, "margin": 9},
        INTERACTION: {"event_id": "e", "occurred_at": at, "interaction_type": "visit", "channel": "web"},
        VALUE_CHANGE: {**day, "expected_on": "2026-01-01", "is_declining": False},
    }  # fmt: skip
    ids = ("order_id", "event_id", "session_id")
    for table, more in made.items():
        rows = [
            {name: f"{value}{person}" if name in ids else value for name, value in more.items()}
            | {"person_id": person}
            for person in ("ann", "bob")
        ]
        lake.overwrite(table, table.rows(lake.spark, rows).coalesce(1))
    erased = erase_persons(lake, ["crm:1"], requested_on=APRIL)
    assert {table.name: erased.get(table.name) for table in made} == {t.name: 1 for t in made}
    for table in made:
        assert {row["person_id"] for row in lake.read(table).collect()} == {"bob"}
        left = lake.spark.read.parquet(*lake.read(table).inputFiles())
        assert left.where("person_id = 'ann'").count() == 0, table.name


def test_what_others_were_linked_with_is_not_named_by_them(lake: Lakehouse) -> None:
    write(lake)
    common = {"is_divided": True, "record_hash": 1, "evidence_hash": 1, "basis": "b"}
    rows = [
        {**common, "unique_id": record, "component": "app:7"}
        for record in ("app:7", "crm:1", "crm:2")
    ]
    lake.overwrite(EVIDENCE, EVIDENCE.rows(lake.spark, rows))
    erase_persons(lake, ["crm:1"], requested_on=APRIL)
    (row,) = lake.read(EVIDENCE).collect()
    assert (row["unique_id"], row["component"]) == ("crm:2", "crm:2")


def test_a_record_that_only_quarantine_holds_is_erased_as_well(lake: Lakehouse) -> None:
    write(lake)
    alone = {"source_system": "till", "source_record_id": "9"}
    addresses = [{**alone, "identifier": "email", "address_sha256": "9" * 64}]
    lake.overwrite(UNREAD_ADDRESS, UNREAD_ADDRESS.rows(lake.spark, addresses))
    [torn] = lake.read(QUARANTINE).where("quarantine_id = 'till'").collect()
    bad = {"quarantine_id": "nine", "record_system": "till", "source_record_id": "9"}
    # Of a joined id, which the row does not hold as such.
    row = {**torn.asDict(), **bad, "raw": "nine@example.org;unlucky"}
    lake.append(QUARANTINE, QUARANTINE.rows(lake.spark, [row]))
    rows = erase_persons(lake, ["till:9"], requested_on=APRIL)
    assert rows == {QUARANTINE.name: 1, UNREAD_ADDRESS.name: 1}
    [nine] = lake.read(QUARANTINE).where("quarantine_id = 'nine'").collect()
    assert (nine["raw"], nine["source_record_id"]) == (None, None)
    with pytest.raises(MissingInputError, match="1: erased already"):
        erase_persons(lake, ["till:9"], requested_on=APRIL)
