"""Catalog mode: the same commands with tables in a catalog instead of a folder."""

from __future__ import annotations

import pytest
from support.commands import run_commands
from support.shops import TINY_SPARK, environment, open_till_shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

COMMANDS = ("ingest", "resolve", "history", "ingest", "history", "status")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalog")
    conf = {**TINY_SPARK, "spark.sql.warehouse.dir": str(folder / "warehouse")}
    return open_till_shop(
        folder / "shop",
        lakehouse={"root": None, "catalog": "spark_catalog"},
        spark={"conf": conf},
    )


@pytest.fixture(scope="module")
def outcomes(shop):
    """What the commands say; in one process, as the catalog is kept in its memory."""
    commands = [[name, "--config", shop.config_file] for name in COMMANDS]
    return run_commands(commands, cwd=shop.folder, env=environment(CLVSPARK_DEBUG="1"))


def test_every_command_succeeds(outcomes):
    assert [seen.code for seen in outcomes] == [0] * len(COMMANDS), outcomes


def test_the_second_run_has_nothing_to_do(outcomes):
    stages = outcomes[:-1]
    assert ["unchanged" in seen.out for seen in stages] == [False] * 3 + [True] * 2


def test_the_tables_are_in_the_catalog_and_nowhere_else(outcomes, shop):
    warehouse = shop.folder.parent / "warehouse"

    assert (warehouse / "history.db/order/_delta_log").is_dir()
    assert not shop.lakehouse.exists()


@pytest.mark.parametrize(
    ("table", "rows"), [("sources.event", 3), ("identity.person", 2), ("history.order", 3)]
)
def test_status_counts_the_rows(outcomes, table, rows):
    (line,) = [line for line in outcomes[-1].out.splitlines() if f" {table} " in line]

    assert line.split("│")[2].strip() == str(rows)
