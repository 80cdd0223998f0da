"""Faults 1 to 4, 7 and 11: the stream ends between two tables, or is killed at random, and goes on as if it had not."""

from __future__ import annotations

import random
import time

import pytest
from support.crash import CrashError, end_before
from support.live_shop import (
    AS_OF,
    SAME,
    TODAY,
    Watch,
    copy_live_shop,
    differing,
    event,
    land,
    order,
)
from support.shops import clvspark, kill_children, rows_of, run_pipeline, under_way

from clvspark.lakehouse.errors import CheckpointError

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

TOLD = (*SAME, "sources.quarantine", "activation.outbox", "activation.assignment")
FIRST = [*TODAY, event("x", "view", "nobody", "09:00:00"), "broken"]
SECOND = [
    TODAY[0],
    order("o2", "c1", "12:00:00", 5),
    event("late", "view", "c4", "2026-03-01T10:00:00Z"),
]
# Exactly before which of its writes a batch ends; the last one names the files that were taken.
POINTS = (
    "sources.event",
    "audiences.membership_event",
    "activation.outbox",
    "sources.file",
    "ops.micro_batch",
)
SEEDS = 20
KILLS = 2


@pytest.fixture(scope="module")
def undisturbed(spark, begun, tmp_path_factory):
    """The shop after two batches that nothing has disturbed."""
    watch = Watch(spark, copy_live_shop(begun, tmp_path_factory.mktemp("undisturbed") / "shop"))
    for name, events in (("events1", FIRST), ("events2", SECOND)):
        land(watch.shop, name, events)
        watch.start()
    return watch


@pytest.mark.parametrize("table", POINTS)
def test_a_crash_between_two_tables_leaves_no_trace(watch, undisturbed, monkeypatch, table):
    land(watch.shop, "events1", FIRST)
    watch.start()
    land(watch.shop, "events2", SECOND)
    end_before(monkeypatch, table)
    with pytest.raises(CrashError):
        watch.start()
    monkeypatch.undo()
    watch.start()

    assert differing(watch.lake, undisturbed.lake, TOLD) == {}
    ids = [id_ for (id_,) in watch.rows("sources.event", "event_id")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("begin", ["of a new checkpoint", "of one that goes on"])
def test_a_batch_that_is_taken_again_is_no_copy_of_itself(watch, monkeypatch, begin):
    if begin == "of one that goes on":
        land(watch.shop, "events0", [event("early", "view", "c1", "08:00:00")])
        watch.start()
    before = watch.rows("sources.quarantine", "quarantine_id", "reason")
    land(watch.shop, "events1", TODAY)  # of which nothing is refused
    end_before(monkeypatch, "sources.file")
    with pytest.raises(CrashError):
        watch.start()
    monkeypatch.undo()
    watch.start()

    assert watch.rows("sources.quarantine", "quarantine_id", "reason") == before
    ids = [id_ for (id_,) in watch.rows("sources.event", "event_id")]
    assert len(ids) == len(set(ids))
    assert {f"shop:{one['id']}" for one in TODAY} <= set(ids)


def test_a_file_that_changes_while_its_batch_is_unfinished_is_told(watch, monkeypatch):
    """Fault 7: what it said first may be written already, under the transaction of the batch."""
    land(watch.shop, "events1", FIRST)
    end_before(monkeypatch, "sources.file")
    with pytest.raises(CrashError):
        watch.start()
    monkeypatch.undo()
    land(watch.shop, "events1", [*FIRST, order("o9", "c3", "13:00:00", 9)])

    with pytest.raises(CheckpointError, match="changed after it was begun"):
        watch.start()

    run_pipeline(watch.spark, watch.shop, ["ingest", "resolve", "history", "score", "audiences"])
    watch.start(restart=True)
    ids = [id_ for (id_,) in watch.rows("sources.event", "event_id")]
    assert len(ids) == len(set(ids))
    assert "shop:o9" in ids


@pytest.mark.parametrize("seed", range(SEEDS))
def test_killed_at_random_moments_nothing_is_lost_and_nothing_counts_twice(
    spark, begun, undisturbed, tmp_path, seed
):
    shop = copy_live_shop(begun, tmp_path / "shop")
    chance = random.Random(seed)
    land(shop, "events1", FIRST)
    land(shop, "events2", SECOND)
    for _ in range(KILLS):
        kill_a_stream(shop, chance.uniform(0, 12))
    done = clvspark(
        "stream", "--config", shop.config_file, "--as-of", str(AS_OF), "--available-now", cwd=shop.folder
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

    watch = Watch(spark, shop)
    produced = {f"shop:{one['id']}" for one in (*FIRST, *SECOND) if isinstance(one, dict)}
    ids = [id_ for (id_,) in rows_of(watch.lake, "sources.event", "event_id") if "old-" not in id_]
    assert len(ids) == len(set(ids)) == len(produced)
    assert set(ids) == produced
    # Whether both files were one batch or two, who is where in the end is the same.
    same = [name for name in SAME if name != "audiences.membership_event"]
    assert differing(watch.lake, undisturbed.lake, same) == {}
    held = {(row[0], row[1]) for row in members_told(watch)}
    assert held == {(row[0], row[1]) for row in members_told(undisturbed)}


def members_told(watch: Watch) -> list[tuple]:
    """``audience_id, address`` of whom the receiver that counts each key once has on its lists."""
    columns = ("audience_id", "address", "sequence", "operation", "outbox_id")
    rows = watch.rows("activation.outbox", *columns)
    assert len({row[4] for row in rows}) == len(rows)
    last = {(row[0], row[1]): row for row in sorted(rows, key=lambda row: row[2])}
    return sorted(key for key, row in last.items() if row[3] == "add")


def kill_a_stream(shop, seconds: float) -> None:
    """Kill a stream, with all its processes, so many seconds after its query has begun."""
    with under_way(shop, "stream", "--as-of", str(AS_OF)) as (program, _):
        deadline = time.monotonic() + 300
        before = offsets_of(shop)
        while program.poll() is None and offsets_of(shop) == before:
            if time.monotonic() > deadline or seconds < 1:
                break  # before it has begun anything
            time.sleep(0.05)
        time.sleep(seconds)
        kill_children(program)


def offsets_of(shop) -> set[str]:
    """Micro-batches that the checkpoint has begun."""
    return {path.name for path in (shop.lakehouse / "_stream" / "offsets").glob("*")}
