"""The lakehouse of a small shop that release 0.1.0 has run as of March and April is migrated, and goes on in May.

``tests/support/release_0_1_0.tar.gz`` is what that release left, and its landing files of 150 simulated customers.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from support.shops import Shop, open_lake, rows_of, write_config

from clvspark.catalogue import TABLES
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.errors import VersionError
from clvspark.lakehouse.migrations import migrate
from clvspark.migrations import list_migrations
from clvspark.pipeline import STAGES, run_stages

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ARCHIVE = Path(__file__).resolve().parents[1] / "support" / "release_0_1_0.tar.gz"
APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
Rows = list[tuple[Any, ...]]
# What must be as it was, by table: columns, and the rows that are meant.
KEPT = {
    "activation.holdout": ("person_id", "split_group", "assigned_on"),
    "audiences.membership_event": ("event_id", "person_id", "transition", "happened_on"),
    "clv.customer_value": ("person_id", "as_of_date", "p_alive", "clv", "historical_value"),
    "clv.model": ("model_id", "as_of_date", "is_champion", "document"),
    "audiences.decile": ("person_id", "metric", "as_of_date", "decile"),
    "history.clv_summary": ("person_id", "as_of_date", "frequency", "t_days"),
    "identity.person_change": ("change_id", "person_id", "change_type"),
}
RECORD = ("source_system", "source_record_id", "person_id")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("upgrade") / "shop"
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    found = Shop(folder)
    write_config(found)
    return found


@pytest.fixture(scope="module")
def before(spark: SparkSession, shop: Shop) -> dict[str, Rows]:
    """Rows as the earlier release left them."""
    with pytest.raises(VersionError, match="clvspark migrate"):
        open_lake(spark, shop)
    lake = Lakehouse(spark, shop.config().lakehouse, TABLES, migrating=True)
    found = {name: rows_of(lake, name, *columns) for name, columns in KEPT.items()}
    return {**found, "identity.person_link": rows_of(lake, "identity.person_link", *RECORD)}


@pytest.fixture(scope="module")
def migrated(spark: SparkSession, shop: Shop, before: dict[str, Rows]) -> Lakehouse:
    assert all(before.values()), "there is something to lose"
    config = shop.config()
    lake = Lakehouse(spark, config.lakehouse, TABLES, migrating=True)
    migrate(lake, list(TABLES.values()), list_migrations(config))
    return open_lake(spark, shop)


@pytest.fixture(scope="module")
def reports(spark: SparkSession, shop: Shop, migrated: Lakehouse) -> dict[str, RunReport]:
    """What the stages of this release said in May."""
    runs = run_stages(migrated, shop.config(), STAGES, as_of=MAY)
    return {report.stage: report for report in runs}


def test_the_migration_changes_nothing_that_must_stay(
    migrated: Lakehouse, before: dict[str, Rows]
) -> None:
    for name, columns in KEPT.items():
        assert rows_of(migrated, name, *columns) == before[name], name
    assert not migrated.table("activation.outbox").where("address IS NULL").count()


def test_every_stage_of_this_release_does_its_work_on_it(reports: dict[str, RunReport]) -> None:
    assert {r.status for r in reports.values()} == {"success"}
    assert reports["resolve"].metrics["id_stability"] > 0.9


def test_rows_of_earlier_dates_stay(
    migrated: Lakehouse, reports: dict[str, RunReport], before: dict[str, Rows]
) -> None:
    assert reports
    for name, columns in KEPT.items():
        assert Counter(before[name]) <= Counter(rows_of(migrated, name, *columns)), name
    dates = migrated.table("clv.customer_value").select("as_of_date").distinct().collect()
    assert {row[0] for row in dates} >= {APRIL, MAY}


def test_who_is_on_a_list_is_not_told_again_and_can_be_taken_off(
    migrated: Lakehouse, reports: dict[str, RunReport]
) -> None:
    assert reports
    columns = ("destination_id", "audience_id", "person_id", "sequence", "operation", "address")
    steps: dict[tuple[str, ...], list[str]] = {}
    for *who, _, operation, address in rows_of(migrated, "activation.outbox", *columns):
        assert address is not None
        steps.setdefault(tuple(who), []).append(operation)
    for operations in steps.values():
        assert operations == ["add", "remove"] * (len(operations) // 2) + ["add"] * (
            len(operations) % 2
        )


def test_a_second_run_has_nothing_to_do(
    spark: SparkSession, shop: Shop, reports: dict[str, RunReport]
) -> None:
    assert reports
    again = run_stages(open_lake(spark, shop), shop.config(), STAGES, as_of=MAY)
    assert {report.status for report in again} == {"unchanged"}
