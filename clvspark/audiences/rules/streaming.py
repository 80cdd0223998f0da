"""Whether a stream can evaluate a rule: decided when it is read, not when it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clvspark.audiences.rules.attributes import (
    STREAMED_ATTRIBUTES,
    DateAttribute,
    FlagAttribute,
    NumberAttribute,
    SetAttribute,
    TextAttribute,
)
from clvspark.audiences.rules.bounds import Window
from clvspark.audiences.rules.events import Events, First, Sequence
from clvspark.audiences.rules.standing import Listed, Similar, Survey
from clvspark.audiences.rules.tree import Leaf

STREAM_HOURS = 24
_ATTRIBUTES = TextAttribute | NumberAttribute | DateAttribute | FlagAttribute | SetAttribute


def list_batch_reasons(leaves: Iterable[Leaf]) -> list[str]:
    """Why a stream cannot evaluate these conditions, a sentence each; empty where it can.

    A stream sees the events of the day, as of its end. What the batch has computed, as values, deciles, stages, consent
    and memberships, it reads as the last run left it; what changes with every event it has not.
    """
    found = [reason for leaf in leaves for reason in _reasons(leaf)]
    return list(dict.fromkeys(found))


def _reasons(leaf: Leaf) -> Iterator[str]:
    condition, key = leaf.condition, leaf.key
    if isinstance(condition, _ATTRIBUTES) and condition.name not in STREAMED_ATTRIBUTES:
        yield f"a stream does not keep {condition.name} current"
    if isinstance(condition, First | Survey):
        yield f"{key!r} looks at all of the past"
    elif isinstance(condition, Window) and condition.hours != STREAM_HOURS:
        yield f"{key!r} needs a window of {STREAM_HOURS} hours, the day: each ends with it, not at the event"
    if isinstance(condition, Sequence) and _waits(condition):
        yield f"{key!r} waits for a gap of 'then_not' to be over, which no event tells"
    if isinstance(condition, Similar | Listed):
        yield f"{key!r} compares with persons that a run of the batch has to find"
    if _asks_for_lines(condition):
        yield f"{key!r} looks at lines of orders, of which a stream knows no category"


def _waits(sequence: Sequence) -> bool:
    return sequence.then_not is not None and sequence.then_not.gap_most is not None


def _asks_for_lines(condition: object) -> bool:
    if isinstance(condition, Sequence):
        return any(step.is_of_lines for step in condition.all_steps)
    return isinstance(condition, Events) and condition.is_of_lines
