"""Of the star schema a run builds only what has changed since it was built for the date."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from clvspark.history.tables import ORDER
from clvspark.reporting.finance_tables import FACT_COHORT_MONTH
from clvspark.reporting.quality_tables import FACT_OPERATION
from clvspark.reporting.stage import _is_fresh, list_reads
from clvspark.reporting.star import PARTS
from clvspark.reporting.tables import DIM_CHANNEL, TABLES

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)


@dataclass
class Log:
    """What the run log knows: a run of April that read version 3 of the orders and left every table at version 7."""

    basis: str = "settings"
    read: dict[str, int] = field(default_factory=lambda: {ORDER.name: 3})
    stands_at: int = 7
    force: bool = False

    def last_success(self, _: str, as_of: date) -> Any:
        return self.newest_success("") if as_of == APRIL else None

    def newest_success(self, _: str) -> Any:
        return SimpleNamespace(basis=self.basis, input_versions=self.read)

    def version(self, _: Any) -> int:
        return self.stands_at

    def left_version(self, *_: Any) -> int:
        return 7


def is_fresh(log: Log, table: Any = FACT_COHORT_MONTH, as_of: date = APRIL) -> bool:
    run = SimpleNamespace(as_of=as_of, basis="settings", input_versions={ORDER.name: 3})
    (part,) = (part for part in PARTS if part.table is table)
    return _is_fresh(SimpleNamespace(log=log), run, part)


def test_what_was_built_of_the_same_inputs_is_not_built_again() -> None:
    assert is_fresh(Log())


@pytest.mark.parametrize(
    "log",
    [
        Log(read={ORDER.name: 2}),
        Log(read={}),
        Log(basis="other settings"),
        Log(stands_at=8),
        Log(force=True),
    ],
    ids=["orders changed", "orders are new", "settings changed", "another wrote it", "forced"],
)
def test_what_has_changed_is_built_again(log: Log) -> None:
    assert not is_fresh(log)


def test_another_date_has_rows_of_its_own_and_the_same_dimensions() -> None:
    assert not is_fresh(Log(), as_of=MAY)
    assert is_fresh(Log(read={ORDER.name: 3}), DIM_CHANNEL, as_of=MAY)


def test_what_is_told_of_runs_is_always_new() -> None:
    assert not is_fresh(Log(), FACT_OPERATION)


def test_every_table_of_the_star_has_a_part_and_derived_ones_come_last() -> None:
    assert {part.table for part in PARTS} == {*TABLES}
    flags = [part.is_derived for part in PARTS]
    assert flags == sorted(flags)
    assert ORDER in list_reads(PARTS)
