"""Which mapping a file is of, by its name alone."""

from __future__ import annotations

import pytest
from support.shops import open_lake, open_till_shop

from clvspark.live.drops import leave_taken, sort_files
from clvspark.sources.tables import FILE


@pytest.fixture
def shop(tmp_path):
    return open_till_shop(tmp_path / "shop")


def named(drops) -> list[tuple[str, str]]:
    return [(drop.spec.path, file.name) for drop in drops for file in drop.files]


@pytest.mark.parametrize(
    ("path", "names", "found"),
    [
        ("sales*.csv", ["sales1.csv", "sale.csv", "deep/sales2.csv"], ["sales1.csv"]),
        ("*/{a,b}.csv", ["x/a.csv", "x/c.csv", "a.csv", "x/y/b.csv"], ["a.csv"]),
        ("day=?/*.csv", ["day=1/x.csv", "day=12/x.csv", "day=1/_x.csv", "day=1/.x.csv"], ["x.csv"]),
    ],
)
def test_a_file_is_of_the_glob_that_it_matches_folder_by_folder(spark, shop, path, names, found):
    lake, sources = open_lake(spark, shop), shop.config().sources
    file = sources.systems[0].files[0].model_copy(update={"path": path})
    system = sources.systems[0].model_copy(update={"files": [file]})
    sources = sources.model_copy(update={"systems": [system]})
    paths = [f"file://{shop.landing}/{name}" for name in names]

    assert named(sort_files(lake, sources, paths)) == [(path, name) for name in found]


def test_files_that_were_taken_are_left_out(spark, shop):
    lake, sources = open_lake(spark, shop), shop.config().sources
    drops = sort_files(lake, sources, [f"file://{shop.landing}/sales.csv"])
    assert named(leave_taken(lake, drops)) == [("sales.csv", "sales.csv")]

    taken = [{"mapping": "till:sales.csv", "file_name": "sales.csv"}]
    lake.overwrite(FILE, FILE.rows(spark, taken))
    assert leave_taken(lake, drops) == []
