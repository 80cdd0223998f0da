"""Which events a condition counts: filters and windows become columns over what happened."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.audiences.compile.names import measure_name
from clvspark.audiences.compile.ranges import within_bounds
from clvspark.audiences.rules import (
    Aggregate,
    Condition,
    Event,
    Events,
    Filters,
    First,
    Last,
    Sequence,
    Window,
)

CANCELLATION = "order_cancelled"
_STORED_AS = {
    "channel": "channel",
    "campaign": "campaign_id",
    "store": "store_id",
    "status": "status",
}


def matches(events: Events) -> Column:
    """Whether a row of `list_happenings` is one of these events; never NULL.

    An order that was cancelled is none, unless the rule asks for its status, or adds up what cancels it as well.
    """
    one = F.col("type").isin(*events.type) & passes(events)
    if "order" in events.type and events.status is None and CANCELLATION not in events.type:
        is_cancelled = (F.col("type") == "order") & (F.col("status") == "cancelled")
        one &= ~F.coalesce(is_cancelled, F.lit(False))
    if events.each is None:
        return one
    return one & F.coalesce(within_bounds(F.col(events.each.of), events.each), F.lit(False))


def passes(filters: Filters) -> Column:
    """Whether a row of `list_happenings` passes the filters; never NULL."""
    found = [
        F.coalesce(F.col(column).isin(*values), F.lit(False))
        for name, column in _STORED_AS.items()
        if (values := getattr(filters, name)) is not None
    ]
    if filters.is_of_lines:
        found.append(F.coalesce(F.array_contains("passes", line_filter(filters)), F.lit(False)))
    return reduce(Column.__and__, found, F.lit(True))


def inside(window: Window, end: datetime) -> Column:
    """Whether ``at``, which lies before `end`, is within the window of an evaluation at `end`."""
    start, stop = window.instants(end)
    after = F.lit(True) if start is None else F.col("at") >= F.lit(start)
    return after & (F.col("at") < F.lit(stop)) if stop < end else after


def line_filter(filters: Filters) -> str:
    """Name of a filter by product or category, as ``passes`` and ``lines`` have it."""
    asked = {"product": filters.product, "category": filters.category}
    return measure_name("lines", Filters.model_validate(asked))


def list_line_filters(conditions: Iterable[Condition]) -> dict[str, Filters]:
    """The filters by product or category that conditions ask for, by `line_filter`."""
    asked: list[Filters] = []
    for condition in conditions:
        asked += list_events(condition)
        if isinstance(condition, First | Last) and condition.was is not None:
            asked.append(condition.was)
    return {line_filter(filters): filters for filters in asked if filters.is_of_lines}


def list_events(condition: Condition) -> list[Events]:
    """The events that a condition asks for; none where it asks for something else."""
    if isinstance(condition, Sequence):
        return list(condition.all_steps)
    return [condition] if isinstance(condition, Events) else []


def is_asked_for(conditions: Iterable[Condition], end: datetime) -> Column:
    """Whether a row of `list_happenings` lies before `end` and any of the conditions may ask for it.

    What no condition asks for need not be read: files know their types and times.
    """
    asked = [condition for condition in conditions if list_events(condition)]
    types = sorted({kind for c in asked for events in list_events(c) for kind in events.type})
    past = (F.col("at") < F.lit(end)) & F.col("type").isin(*types)
    starts = [_first_instant(condition, end) for condition in asked]
    bounded = [start for start in starts if start is not None]
    if bounded and len(bounded) == len(starts):
        past &= F.col("at") >= F.lit(min(bounded))
    return past


def _first_instant(condition: Condition, end: datetime) -> datetime | None:
    # The first and the last of all time are looked for wherever they are.
    if isinstance(condition, Event | Aggregate | Sequence):
        return condition.instants(end)[0]
    return None
