"""Numbers of few persons are not told, and do not follow from those that are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.star import tables_of

from clvspark.reporting.dashboards.answers import Group, Tables
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.page import hide_few
from clvspark.reporting.dashboards.panels import Canvas, Offered
from clvspark.reporting.dashboards.parts import Dimension, Measure, Rows
from clvspark.reporting.dashboards.statements import Question
from clvspark.reporting.dashboards.widgets import BarWidget, NumberWidget, TableWidget

MAY, JUNE = date(2025, 5, 1), date(2025, 6, 1)
COHORTS, CHANNELS = (MAY, JUNE, date(2025, 7, 1)), ("app", "shop", "web")
CUSTOMERS = Measure(label="Customers", sum="customers")
COHORT = Dimension(column="cohort_month")
EQUITY = {"dataset": "fact_customer_equity"}
WIDGETS = [
    TableWidget(kind="table", title="T", dimensions=[COHORT], measures=[CUSTOMERS], total=True, **EQUITY),
    NumberWidget(kind="number", title="N", measure=CUSTOMERS, **EQUITY),
    NumberWidget(kind="number", title="Not app", measure=CUSTOMERS, exclude={"channel": "app"}, **EQUITY),
    BarWidget(
        kind="bar", title="B", dimension=Dimension(column="channel"),
        measures=[Measure(label="May and June", sum="customers", where={"cohort_month": [MAY, JUNE]})], **EQUITY,
    ),
]  # fmt: skip
Atoms = frozenset[tuple[date, str]]


def tables_with(sizes: Mapping[tuple[date, str], int], smallest: int) -> Tables:
    """Customers by cohort and channel."""
    rows = [
        {"cohort_month": cohort, "channel": channel, "customers": size, "clv": 1.0}
        for (cohort, channel), size in sizes.items()
    ]
    return tables_of(smallest_group=smallest, fact_customer_equity=rows)


def page_of(tables: Tables, widgets: list[Any] = WIDGETS) -> Canvas:
    """A page with the widgets and a list of channels."""
    channels = Offered("channel", "Channel", tuple((c, c) for c in CHANNELS))
    page = Dashboard(id="page", title="Page", sections=[{"title": "S", "widgets": widgets}])
    return hide_few(page, Canvas(tables, [channels], {}))


def told(canvas: Canvas) -> dict[Atoms, float]:
    """What the page tells: numbers by the cohorts and channels that they are of."""
    found: dict[Atoms, float] = {}
    every = [("", None), *((c, c) for c in CHANNELS)]
    for widget in WIDGETS:
        dimensions = (
            [widget.dimensions_used, []]
            if isinstance(widget, TableWidget)
            else [widget.dimensions_used]
        )
        for by in dimensions:
            answers = canvas.ask(widget, by, widget.measures_used)
            for n, (_, chosen) in enumerate(every):
                for group in answers.get(str(n), []):
                    if group.cells[0].value is not None:
                        found[atoms_of(widget, chosen, group)] = group.cells[0].value
    return found


def atoms_of(widget: Any, chosen: str | None, group: Group) -> Atoms:
    """The cohorts and channels that a number is of."""
    if isinstance(widget, BarWidget):
        wanted = ((MAY, JUNE), group.keys)
    elif isinstance(widget, TableWidget):
        wanted = (group.keys or COHORTS, CHANNELS)
    else:
        wanted = (COHORTS, CHANNELS[1:] if widget.exclude else CHANNELS)
    return frozenset((m, c) for m, c in product(*wanted) if chosen in (None, c))


def slices_of(atoms: Atoms, axis: int) -> list[Atoms]:
    """By cohort or by channel."""
    keys = {atom[axis] for atom in atoms}
    return [frozenset(atom for atom in atoms if atom[axis] == key) for key in keys]


def what_follows(shown: set[Atoms]) -> Iterator[Atoms]:
    """Of whom something is told, or follows by one subtraction: of another number, or of those of its slices.

    What is hidden is taken as known where all of its slices are told.
    """
    every = (frozenset(product(m, c)) for m in subsets(COHORTS) for c in subsets(CHANNELS))
    known = shown | {
        one for one in every for axis in (0, 1) if shown.issuperset(slices_of(one, axis))
    }
    yield from known
    for whole in known:
        yield from (whole - part for part in shown if part < whole)
        yield from (
            whole.difference(*shown.intersection(slices_of(whole, axis))) for axis in (0, 1)
        )


def subsets(keys: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """One of the keys, two or all."""
    return [some for size in (1, 2, 3) for some in combinations(keys, size)]


SIZES = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 60)), min_size=9, max_size=9)


@settings(deadline=None)
@given(SIZES, st.integers(1, 15))
def test_no_number_of_few_persons_is_told_nor_follows_from_others_of_the_page(
    sizes: list[int], smallest: int
) -> None:
    persons = dict(zip(product(COHORTS, CHANNELS), sizes, strict=True))
    found = told(page_of(tables_with(persons, smallest)))
    for atoms, value in found.items():
        assert value == sum(persons[atom] for atom in atoms)
    for atoms in what_follows({*found}):
        number = sum(persons[atom] for atom in atoms)
        assert number == 0 or number >= smallest, sorted(atoms)


def test_what_is_large_is_told() -> None:
    persons = dict.fromkeys(product(COHORTS, CHANNELS), 10)
    shown = told(page_of(tables_with(persons, 10)))
    assert len(shown) == 4 * 4 + 1 + 3, "the table of each choice, all but app, and the bars"


def test_an_option_of_few_hides_the_next_smallest_of_the_list() -> None:
    sizes = {(MAY, "app"): 10, (MAY, "shop"): 34, (MAY, "web"): 6}
    sizes |= {(JUNE, "app"): 100, (JUNE, "shop"): 100, (JUNE, "web"): 100}
    page = page_of(tables_with(sizes, 10), WIDGETS[:1])
    table = page.ask(WIDGETS[0], [COHORT], [CUSTOMERS])
    may = {key: next(g.cells[0].value for g in table[key] if g.keys[0] == MAY) for key in "0123"}
    assert may == {"0": 50.0, "1": None, "2": 34.0, "3": None}


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ({"sum": "count_of_profiles", "where": {"lifecycle_stage": "new"}}, None),
        (
            {
                "sum": "customer_equity",
                "where": {"lifecycle_stage": "new"},
                "per": "count_of_profiles",
            },
            None,
        ),
        (
            {
                "sum": "customer_equity",
                "per": "count_of_profiles",
                "per_where": {"lifecycle_stage": "new"},
            },
            None,
        ),
        ({"sum": "count_of_profiles", "where": {"lifecycle_stage": "core"}}, None),
        ({"sum": "count_of_profiles", "where": {"lifecycle_stage": "lapsed"}}, 50.0),
        ({"sum": "count_of_profiles", "where": {"lifecycle_stage": ["new", "lapsed"]}}, None),
        ({"sum": "count_of_profiles"}, 92.0),
    ],
)
def test_the_rows_of_a_measure_alone_count(measure: dict[str, Any], value: float | None) -> None:
    """Of 92 persons 2 are new, 40 core and 50 lapsed; that 2 are new follows from the others, or from two of them."""
    rows = [
        {"lifecycle_stage": stage, "count_of_profiles": n, "customer_equity": 5.0}
        for stage, n in (("new", 2), ("core", 40), ("lapsed", 50))
    ]
    tables = tables_of(smallest_group=10, fact_profile=rows)
    stages = [
        Measure(label=stage, sum="count_of_profiles", where={"lifecycle_stage": stage})
        for stage in ("new", "core", "lapsed")
    ]
    question = Question(Rows(dataset="fact_profile"), [], [Measure(label="A", **measure), *stages])
    (group,) = tables.ask(question)[()]
    assert group.cells[0].value == value
    assert group.is_small


def test_a_part_of_what_a_measure_counts_does_not_tell_of_the_rest() -> None:
    rows = [
        {"lifecycle_stage": stage, "count_of_profiles": n}
        for stage, n in (("new", 2), ("core", 40), ("lapsed", 50))
    ]
    tables = tables_of(smallest_group=10, fact_profile=rows)
    measures = [
        Measure(label="A", sum="count_of_profiles", where={"lifecycle_stage": stages})
        for stages in (["new", "lapsed"], ["lapsed"])
    ]
    (group,) = tables.ask(Question(Rows(dataset="fact_profile"), [], measures))[()]
    assert [cell.value for cell in group.cells] == [52.0, None]


def test_a_key_figure_of_few_customers_is_not_told() -> None:
    cells = {"web": (40.0, 1.0), "shop": (60.0, 30.0), "app": (55.0, 0.0), "till": (4.0, 0.0)}
    rows = [
        {"period_starts_on": MAY, "kpi": kpi, "grain": "one_channel", "channel": channel, "value": value}
        for channel, (active, new) in cells.items()
        for kpi, value in (
            ("active_customers", active), ("new_customers", new), ("retention_rate", 0.25),
            ("survey_answers", 20.0), ("nps", 3.0),
        )
    ]  # fmt: skip
    tables = tables_of(smallest_group=10, history__kpi=rows)

    def figures(kpi: str) -> dict[str, float | None]:
        asked = Rows(dataset="history.kpi", filter={"kpi": kpi})
        by = [Dimension(column="channel")]
        found = tables.ask(Question(asked, by, [Measure(label="A", sum="value")]))[()]
        return {group.keys[0]: group.cells[0].value for group in found}

    assert figures("new_customers") == {"web": None, "shop": None, "app": 0.0, "till": 0.0}
    assert figures("retention_rate") == {"web": None, "shop": 0.25, "app": 0.25, "till": None}
    assert figures("nps") == dict.fromkeys(cells, 3.0), "of those who answered"
