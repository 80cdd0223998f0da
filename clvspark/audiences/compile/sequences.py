"""Whether steps followed each other: from the instants of each step, without a loop over events."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.audiences.compile.measures import step_column
from clvspark.audiences.rules import Sequence, Step

_HOUR = 3_600_000_000


def followed(sequence: Sequence, end: datetime) -> Column:
    """Whether the sequence happened, as of `end`.

    In: the columns of `list_steps`. Of each step those instants are kept at which a chain of steps can end: they lie
    after one of the step before, at a gap that the step allows. A chain of all steps exists where the last has one.
    All chains are followed, not only the first or the newest: with gaps from both sides any of them may be the one.
    """
    first, *rest = sequence.steps
    ends = _instants(step_column(first, sequence.window))
    for step in rest:
        ends = _continue(ends, _instants(step_column(step, sequence.window)), step)
    if sequence.then_not is None:
        return F.size(ends) > 0
    return _is_left_open(ends, sequence.then_not, end)


def _instants(column: str) -> Column:
    return F.coalesce(F.col(column), F.array().cast("array<bigint>"))


def _continue(ends: Column, instants: Column, step: Step) -> Column:
    least, most = step.gap_least, step.gap_most

    def follows(before: Column, at: Column) -> Column:
        later = at > before if least is None else at - before >= F.lit(least * _HOUR)
        return later if most is None else later & (at - before <= F.lit(most * _HOUR))

    return F.filter(instants, lambda at: F.exists(ends, lambda before: follows(before, at)))


def _is_left_open(ends: Column, then_not: Step, end: datetime) -> Column:
    after, most = _instants(step_column(then_not, None)), then_not.gap_most
    now = F.unix_micros(F.lit(end))

    def comes(at: Column, last: Column) -> Column:
        later = at > last
        return later if most is None else later & (at - last <= F.lit(most * _HOUR))

    def is_open(last: Column) -> Column:
        nothing = ~F.exists(after, lambda at: comes(at, last))
        return nothing if most is None else nothing & (now - last >= F.lit(most * _HOUR))

    return F.exists(ends, is_open)
