"""The shop with three systems of docs/bring-your-own-data.md: its files, its commands, and what it says comes out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from support.commands import Outcome, run_commands
from support.example_shop import list_commands, write_example
from support.jvm import write_tiny_defaults
from support.shops import environment

from clvspark.catalogue import TABLES
from clvspark.config import read_config
from clvspark.lakehouse import Lakehouse

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page."""
    folder = tmp_path_factory.mktemp("mine")
    write_example(folder)
    return folder


@pytest.fixture(scope="module")
def outcomes(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What each command of the page came to, in that folder, by the command."""
    commands = list_commands()
    defaults = write_tiny_defaults(tmp_path_factory.mktemp("defaults"))
    env = environment(SPARK_CONF_DIR=str(defaults))
    done = run_commands(commands, cwd=folder, env=env, timeout=1200)
    return {" ".join(command): one for command, one in zip(commands, done, strict=True)}


@pytest.fixture(scope="module")
def mine(spark: SparkSession, folder: Path, outcomes: dict[str, Outcome]) -> Iterator[Lakehouse]:
    """The lakehouse as the commands left it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        yield Lakehouse(spark, read_config("conf/mine.yaml").lakehouse, TABLES)


def test_every_command_of_the_page_succeeds(outcomes: dict[str, Outcome]) -> None:
    assert {name: one.err for name, one in outcomes.items() if one.code != 0} == {}
    assert [name.split()[0] for name in outcomes] == ["ingest", "status", "doctor", "run", "run"]
    assert "sources.quarantine" in outcomes["status --config conf/mine.yaml"].out


def test_the_list_adds_who_buys_and_may_be_written_to_and_the_next_day_tells_nothing_new(
    folder: Path, outcomes: dict[str, Outcome]
) -> None:
    tool = folder / "exports" / "newsletter_tool"
    files = sorted(str(file.relative_to(tool)) for file in tool.glob("*/*"))
    assert files == [
        "2026-04-01/manifest.json",
        "2026-04-01/regulars.csv",
        "2026-04-02/manifest.json",
    ]
    with (tool / "2026-04-01" / "regulars.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["operation"], row["email"]) for row in rows] == [
        ("add", "anna@example.org"),
        ("add", "dora@example.org"),
    ]


def test_nine_records_of_four_systems_are_four_persons(mine: Lakehouse) -> None:
    links = mine.table("identity.person_link").where("valid_to IS NULL")
    found = links.groupBy("person_id").agg(
        F.array_sort(F.collect_list(F.concat_ws(":", "source_system", "source_record_id")))
    )
    persons = sorted(
        sorted("guest" if name.startswith("guest:") else name for name in row[1])
        for row in found.collect()
    )

    assert persons == [
        ["guest", "newsletter:N2", "till:K2"],
        ["newsletter:N1", "till:K1", "web:W10"],
        ["newsletter:N3", "web:W11"],
        ["till:K3"],
    ]


def test_the_page_tells_of_records_persons_and_sales(
    folder: Path, outcomes: dict[str, Outcome]
) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")

    assert "Our shop" in page
    assert "1,244.70" in page, "revenue of persons"


def test_the_line_whose_amount_nobody_can_read_is_in_quarantine(mine: Lakehouse) -> None:
    (row,) = mine.table("sources.quarantine").collect()

    assert "net_revenue" in str(row.asDict())


def test_revenue_is_that_of_the_files_to_the_cent(mine: Lakehouse) -> None:
    total = mine.table("history.order").agg(F.sum("net_revenue")).first()[0]

    till = Decimal("19.80") + 34 + Decimal("9.90") * 3 + Decimal("19.80") + 1036 + 12
    web = Decimal("34.00") + Decimal("29.70") * 2 + Decimal("9.90")
    assert total == till + web


def test_the_regulars_are_those_who_may_be_written_to(mine: Lakehouse) -> None:
    members = mine.table("audiences.membership").where("exited_on IS NULL").select("person_id")
    links = mine.table("identity.person_link").where("valid_to IS NULL")
    systems = links.join(members, on="person_id", how="leftsemi").where(
        "source_system = 'newsletter'"
    )

    assert sorted(row["source_record_id"] for row in systems.collect()) == ["N1", "N3"]
