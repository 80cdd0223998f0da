"""Complementary suppression: which populations are left out so that those of few persons neither stand nor follow.

L. H. Cox (1980), "Suppression methodology and statistical disclosure control", JASA 75 (370), 377-385.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from clvspark.reporting.dashboards.populations import Counts, Population


@dataclass(frozen=True)
class Line:
    """A population and parts of it that have no row in common: what one lacks follows from the others."""

    whole: Population
    parts: tuple[Population, ...]


def find_hidden(persons: Counts, smallest: int) -> frozenset[Population]:
    """Populations that no number may be told of.

    Those of fewer than `smallest` persons; and of each `Line` the smallest others, until what is missing of it is of as
    many persons, and of more than one population.
    """
    counts = {population: n for population, n in persons.items() if n > 0}
    lines = find_lines(counts)
    hidden = {population for population, n in counts.items() if n < smallest}
    while found := {*_hide_next(lines, counts, hidden, smallest)}:
        hidden |= found
    return frozenset(hidden)


def find_lines(populations: Iterable[Population]) -> list[Line]:
    """All ways in which some of the populations are parts of another one."""
    known = {*populations}
    families: dict[tuple[Population, tuple[str, ...]], list[Population]] = defaultdict(list)
    for population in known:
        for columns in population.sets_of_columns:
            families[population.widen(columns), columns].append(population)
    lines = []
    for (whole, columns), members in families.items():
        if whole in known:
            lines += [Line(whole, parts) for parts in _list_partitions(members)]
        if len(columns) == 1:
            lines += _list_sets(members, columns[0])
    return lines


def _list_sets(members: Sequence[Population], column: str) -> Iterator[Line]:
    """Populations of several values of a column, and their parts of fewer."""
    for whole in members:
        values = dict(whole.held)[column]
        if not values.is_single:
            parts = [p for p in members if p != whole and values.cover(dict(p.held)[column])]
            yield from (Line(whole, family) for family in _list_partitions(parts))


def _list_partitions(members: Sequence[Population]) -> Iterator[tuple[Population, ...]]:
    """The members, as often as each is in a family of which no two have a row in common."""
    if all(values.is_single for member in members for _, values in member.held):
        # Members differ in the same columns, so no two of them have a row in common; there may be thousands.
        yield tuple(members)
        return
    ordered = sorted(members, key=_name)
    left = {*ordered}
    for first in ordered:
        if first in left:
            family = [first]
            for other in ordered:
                if all(other.is_apart(one) for one in family):
                    family.append(other)
            left -= {*family}
            yield tuple(family)


def _hide_next(
    lines: Iterable[Line], counts: Counts, hidden: set[Population], smallest: int
) -> Iterator[Population]:
    """Of each line from which something would follow, the smallest population that is still told."""
    for line in lines:
        told = [part for part in line.parts if part not in hidden]
        lacking = [one for one in (line.whole, *line.parts) if one in hidden]
        missing = counts[line.whole] - sum(counts[part] for part in told)
        # What no population of the line has is one that is never told.
        rest = counts[line.whole] - sum(counts[part] for part in line.parts)
        is_few = line.whole not in hidden and 0 < missing < smallest
        if is_few or (len(lacking) == 1 and rest <= 0):
            yield min(told or [line.whole], key=lambda one: (counts[one], _name(one)))


def _name(population: Population) -> list[tuple[str, bool, list[str]]]:
    return sorted((c, v.are_excluded, sorted(map(str, v.names))) for c, v in population.held)
