"""The shop with three systems of docs/bring-your-own-data.md, run as the page says."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from support.example_shop import write_example

from clvspark.catalogue import TABLES
from clvspark.config import read_config
from clvspark.lakehouse import Lakehouse
from clvspark.pipeline import STAGES, run_stages

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def mine(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakehouse]:
    """The lakehouse after all stages, as `clvspark run` leaves it."""
    folder = tmp_path_factory.mktemp("mine")
    write_example(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        config = read_config("conf/mine.yaml")
        lake = Lakehouse(spark, config.lakehouse, TABLES)
        list(run_stages(lake, config, STAGES, as_of=config.as_of))
        yield lake


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


def test_the_page_tells_of_records_persons_and_sales(mine: Lakehouse) -> None:
    page = (Path(mine.config.root).resolve().parent / "report.html").read_text(encoding="utf-8")

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
