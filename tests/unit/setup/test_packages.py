"""What is in the wheel and in the source distribution, and that the wheel alone draws the delivered dashboards."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from support.shops import ROOT, environment
from support.wheel import install_wheel, run

# Of the tests only the rows of a small shop are lent to the wheel.
DRAW = """
from support.star import AS_OF, shop_rows
import clvspark
from clvspark.config import shipped_config
from clvspark.doctor.machine import find_dashboards
from clvspark.lakehouse.load_config import load_config
from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.page import place_pages
from clvspark.reporting.dashboards.site import write_pages
from clvspark.reporting.moment import Window
from pathlib import Path

files = sorted((shipped_config("base.yaml").parent / "dashboards").glob("*.yaml"))
config = ReportingConfig(dashboards=[load_config(file, Dashboard) for file in files])
places = place_pages(Path("report.html"), config.pages)
window = Window(AS_OF, 91, 91)
words = {"value": "margin", "horizon_days": 364, "champion_rule": "smallest MAE of value", "currency": "EUR"}
write_pages(shop_rows(), config, places, window=window, **words)
print(clvspark.__file__)
print(find_dashboards())
"""
FOLDERS = ["bench", "clvspark", "conf", "deploy", "docs", "jobs", "notebooks", "tests", "tools"]
CACHES = {"__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"}


@pytest.fixture(scope="module")
def sources() -> list[Path]:
    """The files of the source distribution."""
    found = SdistBuilder(str(ROOT)).recurse_included_files()
    return [Path(file.relative_path) for file in found]


def test_the_wheel_alone_draws_the_delivered_dashboards_and_says_where_they_are(
    tmp_path: Path,
) -> None:
    site = install_wheel(tmp_path)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path = f"{site}:{ROOT / 'tests'}"

    said = run([sys.executable, "-c", DRAW], folder, **environment(PYTHONPATH=path)).stdout

    delivered = {file.stem for file in (ROOT / "conf" / "dashboards").glob("*.yaml")}
    drawn = {page.stem for page in folder.rglob("*.html")}
    assert drawn == delivered - {"overview"} | {"report"}
    assert said.splitlines() == [
        str(site / "clvspark" / "__init__.py"),
        f"{len(delivered)} dashboards in {site / 'clvspark' / 'conf'}",
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_source_distribution_has_every_file_of_a_folder(
    sources: list[Path], folder: str
) -> None:
    there = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()}
    wanted = {path for path in there if not CACHES & {*path.parts}}
    assert wanted
    assert wanted - {*sources} == set()


def test_the_source_distribution_has_what_builds_and_checks_it(sources: list[Path]) -> None:
    wanted = [
        ".ci/run",
        "CHANGELOG.md",
        "Makefile",
        "README.md",
        "SECURITY.md",
        "constraints.txt",
        "mkdocs.yml",
    ]
    assert {*map(Path, wanted)} - {*sources} == set()


def test_the_source_distribution_has_nothing_twice_and_no_cache(sources: list[Path]) -> None:
    assert [path for path, times in Counter(sources).items() if times > 1] == []
    assert [path for path in sources if CACHES & {*path.parts}] == []
