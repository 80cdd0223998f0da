"""A change of contracts that stored rows cannot follow by themselves comes with a migration."""

from __future__ import annotations

import pytest
from support.formats import contracts_of

from clvspark.catalogue import TABLES
from clvspark.config import read_config, shipped_config
from clvspark.lakehouse import Column, Table
from clvspark.lakehouse.errors import VersionError
from clvspark.lakehouse.formats import FORMAT_VERSION, format_of, properties_of, refuse_other_format
from clvspark.lakehouse.migrations.plan import list_misfits
from clvspark.migrations import list_migrations

NEXT_STEP = (
    "Raise FORMAT_VERSION, add a change to clvspark/migrations.py, run tools/contracts.py; or, while the format of now "
    "is not released, add the change to it and run tools/contracts.py"
)


def misfits(old: Table, new: Table) -> list[str]:
    """What the rows of an earlier contract lack of one of now."""
    types = ({c.name: c.type for c in table.columns} for table in (new, old))
    return list_misfits(new, *types)


@pytest.mark.parametrize("number", range(1, FORMAT_VERSION + 1))
def test_rows_of_every_format_have_a_way_to_the_contracts_of_now(number: int) -> None:
    migrations = list_migrations(read_config(shipped_config("demo.yaml")))
    later = range(number + 1, FORMAT_VERSION + 1)
    changed = {change.table for to in later for change in migrations[to]}
    earlier = contracts_of(number)

    lost = {
        name: faults
        for name, found in earlier.items()
        if name in TABLES and name not in changed and (faults := misfits(found.table, TABLES[name]))
    }
    assert lost == {}, NEXT_STEP
    assert set(earlier) - set(TABLES) == set(), "a table that is gone keeps rows that nobody erases"


def test_the_first_format_differs_where_the_migrations_say() -> None:
    needed = {n for n, e in contracts_of(1).items() if misfits(e.table, TABLES[n])}
    migrations = list_migrations(read_config(shipped_config("demo.yaml")))
    assert {"identity.person_link", "history.order", "measurement.response"} < needed
    assert needed < {change.table for change in migrations[2]}
    assert set(migrations) == set(range(2, FORMAT_VERSION + 1))


def test_only_a_key_a_required_column_and_another_type_need_a_migration() -> None:
    key = Column("id", "int", key=True)
    old = Table("test.thing", "Things.", (key, Column("size", "int")))

    def becomes(*columns: Column) -> list[str]:
        return misfits(old, Table("test.thing", "Things.", columns))

    assert becomes(key, Column("size", "int"), Column("note", "string")) == []
    assert becomes(key) == []
    assert becomes(key, Column("size", "bigint")) == ["size is int, the contract says bigint"]
    assert becomes(key, Column("day", "date", key=True)) == ["day is new and may not be NULL"]
    assert becomes(key, Column("who", "string", required=True)) == [
        "who is new and may not be NULL"
    ]


def test_a_lakehouse_of_an_earlier_format_is_refused_with_the_next_step() -> None:
    with pytest.raises(VersionError, match=r"format 1.*clvspark migrate --dry-run") as refused:
        refuse_other_format({})
    assert refused.value.exit_code == 6
    refuse_other_format({}, migrating=True)
    refuse_other_format({"clvspark.format": str(FORMAT_VERSION)})


def test_a_newer_lakehouse_is_refused_even_to_migrate() -> None:
    with pytest.raises(VersionError, match="Upgrade clvspark"):
        refuse_other_format({"clvspark.format": str(FORMAT_VERSION + 1)}, migrating=True)


def test_every_table_tells_the_format_it_was_made_in() -> None:
    assert {format_of(properties_of(table)) for table in TABLES.values()} == {FORMAT_VERSION}
