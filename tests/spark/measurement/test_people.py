"""Who takes part in the experiment of a date: only those on their first day, as they are today."""

from __future__ import annotations

from datetime import date

import pytest

from clvspark.activation.tables import ASSIGNMENT
from clvspark.identity.tables import PERSON_LINK
from clvspark.measurement.people import first_assigned

pytestmark = pytest.mark.spark
MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 1)


def link(spark, *rows):
    """Links ``(record, person, current)``."""
    every = {
        "source_system": "shop", "valid_from": date(2026, 1, 1), "reason": "single", "probability": 1.0,
        "recorded_at": date(2026, 1, 1),
    }  # fmt: skip
    return PERSON_LINK.rows(
        spark,
        [
            {**every, "source_record_id": record, "person_id": person, "valid_to": None if now else APRIL}
            for record, person, now in rows
        ],
    )  # fmt: skip


def test_who_was_on_the_list_before_was_judged_then_also_under_an_absorbed_name(spark):
    assigned = [
        (MARCH, "top", "ann", "treatment"), (MARCH, "top", "old", "holdout"), (MARCH, "other", "eve", "treatment"),
        (APRIL, "top", "ann", "treatment"), (APRIL, "top", "bob", "holdout"), (APRIL, "top", "eve", "holdout"),
        (APRIL, "top", "cat", "treatment"),
    ]  # fmt: skip
    # `old` has been absorbed by `cat`, who is therefore on the list for the second day.
    links = link(
        spark, ("a", "ann", True), ("b", "bob", True), ("e", "eve", True), ("c", "cat", True),
        ("o", "old", False), ("o", "cat", True),
    )  # fmt: skip
    rows = spark.createDataFrame(assigned, ASSIGNMENT.schema)
    found = {tuple(row) for row in first_assigned(rows, links, as_of=APRIL).collect()}
    assert found == {("top", "bob", "holdout"), ("top", "eve", "holdout")}
    first = {tuple(row) for row in first_assigned(rows, links, as_of=MARCH).collect()}
    assert first == {("top", "ann", "treatment"), ("top", "cat", "holdout"), ("other", "eve", "treatment")}  # fmt: skip
