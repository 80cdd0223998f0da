"""Values as columns hold them: what is accepted when a dashboard is read is what DuckDB is asked with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.reporting.dashboards.column_types import as_held, in_words
from clvspark.reporting.datasets import DATASETS

TYPES = sorted({column.type for dataset in DATASETS.values() for column in dataset.table.columns})
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.dates(), st.datetimes(), st.text(),
    st.from_regex(r"-?[0-9]{1,4}([.-][0-9]{1,2}){0,2}", fullmatch=True),
)  # fmt: skip


@pytest.mark.parametrize(
    ("column_type", "value", "held"),
    [
        ("string", 5, "5"),
        ("string", True, "true"),
        ("string", date(2026, 4, 1), "2026-04-01"),
        ("int", "7", 7),
        ("int", 7.0, 7),
        ("double", "1e3", 1000.0),
        ("decimal(18,2)", 0.1, Decimal("0.1")),
        ("boolean", "yes", True),
        ("boolean", 0, False),
        ("date", "2026-04-01", date(2026, 4, 1)),
        ("date", datetime.fromisoformat("2026-04-01"), date(2026, 4, 1)),
        ("timestamp", "2026-04-01 06:30:00", datetime.fromisoformat("2026-04-01 06:30")),
        ("timestamp", date(2026, 4, 1), datetime.fromisoformat("2026-04-01")),
    ],
)
def test_a_value_becomes_what_its_column_holds(column_type: str, value: Any, held: Any) -> None:
    assert as_held(column_type, value) == held
    assert type(as_held(column_type, value)) is type(held)


@pytest.mark.parametrize(
    ("column_type", "value"),
    [
        ("int", 2**31),
        ("bigint", 2**63),
        ("int", float("nan")),
        ("int", float("inf")),
        ("double", date(2026, 4, 1)),
        ("decimal(18,2)", 10**16),
        ("decimal(18,2)", "NaN"),
        ("date", datetime.fromisoformat("2026-04-01 06:00")),
        ("date", True),
        ("timestamp", 1.5),
    ],
)
def test_a_value_that_a_column_cannot_hold_is_refused(column_type: str, value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the caller tells it with column, file and line
        as_held(column_type, value)


def test_a_value_of_every_type_of_the_datasets_is_told_in_words() -> None:
    assert [kind for kind in TYPES if not in_words(kind)] == []


@given(st.sampled_from(TYPES), SCALARS)
def test_what_is_accepted_never_fails_in_duckdb(column_type: str, value: Any) -> None:
    try:
        held = as_held(column_type, value)
    except ValueError:
        return
    cast = f"SELECT CAST(? AS {column_type.replace('string', 'VARCHAR')}) IS NOT NULL"
    assert duckdb.execute(cast, [held]).fetchone() == (True,)
