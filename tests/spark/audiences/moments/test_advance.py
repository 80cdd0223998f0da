"""Journeys: one at a time, ended by what comes first, the same day by day as at once."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.audiences.moments.advance import (
    advance_journeys,
    list_void,
    move_to_heirs,
    rewind_journeys,
)
from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.steps import list_due_steps
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse.contract import verify_contract

START = date(2026, 4, 1)
Row = tuple[str, str, int]


def day(number: int) -> date:
    return START + timedelta(days=number)


def moment(name: str = "win_back", waits: tuple[int, ...] = (0, 3, 4), **more: Any) -> Moment:
    steps = [
        {"id": f"step_{n}", "channel": "email", "message": "m", "wait_days": wait}
        for n, wait in enumerate(waits)
    ]
    given = {"id": name, "name": name, "goal": {"measure": "margin"}, "steps": steps, **more}
    return Moment.model_validate({"trigger": {"value_declines": {}}, **given})


def advance(
    spark: SparkSession,
    moments: list[Moment],
    triggers: list[Row],
    endings: list[Row],
    *,
    until: int,
    journeys: DataFrame | None = None,
    entered: DataFrame | None = None,
) -> DataFrame:
    """Journeys after a day; `entered`: those of days that are looked at again."""
    started = spark.createDataFrame(
        [(m, p, day(d)) for m, p, d in triggers],
        "moment_id string, person_id string, triggered_on date",
    )
    ended = spark.createDataFrame(
        [(m, p, day(d), "order") for m, p, d in endings],
        "moment_id string, person_id string, happened_on date, reason string",
    )
    known = journeys if journeys is not None else JOURNEY.rows(spark, [])
    void = None if entered is None else list_void(entered, started)
    found = advance_journeys(known, started, ended, moments, until=day(until), void=void)
    return JOURNEY.conform(found).localCheckpoint()


def passages(journeys: DataFrame) -> set[tuple[str, str, int, int | None, str | None]]:
    """Moment, person, day of the entry, day and reason of the end."""
    return {
        (
            row["moment_id"],
            row["person_id"],
            (row["entered_on"] - START).days,
            (row["ended_on"] - START).days if row["ended_on"] else None,
            row["end_reason"],
        )
        for row in journeys.collect()
    }


def test_a_journey_ends_by_what_comes_first(spark: SparkSession) -> None:
    found = advance(
        spark,
        [moment()],
        [("win_back", name, 0) for name in ("buys", "stays", "bought before", "new")]
        + [("win_back", "new", 5)],
        [("win_back", "buys", 2), ("win_back", "buys", 5), ("win_back", "bought before", 0)],
        until=9,
    )
    verify_contract(found, JOURNEY)
    assert passages(found) == {
        ("win_back", "buys", 0, 2, "order"),
        ("win_back", "stays", 0, 8, "completed"),
        ("win_back", "bought before", 0, 8, "completed"),
        ("win_back", "new", 0, 8, "completed"),
    }


@pytest.mark.parametrize(
    ("re_entry", "entries"),
    [
        ({}, [0]),
        ({"after_days": 0}, [0, 8, 16]),
        ({"after_days": 0, "most": 2}, [0, 8]),
        ({"after_days": 3}, [0, 12]),
    ],
)
def test_re_entry_is_as_the_moment_says(
    spark: SparkSession, re_entry: dict[str, int], entries: list[int]
) -> None:
    triggers = [("win_back", "ann", number) for number in (0, 4, 8, 12, 16)]
    found = advance(spark, [moment(re_entry=re_entry)], triggers, [], until=20)
    assert sorted(entered for _, _, entered, _, _ in passages(found)) == entries


@pytest.mark.parametrize(
    ("re_entry", "entries"),
    [({}, {"new"}), ({"after_days": 0}, {"ann", "bob", "new"}), ({"after_days": 3}, {"new"})],
)
def test_a_journey_that_was_void_counts_for_re_entry(
    spark: SparkSession, re_entry: dict[str, int], entries: set[str]
) -> None:
    facts = {"moment_id": "win_back", "version": 1, "entered_on": day(1), "ends_on": day(8)}
    entered = JOURNEY.rows(
        spark,
        [
            {
                **facts,
                "journey_id": "ordered",
                "person_id": "ann",
                "ended_on": day(1),
                "end_reason": "order",
            },
            {**facts, "journey_id": "untriggered since", "person_id": "bob"},
        ],
    )
    # Of ann's what triggered it is still so; nobody enters twice on a day.
    triggers = [("win_back", name, 2) for name in ("ann", "bob", "new")] + [("win_back", "ann", 1)]
    found = advance(spark, [moment(re_entry=re_entry)], triggers, [], until=2, entered=entered)
    assert {person for _, person, on, _, _ in passages(found) if on == 2} == entries


def test_steps_fall_due_while_the_journey_goes_on_and_never_twice(spark: SparkSession) -> None:
    plan = [moment()]
    journeys = advance(
        spark, plan, [("win_back", "a", 0), ("win_back", "b", 1)], [("win_back", "b", 4)], until=7
    )
    done = JOURNEY_STEP.rows(spark, [])
    due = list_due_steps(journeys, done, plan, since=F.lit(day(-1)), until=day(7)).localCheckpoint()
    found = {(r["person_id"], r["step_id"], (r["due_on"] - START).days) for r in due.collect()}
    assert found == {("a", "step_0", 0), ("a", "step_1", 3), ("a", "step_2", 7), ("b", "step_0", 1)}
    again = list_due_steps(journeys, due, plan, since=F.lit(day(-1)), until=day(7))
    assert again.isEmpty()
    # A plan that is stretched afterwards sends no step anew.
    slower = [moment(waits=(0, 5, 4))]
    assert list_due_steps(journeys, due, slower, since=F.lit(day(3)), until=day(7)).isEmpty()


def test_of_two_journeys_of_one_person_the_first_goes_on(spark: SparkSession) -> None:
    journeys = advance(
        spark, [moment()], [("win_back", "old", 2), ("win_back", "new", 0)], [], until=3
    )
    alias = {"retired_id": "old", "person_id": "new"}
    aliases = ALIAS.rows(spark, [alias])
    found = JOURNEY.conform(move_to_heirs(journeys, aliases, as_of=day(4)))
    verify_contract(found, JOURNEY)
    assert passages(found) == {
        ("win_back", "new", 0, None, None), ("win_back", "new", 2, 4, "merged")
    }  # fmt: skip


def test_a_state_of_the_past_is_what_it_was(spark: SparkSession) -> None:
    plan = [moment(re_entry={"after_days": 0})]
    triggers = [("win_back", "a", 0), ("win_back", "a", 9), ("win_back", "b", 2)]
    then = advance(spark, plan, [t for t in triggers if t[2] <= 5], [], until=5)
    now = advance(spark, plan, triggers, [], until=12)
    assert passages(rewind_journeys(now, until=F.lit(day(5)))) == passages(then)


def play(moments: list[Moment], triggers: list[Row], endings: list[Row], *, until: int) -> set:
    """The obvious way: one day after the other, one person after the other."""
    plans = {m.id: m for m in moments}
    open_now: dict[tuple[str, str], int] = {}
    past: dict[tuple[str, str], list[int]] = defaultdict(list)
    found = set()
    for today in range(until + 1):
        for key, entered in list(open_now.items()):
            name, person = key
            is_done = today >= entered + plans[name].days
            if (name, person, today) in endings or is_done:
                reason = "order" if (name, person, today) in endings else "completed"
                found.add((name, person, entered, today, reason))
                past[key].append(today)
                del open_now[key]
        for name, person, when in triggers:
            key, rule = (name, person), plans[name].re_entry
            if when != today or key in open_now:
                continue
            if past[key]:
                if rule.after_days is None or today < past[key][-1] + rule.after_days:
                    continue
                if rule.most is not None and len(past[key]) >= rule.most:
                    continue
            open_now[key] = today
    return found | {(n, p, entered, None, None) for (n, p), entered in open_now.items()}


def test_day_by_day_is_at_once_is_the_obvious_way(spark: SparkSession) -> None:
    """120 persons in three moments, with triggers and orders on random days."""
    draw = random.Random(5)
    moments = [
        moment("once", (0, 2)),
        moment("again", (1, 1), re_entry={"after_days": 2, "most": 2}),
        moment("often", (0,), re_entry={"after_days": 0}, lasts_days=3),
    ]
    pairs = [(m.id, f"p{n}") for m in moments for n in range(40)]
    triggers = [(*pair, d) for pair in pairs for d in range(10) if draw.random() < 0.3]
    endings = [(*pair, d) for pair in pairs for d in range(10) if draw.random() < 0.15]
    expected = play(moments, triggers, endings, until=9)
    assert len(expected) > 150, "the journeys that are compared"

    at_once = advance(spark, moments, triggers, endings, until=9)
    verify_contract(at_once, JOURNEY)
    assert passages(at_once) == expected

    none = JOURNEY_STEP.rows(spark, [])
    whole = list_due_steps(at_once, none, moments, since=F.lit(day(-1)), until=day(9))
    planned = {row["journey_step_id"]: row["due_on"] for row in whole.collect()}
    journeys, sent = None, []
    for today in range(10):
        journeys = advance(
            spark,
            moments,
            [row for row in triggers if row[2] == today],
            [row for row in endings if row[2] == today],
            until=today,
            journeys=journeys,
        )
        due = list_due_steps(journeys, none, moments, since=F.lit(day(today - 1)), until=day(today))
        sent += [(row["journey_step_id"], row["due_on"]) for row in due.collect()]
    assert passages(journeys) == expected
    assert len(sent) == len(dict(sent)), "no step is due twice"
    assert dict(sent) == planned
