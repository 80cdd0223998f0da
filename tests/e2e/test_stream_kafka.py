"""Records of a topic of a real broker, taken by the stream."""

from __future__ import annotations

import json

import pytest
from support.kafka import kafka
from support.live_shop import TODAY, configure, event

pytestmark = [pytest.mark.e2e, pytest.mark.spark]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with kafka(tmp_path_factory.mktemp("broker")) as address:
        yield address


def produce(spark, broker: str, values: list[str | None]) -> None:
    rows = spark.createDataFrame([(value,) for value in values], "value string")
    rows.coalesce(1).write.format("kafka").option("kafka.bootstrap.servers", broker).option(
        "topic", "shop-events"
    ).save()


def test_records_of_a_topic_land_and_count_as_files_do(spark, watch, broker):
    shop = watch.shop
    topic = {
        "bootstrap_servers": broker,
        "topic": "shop-events",
        "system": "shop",
        "path": "events*.jsonl",
    }
    configure(shop, stream={"kafka": [topic]})

    produce(spark, broker, [*map(json.dumps, TODAY), "broken", None])
    # Another set of sources needs a checkpoint of its own.
    watch.start(restart=True)
    produce(
        spark,
        broker,
        [json.dumps(TODAY[0], indent=2), json.dumps(event("v9", "view", "c3", "13:00:00"))],
    )
    watch.start()

    ids = [id_ for (id_,) in watch.rows("sources.event", "event_id") if "old-" not in id_]
    assert ids == ["shop:o1", "shop:v1", "shop:v2", "shop:v3", "shop:v9"]
    assert sorted(r for (r,) in watch.rows("sources.quarantine", "reason")) == [
        "copy",
        "malformed_row",
    ]
    landed = [
        len(path.read_text().splitlines()) for path in sorted(shop.landing.glob("eventsstream-*"))
    ]
    assert landed == [5, 2], "the landing folder is the whole truth"
    members = watch.rows("audiences.membership", "audience_id", "status")
    assert members == [("bought_today", "realized"), ("browsing", "realized")]
    assert watch.start() == [], "nothing is left to take"
