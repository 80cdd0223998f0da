"""Who takes part in the experiment of a date: only those on their first day, as they are today."""

from __future__ import annotations

from datetime import date

import pytest

from clvspark.activation.tables import ASSIGNMENT
from clvspark.identity.tables import PERSON_LINK
from clvspark.measurement.people import first_assigned

pytestmark = pytest.mark.spark
MARCH, APRIL, MAY = date(2026, 3, 31), date(2026, 4, 1), date(2026, 4, 2)


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


def assigned(spark, *rows):
    """Assignments ``(as_of_date, audience, person, group)`` and, where it was another, the day of acting."""
    names = ("as_of_date", "audience_id", "person_id", "split_group", "acted_on")
    return ASSIGNMENT.rows(spark, [dict(zip(names, row, strict=False)) for row in rows])


def test_who_was_on_the_list_before_was_judged_then_also_under_an_absorbed_name(spark):
    told = [
        (MARCH, "top", "ann", "treatment"), (MARCH, "top", "old", "holdout"), (MARCH, "other", "eve", "treatment"),
        (APRIL, "top", "ann", "treatment"), (APRIL, "top", "bob", "holdout"), (APRIL, "top", "eve", "holdout"),
        (APRIL, "top", "cat", "treatment"),
    ]  # fmt: skip
    # `old` has been absorbed by `cat`, who is therefore on the list for the second day.
    links = link(
        spark, ("a", "ann", True), ("b", "bob", True), ("e", "eve", True), ("c", "cat", True),
        ("o", "old", False), ("o", "cat", True),
    )  # fmt: skip
    rows = assigned(spark, *told)
    found = {tuple(row) for row in first_assigned(rows, links, as_of=APRIL).collect()}
    assert found == {("top", "bob", "holdout"), ("top", "eve", "holdout")}
    first = {tuple(row) for row in first_assigned(rows, links, as_of=MARCH).collect()}
    assert first == {("top", "ann", "treatment"), ("top", "cat", "holdout"), ("other", "eve", "treatment")}  # fmt: skip


def test_what_the_stream_told_on_a_day_began_on_that_day(spark):
    rows = assigned(
        spark,
        (MARCH, "top", "ann", "treatment", MARCH),
        (APRIL, "top", "bob", "holdout", MARCH),  # by the stream, which is as of tomorrow
        (APRIL, "top", "cat", "treatment", APRIL),
        (APRIL, "top", "ann", "treatment", MARCH),
        (MAY, "top", "bob", "holdout", APRIL),
    )
    links = link(spark, ("a", "ann", True), ("b", "bob", True), ("c", "cat", True))
    first = {tuple(row) for row in first_assigned(rows, links, as_of=MARCH).collect()}
    assert first == {("top", "ann", "treatment"), ("top", "bob", "holdout")}
    then = {tuple(row) for row in first_assigned(rows, links, as_of=APRIL).collect()}
    assert then == {("top", "cat", "treatment")}
    assert first_assigned(rows, links, as_of=MAY).isEmpty()
