"""The order of rows, the cut of files and the number of partitions play no part."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.shops import open_lake, open_shop, rows_of, run_pipeline

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STAGES = ("ingest", "resolve", "history", "fit", "score", "audiences")
SAME = {
    "identity.person_link": ("source_system", "source_record_id", "person_id"),
    "history.clv_summary": ("person_id", "lag_days", "frequency", "recency_days", "t_days"),
    "audiences.decile": ("person_id", "metric", "decile"),
    "audiences.membership": ("audience_id", "person_id", "status"),
}


@pytest.fixture(scope="module")
def lakes(spark, finished, goods, tmp_path_factory):
    """The lakehouse of the plain run, and that of the same rows in another order and 7 partitions."""
    shop = open_shop(tmp_path_factory.mktemp("shuffled") / "shop", goods)
    shuffle_landing(shop.landing, random.Random(20260401))
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    try:
        reports = run_pipeline(spark, shop, STAGES)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert {report.status for report in reports} == {"success"}
    return open_lake(spark, finished), open_lake(spark, shop)


@pytest.mark.parametrize(("table", "columns"), SAME.items())
def test_shuffled_rows_and_other_partitions_give_the_same(lakes, table, columns):
    plain, shuffled = (rows_of(lake, table, *columns) for lake in lakes)

    assert len(plain) > 20
    assert shuffled == plain


def shuffle_landing(landing: Path, order: random.Random) -> None:
    """Rewrite every file as two, its rows in another order."""
    for path in sorted(landing.rglob("*.*")):
        if path.suffix == ".parquet":
            shuffle_parquet(path, order)
        else:
            shuffle_lines(path, order)


def shuffle_lines(path: Path, order: random.Random) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    header = [lines.pop(0)] if path.suffix == ".csv" else []
    order.shuffle(lines)
    for number, part in enumerate((lines[::3], lines[1::3] + lines[2::3])):
        path.with_name(f"{path.stem}_{number}{path.suffix}").write_bytes(b"".join(header + part))
    path.unlink()


def shuffle_parquet(path: Path, order: random.Random) -> None:
    table = pq.read_table(path)
    rows = list(range(table.num_rows))
    order.shuffle(rows)
    for number, part in enumerate((rows[::3], rows[1::3] + rows[2::3])):
        shuffled = table.take(pa.array(part, pa.int64()))
        name = f"{path.stem}_{number}{path.suffix}"
        pq.write_table(shuffled.replace_schema_metadata(), path.with_name(name))
    path.unlink()
