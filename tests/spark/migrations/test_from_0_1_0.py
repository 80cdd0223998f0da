"""Rows as release 0.1.0 wrote them, after the migration: nothing that must not be lost is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from support.formats import contracts_of, write_earlier

from clvspark.activation.outbox import write_instructions
from clvspark.catalogue import TABLES
from clvspark.config import read_config, shipped_config
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import VersionError
from clvspark.lakehouse.migrations import migrate
from clvspark.migrations import list_migrations

MARCH, APRIL = "2026-03-01", "2026-04-01"


def link(record: str, person: str, since: str, until: str | None = None) -> dict[str, Any]:
    return {
        "source_system": "crm",
        "source_record_id": record,
        "valid_from": since,
        "valid_to": until,
        "person_id": person,
        "reason": "match",
        "probability": 1.0,
    }


def told(person: str, destination: str, status: str = "delivered") -> dict[str, Any]:
    return {
        "outbox_id": f"{destination}-{person}",
        "destination_id": destination,
        "audience_id": "win_back",
        "person_id": person,
        "sequence": 1,
        "operation": "add",
        "status": status,
        "created_on": MARCH,
        "delivered_on": MARCH,
    }


def order(number: str, revenue: str, *, is_purchase: bool) -> dict[str, Any]:
    at = f"{MARCH} 10:00:00"
    amounts = {"net_revenue": revenue, "cost": "0", "margin": revenue, "lines": 1, "units": 2}
    return {
        "order_id": number,
        "ordered_at": at,
        "channel": "web",
        "is_purchase": is_purchase,
        **amounts,
    }


DATED = {"as_of_date": date(2026, 3, 1)}
MODEL = {**DATED, "name": "m", "is_champion": True, "document": "{}"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "identity.person_link": [
        link("1", "kept", MARCH),
        link("2", "gone", MARCH, APRIL),
        link("2", "kept", APRIL),
        link("3", "gone", MARCH, APRIL),
        link("3", "kept", APRIL),
        link("4", "gone", MARCH, APRIL),
        link("4", "other", APRIL),
        link("5", "nobody", MARCH, APRIL),
    ],
    "identity.person_change": [
        {"change_id": "c", "person_id": "gone", "change_type": "absorbed", "changed_on": APRIL}
    ],
    "history.order": [
        order("o1", "12.50", is_purchase=True),
        order("o1", "-2.50", is_purchase=False),
    ],
    "history.clv_summary": [
        {**DATED, "person_id": "kept", "first_purchase_on": MARCH, "last_purchase_on": MARCH}
    ],
    "clv.backtest": [{**DATED, "model": "m", "measure": "mae", "value": 1.0, "holdout_days": 28}],
    "activation.holdout": [
        {"person_id": "gone", "split_group": "holdout", "assigned_on": MARCH},
    ],
    "activation.outbox": [
        told("kept", "email_tool"),
        told("kept", "ad_platform"),
        told("other", "closed"),
        told("other", "email_tool", "cancelled"),
    ],
    "activation.delivery": [
        {**DATED, "destination_id": "d", "audience_id": "a", "added": 3, "removed": 1}
    ],
    "measurement.response": [
        {
            **DATED,
            "event_id": "e",
            "person_id": "kept",
            "response_type": "email_opened",
            "responded_at": datetime(2026, 3, 1, 10, tzinfo=UTC),
        }
    ],
    "measurement.incremental_value": [{**DATED, "audience_id": "a", "treated_persons": 3}],
    "reporting.fact_model_quality": [{**DATED, "model": "m", "measure": "mae", "value": 1.0}],
    "sources.product": [{"product_id": "tea"}],
}


@pytest.fixture(scope="module")
def migrated(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    folder: Path = tmp_path_factory.mktemp("earlier") / "lakehouse"
    earlier = contracts_of(1)
    persons = [{"person_id": "kept", "email": "ann@example.org", "phone": "+447700900123"}]
    rows = {**ROWS, "identity.person": persons}
    lake_config = write_earlier(spark, folder, earlier, rows)
    with pytest.raises(VersionError, match="clvspark migrate"):
        Lakehouse(spark, lake_config, TABLES)
    lake = Lakehouse(spark, lake_config, TABLES, migrating=True)
    config = read_config(shipped_config("demo.yaml"))
    migrate(lake, list(TABLES.values()), list_migrations(config))
    return Lakehouse(spark, lake_config, TABLES)


def rows_of(lake: Lakehouse, table: str, *columns: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in lake.table(table).select(*columns).collect()), key=repr)


def test_every_table_is_as_its_contract_says(migrated: Lakehouse) -> None:
    for name, table in TABLES.items():
        if migrated.exists(table):
            stored = migrated.storage.describe(name)
            assert stored.types.items() >= table.types.items(), name
            assert stored.cluster_by == table.cluster_by, name
            assert stored.properties["clvspark.format"] == "2", name
            assert stored.properties.items() >= table.properties.items(), name


def test_links_are_recorded_on_their_days(migrated: Lakehouse) -> None:
    days = ("CAST(recorded_at AS DATE)", "CAST(closed_at AS DATE)")
    link = migrated.table("identity.person_link").where("person_id = 'nobody'")
    assert tuple(link.selectExpr(*days).first()) == (date(2026, 3, 1), date(2026, 4, 1))
    assert rows_of(migrated, "identity.person_change", "run_id") == [("unknown",)]


def test_who_was_absorbed_leads_to_who_has_most_of_the_records(migrated: Lakehouse) -> None:
    columns = ("retired_id", "person_id", "retired_on")
    assert rows_of(migrated, "identity.alias", *columns) == [("gone", "kept", date(2026, 4, 1))]


def test_groups_of_the_holdout_stay(migrated: Lakehouse) -> None:
    assert rows_of(migrated, "activation.holdout", "person_id", "split_group") == [
        ("gone", "holdout")
    ]


def test_an_order_and_its_refund_are_told_apart(migrated: Lakehouse) -> None:
    columns = ("row_type", "CAST(net_revenue AS STRING)", "units")
    found = migrated.table("history.order").selectExpr(*columns).collect()
    assert sorted(map(tuple, found)) == [("purchase", "12.50", 2), ("refund", "-2.50", 2)]


def test_the_outbox_tells_the_address_by_which_people_are_taken_off_a_list(
    migrated: Lakehouse,
) -> None:
    outbox = migrated.table("activation.outbox")
    columns = ("destination_id", "person_id", "address", "status", "batch")
    assert rows_of(migrated, "activation.outbox", *columns) == [
        ("ad_platform", "kept", "ann@example.org", "delivered", 1),
        ("closed", "other", None, "delivered", 1),
        ("email_tool", "kept", "ann@example.org", "delivered", 1),
    ]
    nobody = outbox.limit(0).select("destination_id", "audience_id", "person_id", "address")
    removals = write_instructions(outbox, nobody, as_of=date(2026, 5, 1)).collect()
    assert {(r["operation"], r["destination_id"], r["address"]) for r in removals} == {
        ("remove", "email_tool", "ann@example.org"),
        ("remove", "ad_platform", "ann@example.org"),
    }


def test_rows_of_earlier_dates_are_read_as_those_of_now(migrated: Lakehouse) -> None:
    assert rows_of(migrated, "history.clv_summary", "person_id", "lag_days") == [("kept", 0)]
    assert rows_of(migrated, "clv.backtest", "fold_origin", "role") == [
        (date(2026, 2, 1), "candidate")
    ]
    assert rows_of(migrated, "measurement.response", "event_id", "is_bot") == [("e", False)]
    columns = ("persons_added", "persons_removed", "entries_added")
    assert rows_of(migrated, "activation.delivery", *columns) == [(3, 1, None)]


def test_what_cannot_be_judged_by_the_methods_of_now_goes(migrated: Lakehouse) -> None:
    assert rows_of(migrated, "measurement.incremental_value", "audience_id") == []
    assert rows_of(migrated, "reporting.fact_model_quality", "model") == []
