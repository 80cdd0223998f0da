"""Every block of Python of the pages is run, on a small shop, in a folder as the page has it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pyspark.sql import SparkSession
from support.notebook_shop import NotebookShop, make_notebook_shop
from support.people import SETTINGS, make_people, make_records

import clvspark
from clvspark.lakehouse import Lakehouse

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_by_page() -> dict[str, list[str]]:
    """The blocks of each page that has some, in their order."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = {str(p.relative_to(ROOT)): _BLOCK.findall(p.read_text("utf-8")) for p in pages}
    return {page: blocks for page, blocks in found.items() if blocks}


PAGES = blocks_by_page()


@pytest.fixture(scope="module")
def shop(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> NotebookShop:
    """The small lakehouse."""
    folder = tmp_path_factory.mktemp("pages")
    return make_notebook_shop(open_lake(folder), folder)


@pytest.fixture
def folder(shop: NotebookShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, with the files that the pages name: a lakehouse and its configurations, settings, sales."""
    copy = shop.copy_to(tmp_path / "demo")
    conf = tmp_path / "conf"
    conf.mkdir()
    for name in ("demo", "mine"):
        shutil.copy(copy.folder / "config.yaml", conf / f"{name}.yaml")
    (conf / "identity.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    make_sales().to_csv(tmp_path / "sales.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make_sales() -> pd.DataFrame:
    """Two hundred customers, who buy at rates, for a while and for amounts of their own."""
    chance, first = np.random.default_rng(5), pd.Timestamp("2023-01-02")
    rows = []
    for customer in range(200):
        start = chance.integers(0, 180)
        lifetime, gap, mean = (
            chance.exponential(400),
            5 + chance.exponential(60),
            chance.gamma(6, 5),
        )
        at = 0.0
        while at <= lifetime and start + at < 728:
            amount = round(mean * chance.gamma(4) / 4, 2)
            rows.append((f"c{customer}", first + pd.Timedelta(days=int(start + at)), amount))
            at += 1 + chance.exponential(gap)
    return pd.DataFrame(rows, columns=["customer", "day", "amount"])


def make_summary() -> pd.DataFrame:
    """What models of purchases and spend are fitted to, of as many customers, in weeks."""
    sales = make_sales().groupby("customer").agg(
        first=("day", "min"), last=("day", "max"), frequency=("day", "count"), mean=("amount", "mean")
    )  # fmt: skip
    week = pd.Timedelta(weeks=1)
    return pd.DataFrame(
        {
            "frequency": sales["frequency"] - 1,
            "recency": (sales["last"] - sales["first"]) / week,
            "T": (pd.Timestamp("2025-01-01") - sales["first"]) / week,
            "monetary_value": sales["mean"],
        }
    ).reset_index(drop=True)


def given(page: str, spark: SparkSession) -> dict[str, Any]:
    """What a page takes for granted."""
    if page == "README.md":
        records = make_records(spark, make_people())
        return {"spark": spark, "records": records, "summary": make_summary()}
    return {"lake": clvspark.open("conf/mine.yaml")} if page == "docs/audiences.md" else {}


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page: str, folder: Path, spark: SparkSession) -> None:
    names = given(page, spark)
    for number, block in enumerate(PAGES[page], 1):
        exec(compile(block, f"{page}, block {number}", "exec"), names)
    assert PRODUCED[page](names)


PRODUCED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "README.md": lambda names: (
        names["persons"].select("person_id").distinct().count() < 400
        and names["model"].params_.keys() == {"r", "alpha", "s", "beta"}
    ),
    "docs/audiences.md": lambda names: (
        [row[0] for row in names["lake"].table("audiences.saved").collect()] == ["press"]
    ),
    "docs/reference/lakehouse.md": lambda names: (
        names["lake"].table("clv.customer_value").count() == 5
    ),
    "docs/reporting.md": lambda names: names["profile"].num_rows == 3,
    "docs/transaction-logs.md": lambda names: bool(names["found"].to_dict() and names["table"]),
    "docs/tutorial.md": lambda names: names["lake"].table("clv.customer_value").count() == 5,
}
"""What must have come of the blocks of a page; a page with new ones says so here."""
