"""The stream on a real Structured Streaming query, held against a batch over the same files."""

from __future__ import annotations

import os
import shutil
import signal
from datetime import timedelta

import pytest
from support.live_shop import (
    AS_OF,
    AUDIENCES,
    MAILER,
    SAME,
    TODAY,
    batch_over,
    configure,
    differing,
    event,
    land,
    order,
)

from clvspark.catalogue import TABLES
from clvspark.config import StreamConfig
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import CheckpointError, ConfigError, MissingInputError
from clvspark.live.query import COMMAND, run_stream
from clvspark.live.reconcile import reconcile
from clvspark.live.status import ask_to_stop, read_batches
from clvspark.sources.tables import EVENT

pytestmark = [pytest.mark.e2e, pytest.mark.spark]


def test_what_came_is_decided_and_told_and_ends_as_a_batch_would(spark, watch, tmp_path):
    land(watch.shop, "events1", [*TODAY, event("x", "view", "nobody", "09:00:00"), "broken"])

    stages = watch.start()

    assert stages.count(COMMAND) == 1
    assert not {"ingest", "history", "audiences"} & set(stages), "the day had begun"
    inside = watch.rows("audiences.membership", "audience_id", "status", "qualified_on")
    assert inside == [("bought_today", "realized", AS_OF), ("browsing", "realized", AS_OF)]
    told = watch.rows("activation.outbox", "audience_id", "address", "operation", "status")
    assert told == [
        ("bought_today", "c2@example.com", "add", "delivered"),
        ("browsing", "c1@example.com", "add", "delivered"),
    ]
    batch = read_batches(watch.shop.config())[0]
    counts = {name: batch[name] for name in ("files", "events", "quarantined", "waiting", "moves")}
    assert counts == {"files": 1, "events": 5, "quarantined": 1, "waiting": 1, "moves": 2}
    assert differing(watch.lake, batch_over(spark, watch.shop, tmp_path / "batch")) == {}


@pytest.mark.slow
def test_an_event_counts_once_whenever_it_comes_again(watch):
    land(watch.shop, "events1", TODAY)
    watch.start()
    land(watch.shop, "events2", [TODAY[0], event("v4", "view", "c3", "12:00:00")])
    watch.start()
    land(watch.shop, "events3", TODAY)
    watch.start()

    ids = [id_ for (id_,) in watch.rows("sources.event", "event_id")]
    assert len(ids) == len(set(ids))
    assert {f"shop:{one['id']}" for one in TODAY} < set(ids)
    reasons = [reason for (reason,) in watch.rows("sources.quarantine", "reason")]
    assert reasons == ["copy"] * 5
    (days,) = [row for row in watch.rows("history.person_day", "person_id", "day", "interactions")
               if row[1] == AS_OF - timedelta(days=1) and row[2] == 2]  # fmt: skip
    assert days[2] == 2


@pytest.mark.slow
def test_who_no_longer_fits_leaves_within_the_day(watch):
    land(watch.shop, "events1", TODAY)
    watch.start()
    land(watch.shop, "events2", [order("o2", "c1", "12:00:00", 5)])
    watch.start()

    inside = watch.rows("audiences.membership", "audience_id", "person_id", "status")
    assert [(audience, status) for audience, _, status in inside] == [
        ("bought_today", "realized"),
        ("bought_today", "realized"),
    ]
    told = watch.rows("activation.outbox", "audience_id", "address", "operation")
    assert ("browsing", "c1@example.com", "remove") in told


@pytest.mark.slow
def test_a_refusal_counts_at_once(watch):
    land(watch.shop, "events1", TODAY)
    watch.start()
    land(watch.shop, "events2", [event("u1", "email_unsubscribed", "c1", "12:00:00")])
    watch.start()

    told = watch.rows("activation.outbox", "audience_id", "address", "operation", "status")
    assert ("browsing", "c1@example.com", "remove", "delivered") in told


@pytest.mark.slow
def test_who_refuses_leaves_the_lists_of_the_batch_too_before_anything_is_told(watch):
    bought = {"id": "old", "name": "Bought", "include": {"event": {"type": "order", "at_least": 1}}}
    whole = {**MAILER, "id": "whole", "mode": "full", "audiences": ["old"]}
    configure(
        watch.shop,
        audiences={"definitions": [*AUDIENCES, bought]},
        activation={"destinations": [MAILER, whole]},
    )
    next_day = AS_OF + timedelta(days=1)

    def told(customer: str) -> set[str]:
        rows = watch.rows("activation.outbox", "audience_id", "address", "operation", "status")
        address = f"{customer}@example.com"
        return {operation for name, to, operation, status in rows
                if (name, to, status) == ("old", address, "delivered")}  # fmt: skip

    watch.start(as_of=next_day)
    assert told("c3") == told("c4") == {"add"}

    land(watch.shop, "events2", [event("u1", "email_unsubscribed", "c3", f"{AS_OF}T12:00:00Z")])
    watch.start(as_of=next_day)
    assert told("c3") == {"add", "remove"}
    first, *_, last = sorted(
        (watch.shop.exports / "whole").rglob("*.csv"), key=lambda file: file.stat().st_mtime
    )
    assert "add,c3@example.com" in first.read_text()
    assert "add,c3@example.com" not in last.read_text()

    # Taken just before an end that left no time for what follows of it.
    row = {"event_id": "shop:u2", "event_type": "email_unsubscribed", "source_system": "shop"}
    row |= {"channel": "web", "source_record_id": "c4", "occurred_at": f"{AS_OF} 13:00:00"}
    watch.lake.append(EVENT, EVENT.rows(watch.spark, [row]))
    watch.start(as_of=next_day)
    assert told("c4") == {"add", "remove"}


