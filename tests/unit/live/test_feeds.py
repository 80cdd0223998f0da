"""Which landing files the records of a topic or of a Delta table become."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from support.live_shop import FILES

from clvspark.config import DeltaTable, Feed, KafkaTopic, StreamConfig
from clvspark.lakehouse.errors import ConfigError
from clvspark.live.arrivals import find_mapping
from clvspark.sources.config import SourcesConfig

SOURCES = SourcesConfig.model_validate(
    {"landing": "landing", "systems": [{"system": "shop", "files": FILES}]}
)


def topic(path: str, system: str = "shop") -> KafkaTopic:
    return KafkaTopic.model_validate(
        {"bootstrap_servers": "broker:9092", "topic": "events", "system": system, "path": path}
    )


def table(path: str, system: str = "shop") -> DeltaTable:
    return DeltaTable.model_validate({"table": "raw/events", "system": system, "path": path})


@pytest.mark.parametrize("feed", [topic("events*.jsonl"), table("events*.jsonl")])
def test_records_land_as_files_of_the_mapping(feed: Feed):
    assert find_mapping(SOURCES, feed).path == "events*.jsonl"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (topic("records*.csv"), r"stream.kafka: .*\n.*is not of the format 'jsonl'"),
        (topic("other*.jsonl"), r"there are shop: records\*.csv, .*shop: events\*.jsonl"),
        (topic("events*.jsonl", "till"), "is no file of 'sources.systems'"),
        (table("records*.csv"), r"stream.delta: .*\n.*is not of the format 'jsonl'"),
    ],
)
def test_a_feed_without_such_a_mapping_is_refused(named: Feed, said: str):
    with pytest.raises(ConfigError, match=said):
        find_mapping(SOURCES, named)


@pytest.mark.parametrize(
    ("twice", "said"),
    [
        ({"kafka": [topic("events*.jsonl").model_dump()] * 2}, "topic events is named more than"),
        ({"delta": [table("events*.jsonl").model_dump()] * 2}, "table raw/events is named more than"),
    ],
)  # fmt: skip
def test_a_feed_is_named_once(twice, said):
    with pytest.raises(ValidationError, match=said):
        StreamConfig.model_validate(twice)


@pytest.mark.parametrize("version", [-1, "newest"])
def test_where_a_table_begins_is_a_version_or_one_of_two_words(version):
    with pytest.raises(ValidationError, match="starting_version"):
        DeltaTable.model_validate({**table("events*.jsonl").model_dump(), "starting_version": version})  # fmt: skip


def test_a_folder_has_a_slash_in_its_name():
    assert table("events*.jsonl").is_folder
    named = {**table("events*.jsonl").model_dump(), "table": "main.raw.events"}
    assert not DeltaTable.model_validate(named).is_folder
