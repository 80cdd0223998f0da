"""What a lakehouse lacks of the contracts of now, table by table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clvspark.lakehouse.errors import VersionError
from clvspark.lakehouse.formats import FORMAT_VERSION, format_of, properties_of
from clvspark.lakehouse.migrations.changes import Change, Migrations
from clvspark.lakehouse.run_log import RUN
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.lakehouse.storage import Stored, literal
from clvspark.lakehouse.table import Table

if TYPE_CHECKING:
    from clvspark.lakehouse.lake import Lakehouse


@dataclass(frozen=True)
class TablePlan:
    """What is to be done to one table; nothing if both are empty.

    Parameters
    ----------
    changes : of its rows. They are done in one commit, which also brings all else that the contract says.
    clauses : of ALTER TABLE, one commit each, by what they are told as. They touch no file of data.
    """

    table: Table
    changes: tuple[Change, ...] = ()
    clauses: tuple[tuple[str, str], ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes or self.clauses)

    @property
    def told(self) -> list[tuple[str, int]]:
        """What is done, in words, with the number of commits that it takes."""
        done = [(change.what, 0) for change in self.changes] or [
            (what, 1) for what, _ in self.clauses
        ]
        return [(done[0][0], 1), *done[1:]]


def plan_tables(
    lake: Lakehouse, tables: Iterable[Table], migrations: Migrations
) -> list[TablePlan]:
    """Plans of the tables that lack something, in their order; VersionError where no migration brings what one lacks.

    Nothing is written. Of a table that is new in a later format there is nothing to do, unless a change makes it.
    """
    plans = side_by_side(lambda table: _plan(lake, table, migrations), tables)
    return [plan for plan in plans if plan.is_needed]


def _plan(lake: Lakehouse, table: Table, migrations: Migrations) -> TablePlan:
    if not lake.exists(table):
        made = _due(lake, table, _format_of_lakehouse(lake), migrations)
        return TablePlan(table, tuple(change for change in made if change.is_new))
    stored = lake.storage.describe(table.name)
    found = format_of(stored.properties)
    changes = tuple(c for c in _due(lake, table, found, migrations) if not c.is_new)
    return TablePlan(table, changes) if changes else TablePlan(table, (), _alter(table, stored))


def _due(lake: Lakehouse, table: Table, found: int, migrations: Migrations) -> Iterable[Change]:
    """Changes of the table that lead from a format to that of now, in their order."""
    for number in range(found + 1, FORMAT_VERSION + 1):
        for change in migrations.get(number, ()):
            if change.table == table.name and all(map(lake.storage.exists, change.needs)):
                yield change


def _format_of_lakehouse(lake: Lakehouse) -> int:
    """What the run log tells; where nothing has run yet, there is nothing from before."""
    return format_of(lake.storage.properties(RUN.name)) if lake.exists(RUN) else FORMAT_VERSION


def _alter(table: Table, stored: Stored) -> tuple[tuple[str, str], ...]:
    """Clauses that bring columns, clustering and properties; the properties, which tell the format, at last."""
    faults = list_misfits(table, table.types, stored.types)
    if faults:
        raise VersionError(
            f"{table.name}: {'; '.join(faults)}. No migration of this clvspark tells what its rows become. Nothing was "
            "written. Next step: open it with the clvspark that wrote it, or report this."
        )
    clauses = []
    missing = [column for column in table.columns if column.name not in stored.types]
    if missing:
        added = ", ".join(f"`{c.name}` {c.type} COMMENT {literal(c.comment)}" for c in missing)
        names = ", ".join(column.name for column in missing)
        clauses.append(
            (f"new columns, NULL in rows from before: {names}", f"ADD COLUMNS ({added})")
        )
    if table.cluster_by and stored.cluster_by != table.cluster_by:
        names = ", ".join(table.cluster_by)
        clauses.append((f"clustered by {names} from now on", f"CLUSTER BY ({names})"))
    wanted = {
        name: value
        for name, value in properties_of(table).items()
        if stored.properties.get(name) != value
    }
    if wanted:
        pairs = ", ".join(f"{literal(name)} = {literal(value)}" for name, value in wanted.items())
        clauses.append((f"properties: {', '.join(wanted)}", f"SET TBLPROPERTIES ({pairs})"))
    return tuple(clauses)


def list_misfits(table: Table, wanted: Mapping[str, str], stored: Mapping[str, str]) -> list[str]:
    """What of a table nobody can bring without knowing what its rows become. In: types by column, wanted and stored."""
    new = [c.name for c in table.columns if (c.key or c.required) and c.name not in stored]
    retyped = [name for name, type_ in wanted.items() if stored.get(name, type_) != type_]
    return [f"{name} is new and may not be NULL" for name in new] + [
        f"{name} is {stored[name]}, the contract says {wanted[name]}" for name in retyped
    ]
