"""Rows that are added to a Delta table land as JSON lines, once each, by a real streaming query."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import deltalake
import pytest
from pyspark.errors import StreamingQueryException
from support.live_shop import FILES

from clvspark.config import DeltaTable, StreamConfig
from clvspark.lakehouse.errors import MissingInputError
from clvspark.live.arrivals import land_records, read_arrivals, refuse_absent_tables
from clvspark.live.explain import explain
from clvspark.sources.config import SourcesConfig

COLUMNS = "id string, at timestamp, order string, amount decimal(18,2), more struct<note:string>"


class Feeds:
    """A landing folder, two Delta tables, and a stream that lands what comes."""

    def __init__(self, lake, folder):
        self.lake, self.spark, self.folder = lake, lake.spark, folder
        (folder / "landing").mkdir()
        self.sources = SourcesConfig.model_validate(
            {
                "landing": str(folder / "landing"),
                "systems": [{"system": "shop", "files": FILES}],
            }
        )
        known = {"system": "shop", "path": "events*.jsonl"}
        tables = [{"table": self.name(n), **known} for n in (1, 2)]
        self.config = StreamConfig.model_validate({"delta": tables})
        for number in (1, 2):
            self.add(number, f"first-of-{number}")

    def name(self, number: int) -> str:
        return str(self.folder / f"raw{number}")

    def add(self, number: int, *ids: str) -> None:
        rows = [(id_, None, None, None, None) for id_ in ids]
        added = self.spark.createDataFrame(rows, COLUMNS)
        added.write.format("delta").mode("append").save(self.name(number))

    def take(self) -> list[list[dict]]:
        """Land what has come; the rows of each file that is new, as they lie in it."""
        known = set(self._list_landed())

        def land(batch, number):
            kept = batch.localCheckpoint()
            feeds = self.config.feeds
            land_records(self.lake, self.sources, feeds, kept, name=f"stream-{number}")

        query = (
            read_arrivals(self.lake, self.sources, self.config)
            .where("feed IS NOT NULL")
            .writeStream.foreachBatch(land)
            .option("checkpointLocation", str(self.folder / "checkpoint"))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()
        new = sorted(set(self._list_landed()) - known)
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in new]

    def refused(self) -> str:
        """How the stream ends, as people are told."""
        with pytest.raises(StreamingQueryException) as caught:
            self.take()
        told = explain(caught.value)
        assert isinstance(told, MissingInputError)
        return str(told)

    def forget_logs(self) -> None:
        """Let Delta read the logs of tables anew, as another process would."""
        self.spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()

    def _list_landed(self) -> list[Path]:
        return list((self.folder / "landing").glob("*.jsonl"))


@pytest.fixture
def feeds(lake, tmp_path):
    return Feeds(lake, tmp_path)


def test_rows_of_tables_of_one_mapping_land_in_one_file_and_each_once(feeds):
    assert feeds.take() == [[{"id": "first-of-1"}, {"id": "first-of-2"}]]
    assert feeds.take() == []

    feeds.add(2, "second")
    feeds.add(2, "third")
    assert feeds.take() == [[{"id": "second"}, {"id": "third"}]]


def test_a_row_is_a_record_of_its_columns(feeds):
    feeds.take()
    feeds.spark.sql(
        "SELECT 'x' id, TIMESTAMP'2026-04-01 10:00:00Z' at, 'o' order, CAST(12.50 AS DECIMAL(18,2)) amount, "
        "named_struct('note', 'a\nb') more"
    ).write.format("delta").mode("append").save(feeds.name(1))

    ((row,),) = feeds.take()
    assert row == {
        "id": "x", "at": "2026-04-01T10:00:00.000Z", "order": "o", "amount": 12.5, "more": {"note": "a\nb"},
    }  # fmt: skip


def test_a_table_whose_rows_are_changed_ends_the_stream_and_says_what_to_do(feeds):
    feeds.take()
    feeds.spark.sql(f"UPDATE delta.`{feeds.name(1)}` SET id = 'changed'")

    told = feeds.refused()
    assert "Next step: clvspark stream --restart" in told
    assert "'stream.delta'" in told


def test_a_table_that_was_made_anew_ends_the_stream_and_says_what_to_do(feeds):
    feeds.take()
    shutil.rmtree(feeds.name(1))
    feeds.add(1, "of another table")
    feeds.forget_logs()

    told = feeds.refused()
    assert "Next step: clvspark stream --restart" in told


def test_a_table_that_is_not_there_is_refused(lake, tmp_path):
    table = {"table": str(tmp_path / "nowhere"), "system": "shop", "path": "events*.jsonl"}
    config = StreamConfig(delta=[DeltaTable.model_validate(table)])

    with pytest.raises(MissingInputError, match=r"nowhere is no Delta table.*'stream.delta'"):
        refuse_absent_tables(lake, config)


def test_rows_whose_log_was_cleaned_before_they_were_taken_end_the_stream(feeds):
    """Fault 26."""
    feeds.take()
    for id_ in ("second", "third"):
        feeds.add(1, id_)
    clean_log(feeds.name(1))
    # As in the JVM of another start, which does not know of what was there.
    feeds.forget_logs()

    told = feeds.refused()
    assert "the log of a Delta table was cleaned" in told
    assert "Next step: " in told


def clean_log(table: str) -> None:
    """What becomes of the log of a table once it is older than it is to be kept."""
    stored = deltalake.DeltaTable(table)
    stored.create_checkpoint()
    for commit in sorted(Path(table, "_delta_log").glob("*.json"))[:-1]:
        commit.unlink()
