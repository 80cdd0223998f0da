"""Catalog mode: the whole pipeline with tables in a catalog instead of a folder gives the same tables."""

from __future__ import annotations

import pytest
from support.commands import run_commands
from support.contents import COMPARED, contents
from support.jvm import TINY_SPARK
from support.shops import environment, open_lake, open_shop

from clvspark.pipeline import STAGES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COMMANDS = ("run", "run", "status")


@pytest.fixture(scope="module")
def shop(goods, tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog")
    conf = {**TINY_SPARK, "spark.sql.warehouse.dir": str(folder / "warehouse")}
    return open_shop(
        folder / "shop",
        goods,
        lakehouse={"root": None, "catalog": "spark_catalog"},
        spark={"conf": conf},
    )


@pytest.fixture(scope="module")
def warehouse(shop):
    return shop.folder.parent / "warehouse"


@pytest.fixture(scope="module")
def outcomes(shop):
    """What the commands say; in one process, as the catalog is kept in its memory."""
    commands = [[name, "--config", shop.config_file] for name in COMMANDS]
    return run_commands(commands, cwd=shop.folder, env=environment(CLVSPARK_DEBUG="1"))


def test_every_command_succeeds(outcomes):
    assert [seen.code for seen in outcomes] == [0] * len(COMMANDS), outcomes


def test_the_second_run_has_nothing_to_do(outcomes):
    first, second, _ = (seen.out for seen in outcomes)

    assert "unchanged" not in first
    assert sum("unchanged" in line for line in second.splitlines()[: len(STAGES)]) == len(STAGES)


def test_the_tables_are_in_the_catalog_and_nowhere_else(outcomes, shop, warehouse):
    assert (warehouse / "history.db/order/_delta_log").is_dir()
    assert not shop.lakehouse.exists()


@pytest.mark.parametrize("name", COMPARED)
def test_every_table_equals_that_of_path_mode(spark, outcomes, warehouse, finished, name):
    room, table = name.split(".")
    kept = spark.read.format("delta").load(str(warehouse / f"{room}.db" / table))

    assert contents(kept, name) == contents(open_lake(spark, finished).table(name), name)


@pytest.mark.parametrize("table", ["sources.event", "identity.person", "history.order"])
def test_status_counts_the_rows(spark, outcomes, finished, table):
    rows = open_lake(spark, finished).table(table).count()
    (line,) = [line for line in outcomes[-1].out.splitlines() if f" {table} " in line]

    assert line.split("│")[2].strip().replace(",", "") == str(rows)
