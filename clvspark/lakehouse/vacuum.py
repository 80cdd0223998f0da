"""Files that no kept version of a table needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.side_by_side import side_by_side

if TYPE_CHECKING:
    from clvspark.lakehouse.lake import Lakehouse


def vacuum_tables(lake: Lakehouse) -> list[str]:
    """Remove files that only versions older than the retention (7 days) need; return the names of the tables.

    What was deleted before then is gone with them; no table gets a new version. MissingInputError where there are none.
    """
    tables = [table for table in lake.tables.values() if lake.exists(table)]
    if not tables:
        raise MissingInputError(
            "There are no tables here. Next step: see whether 'lakehouse' of the configuration names the right place."
        )
    with lake.writing("vacuum"):
        side_by_side(lambda table: lake.storage.delta(table.name).vacuum(), tables)
    return sorted(table.name for table in tables)
