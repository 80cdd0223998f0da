"""Bring a lakehouse of an earlier release to the contracts of this one."""

from clvspark.lakehouse.migrations.migrate import migrate
from clvspark.lakehouse.migrations.plan import TablePlan, plan_tables

__all__ = ["TablePlan", "migrate", "plan_tables"]
