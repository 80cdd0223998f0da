"""A decline begins and ends; what meets its expectation is none."""

from __future__ import annotations

from datetime import date

import pytest
from pyspark.sql import SparkSession

from clvspark.clv.config import ClvConfig
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.clv.value_change import compare_values, read_last_state
from clvspark.lakehouse.contract import verify_contract

CONFIG = ClvConfig()  # type: ignore[call-arg]
MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


def value(person: str, now: float, expected: float | None, chance: float | None = 0.5) -> dict:
    return {
        "person_id": person, "as_of_date": APRIL, "residual_value": now, "residual_value_low": now - 5,
        "residual_value_high": now + 10, "expected_residual_value": expected, "chance_of_so_few": chance,
        "value_to_expected": now / expected if expected else None,
    }  # fmt: skip


def was(person: str, since: date | None, on: date = MARCH) -> dict:
    return {
        "person_id": person, "as_of_date": on, "expected_on": on, "is_declining": since is not None,
        "declining_since": since,
    }  # fmt: skip


def test_a_decline_begins_goes_on_and_ends(spark: SparkSession) -> None:
    values = [
        value("begins", 60, 100, 0.1),
        value("accident", 60, 100, 0.4),
        value("goes on", 80, 100),
        value("ends", 90, 100, 0.1),
        value("steady", 80, 100, 0.1),
        value("new", 60, None, None),
    ]
    earlier = date(2026, 2, 1)
    before = [
        was("goes on", earlier),
        was("ends", earlier),
        was("steady", earlier, earlier),
        was("steady", None),
    ]
    state = read_last_state(VALUE_CHANGE.rows(spark, before), APRIL)
    changes = VALUE_CHANGE.conform(
        compare_values(CUSTOMER_VALUE.rows(spark, values), state, config=CONFIG)
    )
    verify_contract(changes, VALUE_CHANGE)
    found = {row["person_id"]: row for row in changes.collect()}
    assert {name: row["declining_since"] for name, row in found.items()} == {
        "begins": APRIL, "accident": None, "goes on": earlier, "ends": None, "steady": None
    }  # fmt: skip
    began = found["begins"]
    assert began["expected_on"] == date(2025, 12, 31)
    assert (began["value_change"], began["value_change_low"], began["value_change_high"]) == (
        pytest.approx(-40), pytest.approx(-45), pytest.approx(-30)
    )  # fmt: skip


def test_only_dates_before_count(spark: SparkSession) -> None:
    changes = VALUE_CHANGE.rows(spark, [was("p", MARCH, MARCH), was("p", None, APRIL)])
    assert read_last_state(changes, APRIL).collect()[0]["declining_since"] == MARCH
    assert read_last_state(changes, MARCH).isEmpty()
