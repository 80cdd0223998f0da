"""Whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from clvspark.audiences.rules import AudienceDefinition


@dataclass(frozen=True)
class LastTurn:
    """When an audience was evaluated last before a date, and in which version."""

    version: int | None
    evaluated_on: date


def list_resting(
    definitions: Iterable[AudienceDefinition], turns: Mapping[str, LastTurn], *, as_of: date
) -> dict[str, date]:
    """Audiences whose turn it is not on a date, with the date of their last one.

    A weekly one is evaluated seven days after its last turn, a monthly one in another calendar month; a version that
    was never evaluated at once.
    """
    return {
        d.id: turns[d.id].evaluated_on
        for d in definitions
        if d.id in turns and not _is_due(d, turns[d.id], as_of)
    }


def _is_due(definition: AudienceDefinition, last: LastTurn, as_of: date) -> bool:
    if definition.schedule == "every_run" or last.version != definition.version:
        return True
    if definition.schedule == "weekly":
        return (as_of - last.evaluated_on).days >= 7
    return (as_of.year, as_of.month) != (last.evaluated_on.year, last.evaluated_on.month)
