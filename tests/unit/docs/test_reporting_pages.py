"""The examples of the pages about dashboards and the star schema are accepted, and name what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.parts import PLACEHOLDERS
from clvspark.reporting.dashboards.widgets import KINDS
from clvspark.reporting.datasets import DATASETS
from clvspark.reporting.own_tables import OwnTable
from clvspark.reporting.tables import TABLES

DOCS = Path(__file__).resolve().parents[3] / "docs"
DASHBOARDS = (DOCS / "dashboards.md").read_text(encoding="utf-8")
REPORTING = (DOCS / "reporting.md").read_text(encoding="utf-8")


def examples(text: str, mark: str) -> list[str]:
    """YAML examples that begin so."""
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    return [block for block in blocks if block.startswith(mark)]


def test_the_examples_are_accepted() -> None:
    (dashboard,) = examples(DASHBOARDS, "# dashboard")
    assert len(Dashboard.model_validate(yaml.safe_load(dashboard)).widgets) == 3
    (table,) = examples(REPORTING, "# table")
    assert OwnTable.model_validate(yaml.safe_load(table)).sources == ["history.order"]
    settings = [e for e in examples(REPORTING, "reporting:") if "!include" not in e]
    (config,) = (ReportingConfig.model_validate(yaml.safe_load(e)["reporting"]) for e in settings)
    assert config.acquisition_spend[0].channel == "web"


def test_no_example_repeats_in_its_lead_the_sentence_that_stands_on_every_page() -> None:
    texts = [page.read_text(encoding="utf-8") for page in DOCS.glob("*.md")]
    leads = [line for text in texts for line in re.findall(r"^lead: .*$", text, re.MULTILINE)]
    assert len(leads) >= 2
    assert [lead for lead in leads if "{period}" in lead] == []


def test_every_kind_of_widget_and_placeholder_is_described() -> None:
    described = re.findall(r"^\| `(\w+)` \|", DASHBOARDS.split("## Widgets")[1], re.MULTILINE)
    assert described == list(KINDS)
    assert {f"`{{{name}}}`" for name in PLACEHOLDERS} <= set(re.findall(r"`\{\w+\}`", DASHBOARDS))


def test_every_table_of_the_star_is_named_and_no_other() -> None:
    told = set(re.findall(r"`((?:dim|fact)_\w+)`", REPORTING.split("## Refreshed")[0]))
    assert told == {table.name.removeprefix("reporting.") for table in TABLES}
    assert told <= set(DATASETS)
