"""What conditions ask of events becomes aggregates of one grouping by person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.matching import inside, is_asked_for, line_filter, matches, passes
from clvspark.audiences.compile.names import measure_name
from clvspark.audiences.rules import (
    Aggregate,
    Condition,
    Event,
    First,
    Last,
    Occurrence,
    Sequence,
    Step,
    Window,
)

_WINDOW = tuple(Window.model_fields)
_STATISTICS: dict[str, Callable[[Column], Column]] = {
    "sum": F.sum,
    "count": F.count,
    "minimum": F.min,
    "maximum": F.max,
}


def measure_persons(
    happenings: DataFrame, conditions: Iterable[Condition], *, end: datetime
) -> DataFrame | None:
    """One row a person of whom anything is asked for: what the conditions measure; None where they ask for no events.

    In: rows of `list_happenings`. A single grouping measures all conditions. Its buffers are numbers, instants, true
    or false, which Spark changes in place; the instants of sequences are collected beside it, from the few events
    that are steps of one.
    """
    asked = list(conditions)
    plain, steps = list_measures(asked, end=end), list_steps(asked, end=end)
    if not plain and not steps:
        return None
    past = happenings.where(is_asked_for(asked, end))
    frames = []
    if plain:
        aggregates = [measure.alias(name) for name, measure in plain.items()]
        frames.append(past.groupBy("person_id").agg(*aggregates))
    if steps:
        named = past.select("person_id", *(step.alias(name) for name, step in steps.items()))
        some = named.where(reduce(Column.__or__, (F.col(name).isNotNull() for name in steps)))
        collected = [F.sort_array(F.collect_set(name)).alias(name) for name in steps]
        frames.append(some.groupBy("person_id").agg(*collected))
    return reduce(lambda left, right: left.join(right, on="person_id", how="full_outer"), frames)


def list_measures(conditions: Iterable[Condition], *, end: datetime) -> dict[str, Column]:
    """Aggregates by the name of their column, at an evaluation at `end`; equal ones are one."""
    found: dict[str, Column] = {}
    for condition in conditions:
        if isinstance(condition, Event):
            counted = matches(condition) & inside(condition, end)
            found[event_column(condition)] = F.count_if(counted)
        elif isinstance(condition, Aggregate):
            found |= _add_up(condition, end)
        elif isinstance(condition, First | Last):
            found |= _find_occurrence(condition)
    return found


def list_steps(conditions: Iterable[Condition], *, end: datetime) -> dict[str, Column]:
    """Instants (microseconds since 1970) of the steps of sequences, by column; NULL of an event that is none."""
    at = F.unix_micros("at")
    found: dict[str, Column] = {}
    for condition in conditions:
        if isinstance(condition, Sequence):
            for step in condition.steps:
                is_step = matches(step) & inside(condition, end)
                found[step_column(step, condition.window)] = F.when(is_step, at)
            if condition.then_not is not None:
                ends = condition.then_not
                found[step_column(ends, None)] = F.when(matches(ends), at)
    return found


def count_defaults(conditions: Iterable[Condition]) -> dict[str, Any]:
    """What the columns are of a person who did nothing, where that is not NULL."""
    found: dict[str, Any] = {}
    for condition in conditions:
        if isinstance(condition, Event):
            found[event_column(condition)] = 0
        elif isinstance(condition, Aggregate) and condition.by == "sum":
            found[statistic_columns(condition)["sum"]] = 0
    return found


def event_column(event: Event) -> str:
    """Column that counts an event."""
    return measure_name("count", event)


def statistic_columns(aggregate: Aggregate) -> dict[str, str]:
    """Columns of a statistic, by what they hold; an average is a sum and a count, which others may share."""
    parts = ("sum", "count") if aggregate.by == "average" else (aggregate.by,)
    return {part: measure_name(part, aggregate, without=["by"]) for part in parts}


def occurrence_columns(occurrence: Occurrence) -> tuple[str, str | None]:
    """Column of the instant of an occurrence, and of the one that was as `was` says."""
    kind = "first" if isinstance(occurrence, First) else "last"
    any_ = measure_name(kind, occurrence, without=[*_WINDOW, "was"])
    was = None if occurrence.was is None else measure_name(kind, occurrence, without=_WINDOW)
    return any_, was


def step_column(step: Step, window: Window | None) -> str:
    """Column of the instants of a step within the window."""
    return measure_name("steps", step.events, window)


def _add_up(aggregate: Aggregate, end: datetime) -> dict[str, Column]:
    amount = F.col(aggregate.of)
    if aggregate.is_of_lines:
        amount = F.try_element_at("lines", F.lit(line_filter(aggregate)))[aggregate.of]
    counted = F.when(matches(aggregate) & inside(aggregate, end), amount)
    columns = statistic_columns(aggregate)
    return {name: _STATISTICS[part](counted) for part, name in columns.items()}


def _find_occurrence(occurrence: Occurrence) -> dict[str, Column]:
    extreme = F.min if isinstance(occurrence, First) else F.max
    any_, was = occurrence_columns(occurrence)
    found = {any_: extreme(F.when(matches(occurrence), F.col("at")))}
    if was is not None and occurrence.was is not None:
        is_so = matches(occurrence) & passes(occurrence.was)
        found[was] = extreme(F.when(is_so, F.col("at")))
    return found
