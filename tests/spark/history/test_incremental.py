"""A history that was renewed step by step is the one that is built at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from clvspark.catalogue import TABLES as CONTRACTS
from clvspark.history import stage
from clvspark.history.config import HistoryConfig
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY, SESSION, TABLES
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse, LakehouseConfig
from clvspark.lakehouse.dates import rows_of
from clvspark.sources.tables import EVENT, PRODUCT

AS_OF = date(2026, 4, 1)
CONFIG = HistoryConfig(summary_lags_days=[0, 30])  # type: ignore[call-arg]
RECORDS = ("1", "2", "3")


SALES = ("order", "refund", "order_updated", "order_cancelled")


def event(
    number: int,
    kind: str,
    order: int,
    day: int,
    cents: int,
    record: str | None,
    minute: int = 0,
    session: str | None = None,
) -> dict[str, Any]:
    amount = Decimal(-cents if kind == "refund" else cents) / 100
    has_amount = kind in SALES and kind != "order_cancelled"
    return {
        "event_id": f"shop:{number}", "event_type": kind, "source_system": "shop", "source_record_id": record,
        "occurred_at": f"2026-03-{day:02d} 10:{minute:02d}:00", "channel": "shop", "quantity": 1,
        "order_id": f"shop:{order}" if kind in SALES else None, "line_id": "1" if kind in SALES else None,
        "net_revenue": str(amount) if has_amount else None, "session_id": session,
    }  # fmt: skip


def link(record: str, person: str) -> dict[str, Any]:
    return {
        "source_system": "shop", "source_record_id": record, "valid_from": "2026-01-01", "person_id": person,
        "reason": "match", "probability": 1, "recorded_at": "2026-01-01 06:00:00",
    }  # fmt: skip


events = st.lists(
    st.builds(
        event,
        st.integers(1, 12),
        st.sampled_from(["order", "order", *SALES, "view", "cart", "email_opened"]),
        st.integers(1, 4),
        st.integers(1, 5),
        st.integers(0, 5_000),
        st.sampled_from([None, *RECORDS]),
        st.sampled_from([0, 20, 40, 59]),
        st.sampled_from([None, None, "s1", "s2"]),
    ),
    min_size=4,
    max_size=12,
    unique_by=lambda row: row["event_id"],
)
people = st.fixed_dictionaries({record: st.sampled_from(["p1", "p2"]) for record in RECORDS})
# Shops that have nothing to do with each other: one run of the stage, which takes seconds, tries a sequence of each.
SHOPS = 6
shops = st.lists(st.tuples(events, people), min_size=SHOPS, max_size=SHOPS)
steps = st.lists(shops, min_size=2, max_size=3)
Shop = tuple[list[dict[str, Any]], dict[str, str]]


def unite(shops: list[Shop]) -> Shop:
    """Events of all shops with the persons of their records, whose ids are of one shop each."""
    named = ("event_id", "order_id", "session_id", "source_record_id")
    rows, persons = [], {}
    for n, (sold, known) in enumerate(shops):
        for row in sold:
            ids = {name: f"{row[name]}-{n}" for name in named if row[name] is not None}
            rows.append({**row, **ids})
        persons |= {f"{record}-{n}": f"{person}-{n}" for record, person in known.items()}
    return rows, persons


def contents(lake: Lakehouse, as_of: date = AS_OF) -> dict[str, list[Any]]:
    """Rows of all tables; of those by date the rows of one."""
    tables = {
        table: lake.read(table).where(rows_of(as_of) if "as_of_date" in table.names else "true")
        for table in TABLES
    }
    return {table.name: sorted(map(str, rows.collect())) for table, rows in tables.items()}


def arrive(lake: Lakehouse, rows: list[dict[str, Any]], persons: dict[str, str]) -> None:
    lake.renew(EVENT, EVENT.rows(lake.spark, rows))
    links = [link(record, person) for record, person in persons.items()]
    lake.renew(PERSON_LINK, PERSON_LINK.rows(lake.spark, links))
    lake.log.forget_everything()


@pytest.mark.slow
@settings(max_examples=2)
@given(steps)
def test_any_sequence_of_changes_ends_in_the_history_that_is_built_at_once(
    open_lake: Callable[[Path], Lakehouse],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    steps: list[list[Shop]],
) -> None:
    monkeypatch.setattr(stage, "RENEWED_SHARE", 1_000)
    lakes = [open_lake(tmp_path_factory.mktemp(name)) for name in ("in_turn", "at_once")]
    # Dates go on, so that orders come into the view of each lag.
    dated = [
        (AS_OF + timedelta(days=day), *unite(step)) for day, step in enumerate(steps, -len(steps))
    ]
    for lake, arrivals in zip(lakes, (dated, dated[-1:]), strict=True):
        lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
        with lake.writing("history"):
            for as_of, rows, persons in arrivals:
                arrive(lake, rows, persons)
                stage.run(lake, CONFIG, as_of)
    assert contents(lakes[0], dated[-1][0]) == contents(lakes[1], dated[-1][0])


def many_events() -> list[dict[str, Any]]:
    return [event(n, "order", n, 1 + n % 20, 100 * n, RECORDS[n % 3]) for n in range(1, 40)]


def write_few_rows(lake: Lakehouse) -> None:
    """A run of a day on which little has happened, and what it writes."""
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    persons = dict.fromkeys(RECORDS, "p1") | {"3": "p3"}
    rows = many_events()
    with lake.writing("history"):
        arrive(lake, rows, persons)
        stage.run(lake, CONFIG, AS_OF)
        new = [event(50, "order", 50, 28, 999, "3"), event(51, "visit", 0, 28, 0, "3")]
        arrive(lake, [*rows, *new, event(52, "refund", 1, 28, 100, None)], persons)
        report = stage.run(lake, CONFIG, AS_OF + timedelta(days=1))
    written = {
        table: report.rows[table.name] for table in (ORDER, INTERACTION, SESSION, PERSON_DAY)
    }
    # Of order 1 the status, and its refund; the visit and the order after it are one session, and one day.
    assert written == {ORDER: 3, INTERACTION: 1, SESSION: 1, PERSON_DAY: 2}
    assert lake.read(ORDER).count() == len(rows) + 2


@pytest.mark.slow
def test_a_day_with_few_new_events_writes_few_rows(lake: Lakehouse) -> None:
    write_few_rows(lake)


@pytest.fixture
def catalog(spark: SparkSession) -> Iterator[Lakehouse]:
    """An empty lakehouse in catalog mode."""
    lake = Lakehouse(spark, LakehouseConfig(catalog="spark_catalog"), CONTRACTS)
    yield lake
    for room in {table.room for table in CONTRACTS.values()}:
        spark.sql(f"DROP SCHEMA IF EXISTS spark_catalog.{room} CASCADE")


@pytest.mark.slow
def test_change_feeds_are_followed_in_a_catalog_too(catalog: Lakehouse) -> None:
    write_few_rows(catalog)
    newest = catalog.version(EVENT)
    assert newest
    changes = catalog.changes(EVENT, since=newest - 1)
    assert changes
    assert {(row["event_id"], row["_change_type"]) for row in changes.collect()} == {
        (f"shop:{number}", "insert") for number in (50, 51, 52)
    }
    nothing = catalog.changes(EVENT, since=newest)
    assert nothing
    assert nothing.isEmpty()


@pytest.mark.slow
def test_the_history_moves_with_a_record_to_another_person(lake: Lakehouse) -> None:
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    with lake.writing("history"):
        arrive(lake, many_events(), {"1": "p1", "2": "p2", "3": "p3"})
        stage.run(lake, CONFIG, AS_OF)
        arrive(lake, many_events(), {"1": "p1", "2": "p1", "3": "p3"})
        stage.run(lake, CONFIG, AS_OF)
    for table in (ORDER, PERSON_DAY, CLV_SUMMARY):
        assert {row[0] for row in lake.read(table).select("person_id").collect()} == {"p1", "p3"}


@pytest.mark.slow
def test_the_past_is_rebuilt_as_it_was_published_with_the_identities_of_then(
    lake: Lakehouse,
) -> None:
    """The day after, a third record turns out to be of the first person, and the first two to be different people."""
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    tomorrow = AS_OF + timedelta(days=1)
    then = [link("1", "p1"), link("2", "p1"), link("3", "p3")]
    closed = {"valid_to": tomorrow, "closed_at": "2026-04-02 06:00:00"}
    now = [
        then[0], {**then[1], **closed}, {**then[2], **closed},
        {**link("2", "p2"), "valid_from": tomorrow}, {**link("3", "p1"), "valid_from": tomorrow},
    ]  # fmt: skip

    def summary() -> list[str]:
        return sorted(map(str, lake.read(CLV_SUMMARY).where(rows_of(AS_OF)).collect()))

    with lake.writing("history"):
        lake.renew(EVENT, EVENT.rows(lake.spark, many_events()))
        lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, then))
        stage.run(lake, CONFIG, AS_OF)
        published = summary()
        late = {**event(50, "order", 50, 1, 999, "3"), "occurred_at": f"{AS_OF} 12:00:00"}
        lake.renew(EVENT, EVENT.rows(lake.spark, [*many_events(), late]))
        lake.renew(PERSON_LINK, PERSON_LINK.rows(lake.spark, now))
        lake.log.forget_everything()
        stage.run(lake, CONFIG, tomorrow)
        histories = contents(lake)[ORDER.name]
        lake.overwrite(CLV_SUMMARY, lake.read(CLV_SUMMARY).where(rows_of(tomorrow)))
        lake.log.forget_everything()
        stage.run(lake, CONFIG, AS_OF)
    assert summary() == published
    assert contents(lake)[ORDER.name] == histories, "orders stay those of today"


@pytest.mark.slow
def test_where_the_feed_does_not_reach_back_everything_is_built(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.overwrite(PRODUCT, PRODUCT.rows(lake.spark, []))
    persons = dict.fromkeys(RECORDS, "p1")
    with lake.writing("history"):
        arrive(lake, many_events(), persons)
        stage.run(lake, CONFIG, AS_OF)
        arrive(lake, many_events()[:-1], persons)
        monkeypatch.setattr(lake, "changes", lambda table, since, until: None)
        report = stage.run(lake, CONFIG, AS_OF)
    assert report.rows[ORDER.name] == len(many_events()) - 1
