"""A drill names tables and columns of the lakehouse, in Python or in SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from clvspark.catalogue import TABLES
from clvspark.config import read_config, shipped_config
from clvspark.lakehouse.errors import ConfigError
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.drill import find_drill_faults
from clvspark.reporting.dashboards.widgets import Widget


@pytest.mark.parametrize(
    "drill",
    [
        """lake.table("audiences.decile").where("as_of_date = DATE'{as_of}' AND decile = 1")""",
        'lake.table("audiences.membership_event")  # by audience_id',
        'lake.table("audiences.decile").select("person_id", "decile AS tenth").orderBy("tenth", "*")',
        'lake.table("audiences.decile").withColumn("best", F.col("decile") == 1).where("best")',
        'lake.table("audiences.decile").groupBy("decile").count()',
        "SELECT person_id FROM audiences.decile WHERE as_of_date = DATE'{as_of}'",
        "select d.rank, m.audience_id from main.audiences.decile d join main.audiences.membership m using (person_id)",
        "WITH best AS (SELECT person_id AS who FROM audiences.decile WHERE DECILE = 1) SELECT who FROM best",
    ],
)
def test_a_query_of_what_is_there_is_accepted(drill: str) -> None:
    assert list(find_drill_faults(drill, TABLES)) == []


@pytest.mark.parametrize(
    ("drill", "told"),
    [
        ('lake.table("audiences.deciles")', "no table 'audiences.deciles'. Did you mean 'audiences.decile'? Allowed: "),
        ('lake.table("audiences.decile").where("decil = 1")', "has no column 'decil'. Did you mean 'decile'? Columns"),
        ('lake.table("audiences.decile").select("person_id", "name")', "has no column 'name'. Columns: person_id"),
        ("SELECT person_id FROM audiences.decils", "no table 'audiences.decils'. Did you mean 'audiences.decile'?"),
        ("SELECT d.persn_id FROM audiences.decile d", "no column 'persn_id'. Did you mean 'person_id'?"),
        ("SELECT 1", "the query names no table; write lake.table("),
        ("ask the analysts", "the query cannot be read; write lake.table("),
        ("SELECT person_id FROM", "the query cannot be read"),
        ('lake.table("audiences.decile").where("decile =")', "the query cannot be read"),
        ("persons of decile 1", "the query cannot be read"),
    ],
)  # fmt: skip
def test_a_query_that_finds_nothing_is_told_with_what_there_is(drill: str, told: str) -> None:
    (fault,) = find_drill_faults(drill, TABLES)
    assert told in fault


def test_of_placeholders_that_are_not_another_check_tells() -> None:
    for drill in ('lake.table("{nosuch}")', 'lake.table("{as_of.year}")', 'lake.table("{")'):
        assert list(find_drill_faults(drill, TABLES)) == []


def drills_of(dashboard: Dashboard) -> dict[str, str]:
    """The queries of a dashboard, by the titles of their widgets."""
    widgets = [widget for widget in dashboard.widgets if isinstance(widget, Widget)]
    return {widget.title: widget.drill for widget in widgets if widget.drill}


def test_every_drill_that_is_delivered_is_judged(shipped: list[Dashboard]) -> None:
    drills = [drill for dashboard in shipped for drill in drills_of(dashboard).values()]
    assert [fault for drill in drills for fault in find_drill_faults(drill, TABLES)] == []


def test_every_delivered_dashboard_leads_to_rows_but_that_of_models(
    shipped: list[Dashboard],
) -> None:
    """Models have no persons."""
    without = {dashboard.id for dashboard in shipped if not drills_of(dashboard)}
    assert without == {"models"}


@pytest.mark.parametrize("name", ["audiences", "campaigns", "experiments", "finance"])
def test_persons_are_found_by_the_date_that_is_reported(
    shipped: list[Dashboard], name: str
) -> None:
    (dashboard,) = (one for one in shipped if one.id == name)
    for title, drill in drills_of(dashboard).items():
        assert "person_id" in drill, title
        assert "DATE'{as_of}'" in drill, title


def test_a_configuration_tells_file_line_and_key(tmp_path: Path) -> None:
    for entry in shipped_config("demo.yaml").parent.iterdir():
        (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "mine.yaml").write_text(
        """\
id: mine
title: Mine
sections:
  - title: Sizes
    widgets:
      - kind: bar
        title: Members
        dataset: fact_mine
        dimension: {column: channel}
        measures: [{label: Persons, sum: persons}]
        drill: lake.table("reporting.fact_mime")
""",
        encoding="utf-8",
    )
    (tmp_path / "table.yaml").write_text(
        """\
name: fact_mine
comment: Mine.
columns:
  - {name: as_of_date, type: date, key: true}
  - {name: channel, type: string, key: true}
  - {name: persons, type: bigint}
persons: persons
sql: SELECT :as_of AS as_of_date, channel, count(*) AS persons FROM history.order GROUP BY channel
""",
        encoding="utf-8",
    )
    config = tmp_path / "changed.yaml"
    sections = "{own_dashboards: [!include mine.yaml], own_tables: [!include table.yaml]}"
    config.write_text(f"extends: demo.yaml\nreporting: {sections}\n", encoding="utf-8")

    with pytest.raises(ConfigError) as raised:
        read_config(config)

    (fault,) = raised.value.faults
    assert fault.startswith(
        f"{tmp_path / 'mine.yaml'}, line 11: reporting.own_dashboards.0.sections.0.widgets.0.drill: "
        "there is no table 'reporting.fact_mime'. Did you mean 'reporting.fact_mine'? Allowed: "
    )
