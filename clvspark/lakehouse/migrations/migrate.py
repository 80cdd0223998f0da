"""Do what a lakehouse lacks: one table after the other, the run log, which tells the format, at last.

Every step is one commit of Delta. A table whose rows change tells its new format in the commit that changes them, so
that a migration that was killed goes on where it was when it is called again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from clvspark.lakehouse.migrations.changes import Migrations, apply_changes
from clvspark.lakehouse.migrations.plan import TablePlan, plan_tables
from clvspark.lakehouse.run_log import RUN
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.lakehouse.table import Table

if TYPE_CHECKING:
    from clvspark.lakehouse.lake import Lakehouse


def migrate(lake: Lakehouse, tables: Iterable[Table], migrations: Migrations) -> list[TablePlan]:
    """Bring tables to the contracts of now and return what was done; nothing, where nothing was lacking.

    The lakehouse is one that was opened for this (``Lakehouse(..., migrating=True)``). ContractError where the rows of
    a table break its contract after their changes: that table stays as it is, and those before it are done.
    """
    with lake.writing("migrate"):
        plans = plan_tables(lake, tables, migrations)
        # The run log tells the format of the whole, so that it stands for all others being done.
        last = [plan for plan in plans if plan.table is RUN]
        others = [plan for plan in plans if plan.table is not RUN]
        for plan in others:
            if plan.changes:
                lake.progress("migrate", plan.table.name)
                _carry_out(lake, plan)
        lake.progress("migrate", "columns and properties")
        side_by_side(partial(_carry_out, lake), [plan for plan in others if not plan.changes])
        for plan in last:
            _carry_out(lake, plan)
    return plans


def _carry_out(lake: Lakehouse, plan: TablePlan) -> None:
    table, read = plan.table, lake.storage.read
    if plan.changes:
        nothing = lake.spark.createDataFrame([], table.schema)
        stored = read(table.name) if lake.exists(table) else nothing
        lake.remake(table, apply_changes(plan.changes, stored, read, table))
    for _, clause in plan.clauses:
        lake.storage.alter(table.name, clause)
