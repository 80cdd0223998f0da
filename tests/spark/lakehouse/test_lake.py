"""Reading and writing: replace, merge, change feed, versions, formats, the run log."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from pyspark.sql import DataFrame

from clvspark.audiences.tables import DECILE
from clvspark.catalogue import TABLES
from clvspark.lakehouse import Column, Lakehouse, LakehouseConfig, RunReport, StrictModel, Table
from clvspark.lakehouse.errors import ContractError, MissingInputError, VersionError
from clvspark.lakehouse.run_log import METRIC, RUN, newest_runs
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.lakehouse.table_log import folder_of, read_commit
from clvspark.lakehouse.vacuum import vacuum_tables
from clvspark.sources.tables import EVENT, PRODUCT

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


class Settings(StrictModel):
    """Configuration of a stage."""

    size: int = 1


def deciles(lake: Lakehouse, day: date, *tenths: int) -> DataFrame:
    rows = [
        {
            "person_id": f"p{n}",
            "metric": "clv",
            "as_of_date": day,
            "value": n,
            "rank": 1,
            "decile": tenth,
        }
        for n, tenth in enumerate(tenths)
    ]
    return DECILE.rows(lake.spark, rows)


def products(lake: Lakehouse, **prices: int) -> DataFrame:
    rows = [{"product_id": name, "list_price": price} for name, price in prices.items()]
    return PRODUCT.rows(lake.spark, rows)


def found(lake: Lakehouse) -> dict[str, int]:
    return {row["product_id"]: int(row["list_price"]) for row in lake.read(PRODUCT).collect()}


def test_replacing_some_rows_leaves_the_others(lake: Lakehouse) -> None:
    of_april = f"as_of_date = DATE'{APRIL}'"
    lake.overwrite(DECILE, deciles(lake, MARCH, 1, 2), where=f"as_of_date = DATE'{MARCH}'")
    lake.overwrite(DECILE, deciles(lake, APRIL, 3, 3, 3), where=of_april)
    assert lake.overwrite(DECILE, deciles(lake, APRIL, 4), where=of_april) == 1
    rows = lake.read(DECILE).orderBy("as_of_date", "person_id").collect()
    assert [(row["as_of_date"], row["decile"]) for row in rows] == [
        (MARCH, 1),
        (MARCH, 2),
        (APRIL, 4),
    ]
    with pytest.raises(ContractError, match="row outside"):
        lake.overwrite(DECILE, deciles(lake, MARCH, 9), where=of_april)
    assert lake.read(DECILE).where("decile = 9").count() == 0


def test_the_first_write_is_one_commit_that_says_what_the_table_is(lake: Lakehouse) -> None:
    lake.overwrite(DECILE, deciles(lake, APRIL, 1, 2))

    (detail,) = lake.spark.sql(f"DESCRIBE DETAIL {lake.storage.identifier(DECILE.name)}").collect()
    assert lake.version(DECILE) == 0
    assert detail["description"] == DECILE.comment
    assert tuple(detail["clusteringColumns"]) == DECILE.cluster_by
    assert detail["properties"].items() >= DECILE.properties.items()
    comments = {field.name: field.metadata.get("comment", "") for field in lake.read(DECILE).schema}
    assert comments == {column.name: column.comment for column in DECILE.columns}


def test_the_log_knows_bounds_of_what_rows_are_looked_up_by(lake: Lakehouse) -> None:
    lake.overwrite(DECILE, deciles(lake, APRIL, 1, 2))

    log = folder_of(lake.storage.local_root, DECILE.name) / "_delta_log"
    (added,) = [a["add"] for a in read_commit(log / f"{0:020}.json") if "add" in a]
    assert json.loads(added["stats"])["minValues"].keys() == {"as_of_date", "metric", "person_id"}


def test_files_that_an_interrupted_first_write_left_are_not_read(lake: Lakehouse) -> None:
    folder = lake.storage.local_root / "sources/product"
    (folder / "_delta_log").mkdir(parents=True)
    (folder / "part-00000-left.snappy.parquet").write_bytes(b"PAR1")

    assert lake.overwrite(PRODUCT, products(lake, pen=2)) == 1
    assert found(lake) == {"pen": 2}


def test_merge_inserts_new_keys_and_updates_known_ones(lake: Lakehouse) -> None:
    lake.merge(PRODUCT, products(lake, a=1, b=2))
    lake.merge(PRODUCT, products(lake, b=3, c=4))
    assert found(lake) == {"a": 1, "b": 3, "c": 4}
    version = lake.version(PRODUCT)
    assert lake.merge(PRODUCT, products(lake)) == 0
    assert lake.version(PRODUCT) == version


def test_a_merge_deletes_the_keys_that_are_gone_in_the_same_commit(lake: Lakehouse) -> None:
    lake.merge(PRODUCT, products(lake, a=1, b=2, c=3))
    version = lake.version(PRODUCT)
    gone = products(lake, b=9, c=9, z=9).select("product_id")
    assert lake.merge(PRODUCT, products(lake, b=4, d=5), gone=gone) == 4
    assert found(lake) == {"a": 1, "b": 4, "d": 5}, "a key that is written is not deleted"
    assert lake.version(PRODUCT) == version + 1


def test_a_merge_with_a_repeated_key_is_refused_before_the_write(lake: Lakehouse) -> None:
    lake.merge(PRODUCT, products(lake, a=1))
    twice = products(lake, a=2).unionByName(products(lake, a=3))
    with pytest.raises(ContractError, match="occur more than once"):
        lake.merge(PRODUCT, twice)
    assert found(lake) == {"a": 1}


def test_of_two_merges_of_one_key_at_once_one_waits_for_the_other(lake: Lakehouse) -> None:
    lake.merge(PRODUCT, products(lake, a=0))
    version = lake.version(PRODUCT)
    rows = [products(lake, a=price, **{f"own{price}": price}) for price in (1, 2, 3)]
    side_by_side(lambda df: lake.merge(PRODUCT, df), rows)
    now = found(lake)
    assert now.keys() == {"a", "own1", "own2", "own3"}, "nobody's rows are lost"
    assert now["a"] in (1, 2, 3)
    assert lake.version(PRODUCT) == version + 3


def test_earlier_versions_can_be_read(lake: Lakehouse) -> None:
    lake.overwrite(PRODUCT, products(lake, a=1))
    first = lake.version(PRODUCT)
    lake.append(PRODUCT, products(lake, b=2))
    assert lake.version(PRODUCT) == first + 1
    assert lake.read(PRODUCT, version=first).count() == 1
    assert lake.read(PRODUCT).count() == 2


def test_the_change_feed_tells_what_changed(lake: Lakehouse) -> None:
    lake.overwrite(DECILE, deciles(lake, APRIL, 1, 2))
    since = lake.version(DECILE)
    changed = deciles(lake, APRIL, 1, 5).where("person_id = 'p1'")
    lake.merge(DECILE, changed)
    reader = lake.spark.read.format("delta").option("readChangeFeed", "true")
    feed = reader.option("startingVersion", since + 1).load(f"{lake.storage.root}/audiences/decile")
    feed = feed.select("person_id", "decile", "_change_type")
    assert sorted(tuple(row) for row in feed.collect()) == [
        ("p1", 2, "update_preimage"),
        ("p1", 5, "update_postimage"),
    ]


@pytest.mark.parametrize("others", [9, 0], ids=["few rows differ", "all rows differ"])
def test_a_renewal_keeps_the_first_value_where_the_contract_says_so(
    lake: Lakehouse, others: int
) -> None:
    columns = (
        Column("id", "string", key=True), Column("says", "string"), Column("since", "date", kept=True)
    )  # fmt: skip
    table = Table("sources.note", "Notes.", columns)

    def renew(since: date, **says: str) -> None:
        texts = says | {str(n): "same" for n in range(others)}
        rows = [{"id": name, "says": text, "since": since} for name, text in texts.items()]
        lake.renew(table, table.rows(lake.spark, rows))

    renew(MARCH, old="one")
    renew(APRIL, old="two", new="one")
    kept = {row["id"]: (row["says"], row["since"]) for row in lake.read(table).collect()}
    assert (kept["old"], kept["new"]) == (("two", MARCH), ("one", APRIL))
    assert len(kept) == others + 2
    # What is kept is no difference.
    version = lake.version(table)
    assert (
        lake.renew(table, lake.read(table).selectExpr("id", "says", "DATE'2030-01-01' since")) == 0
    )
    assert lake.version(table) == version


def test_a_table_that_is_not_there_says_what_to_do(lake: Lakehouse) -> None:
    with pytest.raises(MissingInputError, match=r"sources.event does not exist yet.*clvspark run"):
        lake.read(EVENT)
    with pytest.raises(MissingInputError, match=r"no table 'sources.evnt'.*sources.event"):
        lake.table("sources.evnt")
    assert lake.read_or_empty(EVENT).columns == EVENT.names
    assert lake.version(EVENT) is None


def test_a_lakehouse_of_a_newer_format_is_refused(lake: Lakehouse) -> None:
    lake.append(RUN, RUN.rows(lake.spark, []))
    where = lake.storage.identifier(RUN.name)
    assert Lakehouse(lake.spark, lake.config, TABLES).exists(RUN)
    lake.spark.sql(f"ALTER TABLE {where} SET TBLPROPERTIES ('clvspark.format' = '99')")
    with pytest.raises(VersionError, match=r"format 99.*Upgrade"):
        Lakehouse(lake.spark, lake.config, TABLES)


def stage(
    lake: Lakehouse, *, size: int = 1, error: Exception | None = None, as_of: date = APRIL
) -> str:
    """A stage that reads products and writes deciles; returns its status."""
    config = Settings(size=size)
    with lake.run("rank", as_of=as_of, config=config, reads=(PRODUCT,), writes=(DECILE,)) as run:
        if not run.is_current:
            if error:
                raise error
            run.overwrite(DECILE, deciles(lake, as_of, *range(1, size + 1)))
            run.metric("persons", size)
    return run.report.status


def test_a_stage_runs_again_only_if_something_changed(lake: Lakehouse) -> None:
    lake.overwrite(PRODUCT, products(lake, a=1))
    with lake.writing("test"):
        assert stage(lake) == "success"
    version = lake.version(DECILE)
    again = Lakehouse(lake.spark, lake.config, TABLES)
    with again.writing("test"):
        assert stage(again) == "unchanged"
        assert lake.version(DECILE) == version
        assert stage(again, size=2) == "success", "the configuration changed"
        assert stage(again, size=2) == "unchanged"
    lake.append(PRODUCT, products(lake, b=1))
    later = Lakehouse(lake.spark, lake.config, TABLES)
    with later.writing("test"):
        assert stage(later, size=2) == "success", "an input changed"
    lake.append(DECILE, deciles(lake, MARCH, 1))
    last = Lakehouse(lake.spark, lake.config, TABLES)
    with last.writing("test"):
        assert stage(last, size=2) == "success", "an output was touched"
        last.log.force = True
        assert stage(last, size=2) == "success", "forced"
    statuses = [row["status"] for row in lake.read(RUN).orderBy("started_at").collect()]
    assert statuses == [
        "success",
        "unchanged",
        "success",
        "unchanged",
        "success",
        "success",
        "success",
    ]


def test_a_failed_run_is_logged_without_its_message(lake: Lakehouse) -> None:
    with pytest.raises(ValueError, match=r"ann@example\.org"), lake.writing("test"):
        stage(lake, error=ValueError("ann@example.org"))
    row = lake.read(RUN).collect()[0]
    assert (row["stage"], row["status"], row["error"]) == ("rank", "failed", "ValueError")
    assert "ann@example.org" not in str(row)
    with lake.writing("test"):
        assert stage(lake) == "success"
    metrics = {row["name"]: row["value"] for row in lake.read(METRIC).collect()}
    assert metrics == {"persons": 1.0}


def test_a_stage_may_write_only_what_it_declared(lake: Lakehouse) -> None:
    with (
        pytest.raises(ValueError, match=r"did not declare that it writes sources\.product"),
        lake.run("rank", as_of=None, config=Settings(), reads=(), writes=(DECILE,)) as run,
    ):
        run.overwrite(PRODUCT, products(lake, a=1))


def test_path_and_catalog_mode_name_tables_differently(lake: Lakehouse) -> None:
    assert lake.storage.identifier("clv.model").startswith("delta.`/")
    catalog = Lakehouse(lake.spark, LakehouseConfig(catalog="spark_catalog"), TABLES)
    assert catalog.storage.identifier("clv.model") == "`spark_catalog`.clv.model"
    assert catalog.storage.local_root is None


def test_rows_outside_the_condition_are_refused_at_the_first_write(open_lake, tmp_path):
    lake = open_lake(tmp_path)
    day = Table("ops.day", "Days.", (Column("day", "date", key=True),))
    rows = day.rows(lake.spark, [{"day": "2026-01-01"}])

    with pytest.raises(ContractError, match="row outside"):
        lake.overwrite(day, rows, where="day = DATE'2026-02-01'")
    assert not lake.exists(day)


def test_of_several_tables_none_is_written_where_the_rows_of_one_are_refused(
    lake: Lakehouse,
) -> None:
    of_april = f"as_of_date = DATE'{APRIL}'"
    sides = replace(DECILE, name="audiences.other_decile")
    right, wrong = deciles(lake, APRIL, 1, 2), deciles(lake, MARCH, 3)

    def write(other: DataFrame) -> RunReport:
        settings, tables = Settings(), [DECILE, sides]
        with lake.run("rank", as_of=APRIL, config=settings, reads=[], writes=tables) as run:
            run.overwrite_all({DECILE: right, sides: other}, where=of_april)
        return run.report

    with pytest.raises(ContractError, match=r"audiences\.other_decile\.row outside .*: 1 rows"):
        write(wrong)
    assert not lake.exists(DECILE)

    report = write(deciles(lake, APRIL, 4))
    assert report.rows == {DECILE.name: 2, sides.name: 1}
    assert (lake.read(DECILE).count(), lake.read(sides).count()) == (2, 1)


def test_a_column_that_a_contract_gains_is_null_in_old_rows(open_lake, tmp_path):
    lake = open_lake(tmp_path)
    key = Column("id", "int", key=True)
    old = Table("ops.thing", "Things.", (key,))
    new = Table("ops.thing", "Things.", (key, Column("note", "string")))
    lake.overwrite(old, old.rows(lake.spark, [{"id": 1}]))
    before = [tuple(row) for row in lake.read(new).collect()]
    lake.merge(new, new.rows(lake.spark, [{"id": 2, "note": "merged"}]))
    lake.append(new, new.rows(lake.spark, [{"id": 3, "note": "appended"}]))

    assert before == [(1, None)]
    assert sorted(tuple(row) for row in lake.read(new).collect()) == [
        (1, None),
        (2, "merged"),
        (3, "appended"),
    ]


def test_files_of_versions_older_than_the_retention_are_removed(lake: Lakehouse) -> None:
    with pytest.raises(MissingInputError, match="names the right place"):
        vacuum_tables(lake)
    lake.overwrite(PRODUCT, products(lake, tea=2))
    lake.overwrite(PRODUCT, products(lake, milk=3))
    folder = lake.storage.local_root / "sources" / "product"
    kept, version = set(folder.glob("*.parquet")), lake.version(PRODUCT)
    assert vacuum_tables(lake) == [PRODUCT.name]
    assert set(folder.glob("*.parquet")) == kept

    retention = "'delta.deletedFileRetentionDuration' = 'interval 0 hours'"
    name = lake.storage.identifier(PRODUCT.name)
    lake.spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({retention})")
    vacuum_tables(lake)
    assert set(folder.glob("*.parquet")) < kept
    assert found(lake) == {"milk": 3}
    assert lake.version(PRODUCT) == version + 1  # that of the property


def test_numbers_of_a_date_are_those_of_its_newest_run_that_succeeded(lake: Lakehouse) -> None:
    at = datetime(2026, 4, 1, tzinfo=UTC)
    runs = [
        ("first", MARCH, "success", 1),
        ("again", MARCH, "success", 2),
        ("idle", MARCH, "unchanged", 3),
        ("broken", MARCH, "failed", 4),
        ("later", APRIL, "success", 5),
    ]
    rows = [
        {
            "run_id": name,
            "stage": "resolve",
            "as_of_date": day,
            "status": status,
            "ended_at": at + timedelta(hours=hours),
        }
        for name, day, status, hours in runs
    ]
    (newest,) = newest_runs(RUN.rows(lake.spark, rows), MARCH).collect()
    assert newest["run_id"] == "again"
