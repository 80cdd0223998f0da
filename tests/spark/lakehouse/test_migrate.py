"""A lakehouse of an earlier format is brought to the contracts of now, one commit a step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.lakehouse import Column, Lakehouse, LakehouseConfig, Table
from clvspark.lakehouse import formats as lakehouse_formats
from clvspark.lakehouse.errors import ContractError, VersionError
from clvspark.lakehouse.migrations import migrate, plan, plan_tables
from clvspark.lakehouse.migrations.changes import Change, fill, leave_out, rename
from clvspark.lakehouse.run_log import RUN

ID = Column("id", "int", key=True)
OLD = Table("test.thing", "Things.", (ID, Column("size", "int"), Column("made", "date")))
WIDER = Table(
    "test.thing",
    "Things.",
    (*OLD.columns, Column("note", "string", "what people say")),
    cluster_by=("id",),
    change_feed=True,
)
NEW = Table(
    "test.thing",
    "Things.",
    (
        ID,
        Column("part", "int", key=True),
        Column("units", "bigint", check="units >= 0"),
        Column("note", "string"),
    ),
    cluster_by=("id",),
)
OTHER = Table("test.other", "Other things.", (ID, Column("kind", "string", required=True)))
OTHER_OLD = Table("test.other", "Other things.", (ID, Column("kind", "string")))
RENAMED = rename("test.thing", "size is units", units="size")
PARTED = fill("test.thing", "what there was is part 0", part="0")
KINDLESS = leave_out("test.other", "others without a kind go", "kind")
TO_2 = {2: (RENAMED, PARTED, KINDLESS)}


@pytest.fixture
def earlier(spark: SparkSession, tmp_path: Path) -> Lakehouse:
    """A lakehouse of the first format with two tables, opened to be migrated."""
    config = LakehouseConfig(root=str(tmp_path / "lakehouse"))
    lake = Lakehouse(spark, config, {})
    things = [{"id": 1, "size": 5, "made": "2026-01-01"}, {"id": 2, "size": 7}]
    others = [{"id": 1, "kind": "a"}, {"id": 2}]
    for table, rows in ((OLD, things), (OTHER_OLD, others)):
        lake.storage.create(table, table.rows(spark, rows), {})
    lake.storage.create(RUN, RUN.rows(spark, []), {})
    return Lakehouse(spark, config, {}, migrating=True)


def found(lake: Lakehouse, table: Table) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in lake.read(table).collect()), key=repr)


def opens(lake: Lakehouse) -> bool:
    try:
        Lakehouse(lake.spark, lake.config, {})
    except VersionError:
        return False
    return True


def test_columns_that_may_be_null_properties_and_clustering_need_no_change(
    earlier: Lakehouse,
) -> None:
    folder = earlier.storage.local_root / "test/thing"
    files, version = set(folder.glob("*.parquet")), earlier.version(OLD)

    (thing, log) = migrate(earlier, [WIDER, RUN], {})

    stored = earlier.storage.describe(WIDER.name)
    assert stored.types == WIDER.types
    assert stored.cluster_by == WIDER.cluster_by
    assert stored.properties.items() >= lakehouse_formats.properties_of(WIDER).items()
    assert set(folder.glob("*.parquet")) == files, "no file of data was touched"
    assert earlier.version(WIDER) == version + len(thing.told) == version + 3
    assert log.table is RUN
    comments = {f.name: f.metadata.get("comment") for f in earlier.storage.read(WIDER.name).schema}
    assert comments["note"] == "what people say"
    assert opens(earlier)


def test_rows_change_in_one_commit_with_all_that_the_contract_says(earlier: Lakehouse) -> None:
    version = earlier.version(OLD)
    migrate(earlier, [NEW, OTHER, RUN], TO_2)

    assert found(earlier, NEW) == [(1, 0, 5, None), (2, 0, 7, None)]
    assert found(earlier, OTHER) == [(1, "a")]
    stored = earlier.storage.describe(NEW.name)
    assert (stored.types, stored.cluster_by) == (NEW.types, NEW.cluster_by)
    assert stored.properties["clvspark.format"] == str(lakehouse_formats.FORMAT_VERSION)
    assert earlier.version(NEW) == version + 1
    assert earlier.read(OLD, version=version).count() == 2, "the version before can be read"


def test_changes_of_several_formats_are_one_commit(
    earlier: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (plan, lakehouse_formats):
        monkeypatch.setattr(module, "FORMAT_VERSION", 3)
    version = earlier.version(OLD)
    noted = fill("test.thing", "notes tell when it was made", note="CAST(made AS STRING)")

    migrate(earlier, [NEW, RUN], {**TO_2, 3: (noted,)})

    assert found(earlier, NEW) == [(1, 0, 5, "2026-01-01"), (2, 0, 7, None)]
    assert earlier.version(NEW) == version + 1


def test_a_second_migration_has_nothing_to_do(earlier: Lakehouse) -> None:
    tables = [NEW, OTHER, RUN]
    assert migrate(earlier, tables, TO_2)
    versions = [earlier.version(table) for table in tables]
    assert migrate(earlier, tables, TO_2) == []
    assert [earlier.version(table) for table in tables] == versions


def test_looking_on_writes_nothing(earlier: Lakehouse) -> None:
    tables = [NEW, OTHER, RUN]
    versions = [earlier.version(table) for table in tables]
    thing, other, _ = plan_tables(earlier, tables, TO_2)
    assert thing.told == [("size is units", 1), ("what there was is part 0", 0)]
    assert other.told == [("others without a kind go", 1)]
    assert [earlier.version(table) for table in tables] == versions
    assert not opens(earlier)


def test_what_was_interrupted_goes_on_where_it_was(
    earlier: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = earlier.remake

    def killed(table: Table, df: DataFrame) -> int:
        if table is OTHER:
            raise KeyboardInterrupt
        return done(table, df)

    monkeypatch.setattr(earlier, "remake", killed)
    with pytest.raises(KeyboardInterrupt):
        migrate(earlier, [NEW, OTHER, RUN], TO_2)
    assert not opens(earlier), "it is not what it should be yet"
    version = earlier.version(NEW)

    monkeypatch.undo()
    assert [p.table.name for p in migrate(earlier, [NEW, OTHER, RUN], TO_2)] == [
        "test.other",
        "ops.run",
    ]
    assert earlier.version(NEW) == version, "what was done is not done again"
    assert found(earlier, OTHER) == [(1, "a")]
    assert opens(earlier)


def test_rows_that_break_the_contract_leave_the_table_as_it_was(earlier: Lakehouse) -> None:
    negative = fill("test.thing", "wrong", part="0", units="-size")
    version = earlier.version(OLD)
    with pytest.raises(ContractError, match=r"test\.thing\.units breaks \(units >= 0\): 2 rows"):
        migrate(earlier, [NEW, RUN], {2: (negative,)})
    assert earlier.version(OLD) == version
    assert not opens(earlier)


def test_a_contract_without_a_way_to_it_is_refused_before_anything_is_written(
    earlier: Lakehouse,
) -> None:
    version = earlier.version(OTHER_OLD)
    with pytest.raises(VersionError, match=r"part is new and may not be NULL") as refused:
        migrate(earlier, [OTHER, NEW, RUN], {2: (KINDLESS,)})
    assert "test.thing" in str(refused.value)
    assert earlier.version(OTHER_OLD) == version


def test_a_table_may_be_made_of_others(earlier: Lakehouse) -> None:
    sums = Table("test.sums", "Sums.", (ID, Column("size", "int")))
    made = Change(
        sums.name,
        "made of things",
        lambda _, read: read(OLD.name).select("id", "size"),
        needs=(OLD.name,),
        is_new=True,
    )
    elsewhere = Change(
        "test.more", "made of nothing", lambda _, read: read("test.no"), ("test.no",), True
    )
    more = Table("test.more", "More.", (ID,))
    migrate(earlier, [sums, more, RUN], {2: (made, elsewhere)})
    assert found(earlier, sums) == [(1, 5), (2, 7)]
    assert not earlier.exists(more)
    assert [p.table for p in migrate(earlier, [sums, more, RUN], {2: (made, elsewhere)})] == []


def test_tables_of_a_catalog_are_migrated_alike(spark: SparkSession) -> None:
    config = LakehouseConfig(catalog="spark_catalog")
    lake = Lakehouse(spark, config, {}, migrating=True)
    try:
        lake.storage.create(OLD, OLD.rows(spark, [{"id": 1, "size": 5}]), {})
        lake.storage.create(OTHER_OLD, OTHER_OLD.rows(spark, [{"id": 1, "kind": "a"}]), {})
        assert len(migrate(lake, [NEW, OTHER], {2: (RENAMED, PARTED)})) == 2
        assert found(lake, NEW) == [(1, 0, 5, None)]
        assert lake.storage.describe(NEW.name).cluster_by == NEW.cluster_by
        assert lake.storage.properties(OTHER.name)["clvspark.format"] == "2"
        assert migrate(lake, [NEW, OTHER], {2: (RENAMED, PARTED)}) == []
    finally:
        spark.sql("DROP SCHEMA IF EXISTS spark_catalog.test CASCADE")