@pytest.mark.slow
def test_a_new_record_becomes_a_person_and_what_waited_for_it_counts(spark, watch, tmp_path):
    land(watch.shop, "events1", [event(f"w{n}", "view", "zoe", f"1{n}:00:00") for n in (0, 1)])
    watch.start()
    assert watch.rows("audiences.membership", "person_id") == []

    record = "source_record_id,given_name,surname,email\nzoe,Zoe,Z,c1@example.com\n"
    (watch.shop.landing / "records2.csv").write_text(record)
    stages = watch.start()

    assert "resolve" in stages
    links = dict(watch.rows("identity.person_link", "source_record_id", "person_id"))
    assert links["zoe"] == links["c1"], "one e-mail, one person"
    assert watch.rows("audiences.membership", "audience_id", "person_id") == [
        ("browsing", links["c1"])
    ]
    assert differing(watch.lake, batch_over(spark, watch.shop, tmp_path / "batch"), SAME[:3]) == {}


@pytest.mark.slow
def test_a_batch_over_the_same_files_is_reconciled_with_the_stream(watch):
    land(watch.shop, "events1", [*TODAY, event("x", "view", "nobody", "09:00:00"), "broken"])
    watch.start()
    (watch.shop.landing / "records2.csv").write_text(
        "source_record_id,given_name,surname,email\nzoe,Zoe,Z,c1@example.com\n"
    )
    land(watch.shop, "events2", [event("w1", "view", "zoe", "12:00:00")])
    watch.start()

    found = reconcile(watch.lake, watch.shop.config(), AS_OF).metrics
    assert {name: number for name, number in found.items() if number} == {}
    assert "clv.value_change.only_stream" in found


@pytest.mark.slow
def test_the_first_signal_lets_the_batch_finish_and_the_word_to_stop_does_as_well(watch):
    before = signal.getsignal(signal.SIGINT)
    land(watch.shop, "events1", TODAY[:2])
    watch.then = [
        lambda: land(watch.shop, "events2", TODAY[2:]),
        lambda: os.kill(os.getpid(), signal.SIGINT),
    ]
    assert watch.start(every="1 second").count(COMMAND) == 2
    assert signal.getsignal(signal.SIGINT) == before

    land(watch.shop, "events3", [event("v9", "view", "c5", "12:00:00")])
    watch.then = [lambda: ask_to_stop(watch.shop.config())]
    (
        watch.shop.lakehouse / "_stream" / "stop"
    ).touch()  # of an earlier stream: forgotten at the start
    assert watch.start(every="1 second").count(COMMAND) == 1
    assert watch.start().count(COMMAND) == 0


@pytest.mark.slow
def test_a_checkpoint_that_is_gone_is_told_and_a_new_one_takes_nothing_twice(watch):
    land(watch.shop, "events1", TODAY)
    watch.start()
    before = watch.rows("sources.event", "event_id")
    shutil.rmtree(watch.shop.lakehouse / "_stream")

    with pytest.raises(
        CheckpointError, match=r"is gone, and the tables hold 2 micro-batches.*--restart"
    ):
        watch.start()
    assert watch.start(restart=True).count(COMMAND) == 0
    assert watch.rows("sources.event", "event_id") == before
    assert watch.start() == [], "the new checkpoint is the one that counts"


@pytest.mark.slow
def test_a_table_that_was_restored_is_told(watch):
    land(watch.shop, "events1", TODAY)
    watch.start()
    lake = watch.lake
    lake.storage.delta("sources.event").restoreToVersion(0)

    with pytest.raises(
        CheckpointError, match=r"sources.event was restored to an earlier version.*clvspark run"
    ):
        watch.start()


def test_a_missing_landing_folder_is_refused(watch):
    shutil.rmtree(watch.shop.landing)

    with pytest.raises(
        MissingInputError, match=r"landing does not exist. Create it, or correct 'sources.landing'"
    ):
        watch.start()


def test_catalog_mode_asks_for_a_place_for_its_checkpoint(spark, watch):
    settings = watch.shop.config().lakehouse.model_copy(
        update={"root": None, "catalog": "spark_catalog"}
    )
    config = watch.shop.config().model_copy(
        update={"lakehouse": settings, "stream": StreamConfig()}
    )

    with pytest.raises(ConfigError, match=r"stream.checkpoint: .*\n.*required in catalog mode"):
        run_stream(
            Lakehouse(spark, settings, TABLES), config, as_of=AS_OF, every=None, report=lambda _: None
        )  # fmt: skip


@pytest.mark.slow
def test_another_day_begins_with_the_stages_of_the_batch(watch):
    land(watch.shop, "events1", TODAY)

    stages = watch.start(as_of=AS_OF + timedelta(days=1))

    assert stages[:3] == ["ingest", "resolve", "history"]
    assert watch.rows("audiences.membership", "audience_id") == [], "of yesterday"


@pytest.mark.slow
def test_the_metrics_are_there_for_prometheus(watch):
    land(watch.shop, "events1", TODAY)
    watch.start()

    text = (watch.shop.lakehouse / "_stream.prom").read_text()
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert values["clvspark_stream_events_total"] == "4"
    assert float(values['clvspark_stream_step_seconds{step="write"}']) > 0
    assert float(values["clvspark_stream_last_batch_timestamp_seconds"]) > 0
