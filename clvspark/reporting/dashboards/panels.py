"""Answers as blocks of a page: what is shown at first, and what each other choice shows in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Tile
from clvspark.reporting.dashboards.answers import Cell, Choices, Group, Tables, count_persons
from clvspark.reporting.dashboards.parts import Dimension, Measure
from clvspark.reporting.dashboards.populations import Population
from clvspark.reporting.dashboards.statements import Question
from clvspark.reporting.dashboards.widgets import (
    HeatMapWidget,
    NoteWidget,
    NumberWidget,
    OverlapWidget,
    Widget,
)
from clvspark.reporting.formats import UNKNOWN

# Choices of a widget at most; where the lists above a page are long, it follows the first of them only.
MOST_CHOICES = 250


@dataclass(frozen=True)
class Offered:
    """A list of values above a page, from which readers choose one.

    Parameters
    ----------
    options : value and the text that is shown for it.
    required : one is always chosen, the first at first.
    left_out : values that are not among the options, as there are too many.
    """

    column: str
    label: str
    options: tuple[tuple[str, str], ...]
    required: bool = False
    left_out: int = 0

    @property
    def size(self) -> int:
        """Choices that it makes."""
        return len(self.options) + (not self.required)


@dataclass(frozen=True)
class Panel:
    """A widget drawn.

    Parameters
    ----------
    follows : numbers of the lists above the page that it follows.
    choices : what is shown by what is chosen: numbers of the options, 0 for all of them, with commas.
    """

    block: Block | Tile
    follows: tuple[int, ...] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Canvas:
    """What widgets are drawn with: the rows, the lists above the page, and what stands for the braces in texts.

    Parameters
    ----------
    hidden : populations of which something would follow from several widgets of the page.
    """

    tables: Tables
    offered: Sequence[Offered]
    words: Mapping[str, str]
    hidden: frozenset[Population] = frozenset()

    def say(self, text: str) -> str:
        """A text with its braces filled."""
        return text.format(**self.words)

    def say_drill(self, widget: Widget) -> str:
        """The query that the persons are found with; nothing where there is none."""
        return self.say(widget.drill) if widget.drill else ""

    def follows(self, widget: Widget) -> tuple[int, ...]:
        """Which of the lists above the page a widget follows: those whose column its dataset has."""
        if isinstance(widget, OverlapWidget):  # of all audiences with each other
            return ()
        names = self.tables.datasets[widget.dataset].table.names
        found: list[int] = []
        size = 1
        for number, offered in enumerate(self.offered):
            if offered.column in names and size * offered.size <= MOST_CHOICES:
                found.append(number)
                size *= offered.size
        return tuple(found)

    def ask(
        self,
        widget: Widget,
        dimensions: Sequence[Dimension],
        measures: Sequence[Measure],
        *,
        as_of: date | None = None,
    ) -> dict[str, list[Group]]:
        """The groups of each choice of a widget, by its key."""
        followed = [self.offered[n] for n in self.follows(widget)]
        question = Question(widget, dimensions, measures, [offered.column for offered in followed])
        found = self.tables.ask(question, as_of=as_of, hidden=self.hidden)
        keyed = {_key(choice, followed): groups for choice, groups in found.items()}
        return {key: _share_out(groups, measures) for key, groups in keyed.items() if key}

    def date_before(self, widget: Widget) -> date | None:
        """The date that a number has changed since; None where it tells of no change."""
        if not isinstance(widget, NumberWidget) or not widget.change:
            return None
        return self.tables.date_before(self.tables.datasets[widget.dataset])

    def count_persons(self, widget: Widget) -> dict[Population, float]:
        """Persons of all populations that a widget tells of."""
        if self.tables.datasets[widget.dataset].persons is None:
            return {}
        choices = [self.offered[n].column for n in self.follows(widget)]
        question = Question(widget, widget.dimensions_used, widget.measures_used, choices)
        earlier = self.date_before(widget)
        days = [None, earlier] if earlier else [None]
        found: dict[Population, float] = {}
        for day in days:
            found |= count_persons(self.tables.answer(question, as_of=day))
        return found

    def first_key(self, widget: Widget) -> str:
        """The choice that is shown at first."""
        return ",".join("1" if self.offered[n].required else "0" for n in self.follows(widget))


def _key(choice: Choices, followed: Sequence[Offered]) -> str | None:
    """Numbers of the options with commas; "-" where nothing is followed, None of a value that is not offered."""
    numbers = []
    for value, offered in zip(choice, followed, strict=True):
        values = [option for option, _ in offered.options]
        if value is None:
            number = None if offered.required else 0
        else:
            number = values.index(value) + 1 if value in values else None
        if number is None:
            return None
        numbers.append(str(number))
    return ",".join(numbers) or "-"


def _share_out(groups: list[Group], measures: Sequence[Measure]) -> list[Group]:
    """The groups with shares in place of the sums of those measures that are told so."""
    for n, measure in enumerate(measures):
        if measure.share:
            total = sum(group.cells[n].value or 0 for group in groups)
            groups = [_with_share(group, n, total) for group in groups]
    return groups


def _with_share(group: Group, n: int, total: float) -> Group:
    value = group.cells[n].value
    cells = list(group.cells)
    cells[n] = Cell(None if value is None or not total else value / total)
    return replace(group, cells=tuple(cells))


def arrange(groups: Sequence[Group], dimensions: Sequence[Dimension], limit: int) -> list[Group]:
    """In the order that dimensions tell; else numbers and dates ascend, and of names those with the most come first."""

    def place(group: Group) -> tuple[Any, ...]:
        parts: list[Any] = []
        for n, (dimension, key) in enumerate(zip(dimensions, group.keys, strict=True)):
            if dimension.sorted_by:
                parts.append(group.places[n] if group.places[n] is not None else 0)
            elif dimension.order:
                known = str(key) in dimension.order
                parts.append(dimension.order.index(str(key)) if known else len(dimension.order))
            elif isinstance(key, str) or key is None:
                first = group.cells[0].value if group.cells and len(dimensions) == 1 else None
                parts.append(-first if isinstance(first, int | float) else 0)
            else:
                parts.append(key if isinstance(key, int | float) else 0)
            parts.append(group.names[n])
        return tuple(parts)

    return sorted(groups, key=place)[:limit]


def draw_note(widget: NoteWidget, canvas: Canvas) -> Panel:
    """A sentence."""
    return Panel(Note(canvas.say(widget.text)))


def nothing(widget: Widget, canvas: Canvas) -> Panel:
    """What is said where no choice has rows."""
    return Panel(Note(canvas.say(widget.empty), title=canvas.say(widget.title)))


def explain(widget: Widget, canvas: Canvas, found: Mapping[str, list[Group]]) -> str:
    """The hint, and what is not shown."""
    told = [canvas.say(widget.hint)] if widget.hint else []
    limit = getattr(widget, "limit", None)
    across = 1 if isinstance(widget, HeatMapWidget) else None
    # Of a heat map the rows are counted, which the first dimension tells apart.
    most = max(len({group.names[:across] for group in groups}) for groups in found.values())
    if limit and most > limit:
        told.append(f"The {most - limit} smaller ones are in {widget.dataset}.")
    if any(group.is_small for groups in found.values() for group in groups):
        told.append(f"Groups of fewer than {canvas.tables.smallest_group} persons are not told.")
    return " ".join(told)


def as_chart(
    widget: Widget,
    canvas: Canvas,
    panel_id: str,
    found: Mapping[str, list[Group]],
    spec: dict[str, Any],
    rows_of: Callable[[list[Group]], list[dict[str, Any]]],
    columns: Sequence[str],
    drawn_of: Callable[[list[Group]], list[dict[str, Any]]] | None = None,
) -> Panel:
    """A chart with the rows of each choice, and the same numbers as a table; `drawn_of` where not all are drawn."""
    choices: dict[str, dict[str, Any]] = {}
    left_out = 0
    for key, groups in found.items():
        rows = rows_of(groups)
        drawn = drawn_of(groups) if drawn_of else rows
        every, lines = ({row.get("series") for row in some} for some in (rows, drawn))
        left_out = max(left_out, len(every - lines))
        choices[key] = {"chart": drawn, "rows": tabulate(rows, columns)}
    first = choices.get(canvas.first_key(widget) or "-", {"chart": [], "rows": []})
    title = canvas.say(widget.title)
    more = f"{left_out} more are in the numbers only." if left_out else ""
    chart = Chart(
        panel_id,
        title,
        f"{explain(widget, canvas, found)} {more}".strip(),
        {**spec, "datasets": {"rows": first["chart"]}},
        Grid(title, columns, first["rows"], id=panel_id),
        canvas.say_drill(widget),
        widget.wide,
    )
    return Panel(chart, canvas.follows(widget), choices)


def as_numbers(
    widget: Widget,
    canvas: Canvas,
    panel_id: str,
    found: Mapping[str, list[Group]],
    rows_of: Callable[[list[Group]], list[dict[str, Any]]],
    columns: Sequence[str],
    hint: str,
) -> Panel:
    """The numbers of a chart that would be a dot for each series: one row a series, and `hint` why there is no line."""
    choices = {
        key: {"rows": [[row["series"], row["text"]] for row in rows_of(groups)]}
        for key, groups in found.items()
    }
    first = choices.get(canvas.first_key(widget) or "-", {"rows": []})
    grid = Grid(
        canvas.say(widget.title),
        columns,
        first["rows"],
        hint=f"{explain(widget, canvas, found)} {hint}".strip(),
        id=panel_id,
        drill=canvas.say_drill(widget),
    )
    return Panel(grid, canvas.follows(widget), choices)


def tabulate(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[list[str]]:
    """The rows of a chart as a table: one row a name, one column a series."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        name = str(row["name"]).replace("\n", ", ")
        found.setdefault(name, {})[str(row.get("column") or row["series"])] = row["text"]
    return [[name, *(texts.get(c, UNKNOWN) for c in columns[1:])] for name, texts in found.items()]
