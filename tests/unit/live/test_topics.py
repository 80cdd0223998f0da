"""Which landing files the records of a topic become."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from support.live_shop import FILES

from clvspark.config import KafkaTopic, StreamConfig
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


def test_records_land_as_files_of_the_mapping():
    assert find_mapping(SOURCES, topic("events*.jsonl")).path == "events*.jsonl"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (topic("records*.csv"), "is not of the format 'jsonl'"),
        (topic("other*.jsonl"), r"there are shop: records\*.csv, .*shop: events\*.jsonl"),
        (topic("events*.jsonl", "till"), "is no file of 'sources.systems'"),
    ],
)
def test_a_topic_without_such_a_mapping_is_refused(named, said):
    with pytest.raises(ConfigError, match=said):
        find_mapping(SOURCES, named)


def test_a_topic_is_named_once():
    twice = [topic("events*.jsonl").model_dump()] * 2
    with pytest.raises(ValidationError, match="topic events is named more than once"):
        StreamConfig.model_validate({"kafka": twice})
