"""Files that no kept version of a table needs, and small ones that one large file may take the place of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.lakehouse.table import Table
from clvspark.lakehouse.table_log import folder_of, read_table_log

if TYPE_CHECKING:
    from clvspark.lakehouse.lake import Lakehouse

LEAST_HOURS = 168
"""A reader, or a stream, that is younger than this finds its files."""

# Of a table with fewer files, reading them costs less than writing them anew.
_FEW_FILES = 16


def vacuum_tables(lake: Lakehouse) -> list[str]:
    """Remove files that only versions older than the retention (7 days) need; return the names of the tables.

    What was deleted before then is gone with them; no table gets a new version. MissingInputError where there are none.
    """
    tables = _existing(lake)
    with lake.writing("vacuum"):
        remove_old_files(lake, tables)
    return sorted(table.name for table in tables)


def maintain_tables(lake: Lakehouse, *, retain_hours: int = LEAST_HOURS) -> tuple[list[str], int]:
    """Put small files together, then remove old ones; return the compacted tables and how many were cleaned.

    Rows stay as they are, so that whoever follows the tables has nothing to do. ConfigError where files of the last 7
    days were to be removed, which somebody may be reading; MissingInputError where there is no table.
    """
    refuse_short_retention(retain_hours)
    tables = _existing(lake)
    with lake.writing("maintain"):
        compacted = compact_tables(lake, tables)
        remove_old_files(lake, tables, retain_hours=retain_hours)
    return compacted, len(tables)


def refuse_short_retention(hours: int) -> None:
    """ConfigError where files that a reader may still need were to be removed."""
    if hours < LEAST_HOURS:
        fault = (
            f"{hours} is less than {LEAST_HOURS}: a query, a stream or a change feed that reads an older version would "
            f"lose its files in the middle. Allowed: {LEAST_HOURS} (7 days) and more"
        )
        raise ConfigError("--retain-hours", [fault])


def compact_tables(lake: Lakehouse, tables: Sequence[Table]) -> list[str]:
    """Put the small files of tables together, where there are many; return the names of these tables."""
    many = [table for table in tables if lake.exists(table) and _has_many_files(lake, table)]
    for table in many:
        lake.storage.delta(table.name).optimize().executeCompaction()
    return sorted(table.name for table in many)


def remove_old_files(
    lake: Lakehouse, tables: Sequence[Table], *, retain_hours: int | None = None
) -> None:
    """Remove files that only versions older than the retention need; the tables' own, 7 days, if None."""
    side_by_side(lambda table: lake.storage.delta(table.name).vacuum(retain_hours), tables)


def _has_many_files(lake: Lakehouse, table: Table) -> bool:
    root = lake.storage.local_root
    if root is None:
        return True  # Delta itself leaves out what is large enough
    return len(read_table_log(folder_of(root, table.name)).files) >= _FEW_FILES


def _existing(lake: Lakehouse) -> list[Table]:
    tables = [table for table in lake.tables.values() if lake.exists(table)]
    if not tables:
        raise MissingInputError(
            "There are no tables here. Next step: see whether 'lakehouse' of the configuration names the right place."
        )
    return tables
