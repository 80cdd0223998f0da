"""Responses of the window, machines among them, and that reading only what has changed comes to the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.audiences.tables import DECILE, MEMBERSHIP_EVENT, ranks_of_today
from clvspark.history.tables import INTERACTION, ORDER
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.contract import verify_contract
from clvspark.measurement import response_stage
from clvspark.measurement.bots import mark_bots
from clvspark.measurement.config import BotRules, MeasurementConfig
from clvspark.measurement.responses import join_responses
from clvspark.measurement.tables import CHECKPOINT, RESPONSE

APRIL = date(2026, 4, 1)
BOTS = BotRules()  # type: ignore[call-arg]
CONFIG = MeasurementConfig(window_days=10)  # type: ignore[call-arg]
Happened = tuple[str, str, str, str]


def interactions(spark: SparkSession, happened: Sequence[Happened]) -> DataFrame:
    """One row for each event id, person, instant and type; all of one campaign."""
    rows = [
        {
            "event_id": event,
            "person_id": person,
            "occurred_at": at,
            "interaction_type": kind,
            "channel": "email",
            "campaign_id": "spring",
        }
        for event, person, at, kind in happened
    ]
    return INTERACTION.rows(spark, rows)


def orders(spark: SparkSession, bought: Sequence[tuple[str, str | None, str]]) -> DataFrame:
    """One purchase for each order id, person and instant."""
    order = {
        "channel": "web", "is_purchase": True, "row_type": "purchase", "lines": 1, "net_revenue": 1,
        "cost": 0, "margin": 1,
    }  # fmt: skip
    rows = [{**order, "order_id": o, "person_id": p, "ordered_at": at} for o, p, at in bought]
    return ORDER.rows(spark, rows)


def rank(person: str, metric: str, on: date, tenth: int) -> dict[str, object]:
    decile = {"value": 1, "rank": 1, "decile": tenth}
    return {"person_id": person, "metric": metric, "as_of_date": on, **decile}


def test_responses_of_the_window_meet_audiences_and_deciles(spark: SparkSession) -> None:
    happened = [
        ("r1", "ann", "2026-04-01 00:00:00", "email_opened"),
        ("r2", "ann", "2026-04-10 23:59:59", "coupon_redeemed"),
        ("r3", "bob", "2026-04-05 12:00:00", "visit"),
        ("r4", "bob", "2026-04-06 12:00:00", "survey_answer"),
        ("x1", "ann", "2026-03-31 23:59:59", "email_opened"),
        ("x2", "ann", "2026-04-11 00:00:00", "email_opened"),
        ("x3", "ann", "2026-04-05 00:00:00", "email_sent"),
    ]
    bought = [
        ("o1", "ann", "2026-04-02 10:00:00"),
        ("o2", None, "2026-04-02 10:00:00"),
        ("o3", "ann", "2026-04-11 10:00:00"),
    ]
    members = spark.createDataFrame(
        [("top", "ann"), ("all", "ann")], "audience_id string, person_id string"
    )
    ranks = [
        rank("ann", "clv", APRIL, 2),
        rank("ann", "clv", date(2026, 1, 1), 9),
        rank("ann", "revenue_all", APRIL, 8),
    ]
    of_april = ranks_of_today(DECILE.rows(spark, ranks), ALIAS.rows(spark, []), APRIL)
    found = RESPONSE.conform(
        join_responses(
            interactions(spark, happened),
            orders(spark, bought),
            members,
            of_april,
            as_of=APRIL,
            window_days=10,
            bots=BOTS,
        )
    )
    verify_contract(found, RESPONSE)
    rows = {row["event_id"]: row for row in found.collect()}
    assert set(rows) == {"r1", "r2", "r3", "r4", "order:o1"}
    assert (rows["r1"]["audience_ids"], rows["r1"]["clv_decile"]) == (["all", "top"], 2)
    assert (rows["r3"]["audience_ids"], rows["r3"]["clv_decile"]) == ([], None)
    bought_it = rows["order:o1"]
    assert (bought_it["response_type"], bought_it["campaign_id"]) == ("purchase", None)
    assert not any(row["is_bot"] for row in rows.values())


def test_opens_and_clicks_are_a_machines_by_haste_or_by_number_and_by_nothing_else(
    spark: SparkSession,
) -> None:
    happened = [
        ("d", "ann", "2026-04-01 09:00:00", "email_delivered"),
        ("at once", "ann", "2026-04-01 09:00:00", "email_opened"),
        ("hasty", "ann", "2026-04-01 09:00:02", "email_clicked"),
        ("read", "ann", "2026-04-01 09:00:03", "email_opened"),
        ("came", "ann", "2026-04-01 09:00:01", "visit"),
        *((f"scan {n}", "ann", f"2026-04-01 10:00:00.{n}", "email_clicked") for n in range(3)),
        ("one", "ann", "2026-04-01 11:00:00", "email_clicked"),
        ("two", "ann", "2026-04-01 11:00:00.5", "email_clicked"),
        ("never sent", "bob", "2026-04-01 09:00:00", "email_opened"),
    ]
    marked = mark_bots(interactions(spark, happened), BOTS).collect()
    machines = {row["event_id"] for row in marked if row["is_bot"]}
    assert machines == {"at once", "hasty", "scan 0", "scan 1", "scan 2"}
    assert len(marked) == len(happened)
    slow = mark_bots(interactions(spark, happened), BotRules(seconds_after_delivery=0))  # type: ignore[call-arg]
    assert "hasty" not in {row["event_id"] for row in slow.where("is_bot").collect()}


FIRST: list[Happened] = [
    ("d1", "ann", "2026-04-01 09:00:00", "email_sent"),
    ("e1", "ann", "2026-04-01 09:30:00", "email_opened"),
    ("e2", "bob", "2026-04-02 09:00:00", "email_opened"),
    ("e3", "cat", "2026-04-03 09:00:00", "visit"),
]
# Ann's open turns out to be a machine's, bob's was another person's, dan comes, cat stays as she was.
SECOND: list[Happened] = [
    *FIRST[:2],
    ("d2", "ann", "2026-04-01 09:29:59", "email_delivered"),
    ("e2", "eve", "2026-04-02 09:00:00", "email_opened"),
    FIRST[3],
    ("e4", "dan", "2026-04-04 09:00:00", "email_clicked"),
]


def entry(person: str, on: date) -> dict[str, object]:
    event = {
        "event_id": f"{person} {on}",
        "audience_id": "top",
        "transition": "enter",
        "version": 1,
    }
    return {**event, "person_id": person, "happened_on": on}


def land(lake: Lakehouse, happened: Sequence[Happened], *lists: dict[str, object]) -> None:
    """Bring the tables that responses are read from up to this, telling the change feeds only what differs."""
    spark = lake.spark
    lake.renew(INTERACTION, interactions(spark, happened))
    lake.renew(MEMBERSHIP_EVENT, MEMBERSHIP_EVENT.rows(spark, lists))
    if not lake.exists(ORDER):
        lake.overwrite(ORDER, orders(spark, [("o1", "cat", "2026-04-05 10:00:00")]))
        lake.overwrite(DECILE, DECILE.rows(spark, [rank("cat", "clv", APRIL, 3)]))
    lake.log.forget_everything()


def respond(lake: Lakehouse) -> str:
    with lake.writing("responses"):
        return response_stage.run(lake, CONFIG, APRIL).status


def contents(lake: Lakehouse) -> set[tuple[object, ...]]:
    return {tuple(str(value) for value in row) for row in lake.read(RESPONSE).collect()}


@pytest.mark.slow
def test_what_changed_comes_to_the_same_as_building_everything(lake: Lakehouse) -> None:
    land(lake, FIRST, entry("ann", APRIL))
    assert respond(lake) == "success"
    assert respond(lake) == "unchanged"
    # Many rows beside the few that change, so that the feed tells of these alone.
    land(lake, SECOND, entry("ann", APRIL), entry("cat", APRIL))
    assert respond(lake) == "success"
    incremental = contents(lake)
    with lake.writing("responses"):
        lake.log.force = True
        response_stage.run(lake, CONFIG, APRIL)
    assert contents(lake) == incremental
    rows = {row["event_id"]: row for row in lake.read(RESPONSE).collect()}
    assert rows["e1"]["is_bot"]
    assert rows["e2"]["person_id"] == "eve"
    assert rows["order:o1"]["audience_ids"] == ["top"]
    assert set(rows) == {"e1", "e2", "e3", "e4", "order:o1"}

    log = lake.read(CHECKPOINT).where("table_name = 'history.interaction'").orderBy("recorded_at")
    told = [(row["mode"], row["status"], row["last_table_version"]) for row in log.collect()]
    newest = lake.version(INTERACTION)
    assert [mode for mode, *_ in told] == ["full", "incremental", "full"]
    assert {status for _, status, _ in told} == {"success"}
    assert told[-1][2] == newest > told[0][2]


@pytest.mark.slow
def test_a_new_day_is_looked_at_until_the_window_is_over(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, FIRST)
    over = APRIL + timedelta(days=CONFIG.window_days)
    told = {}
    for today in (APRIL, over, over + timedelta(days=1)):
        monkeypatch.setattr(response_stage, "read_today", lambda today=today: today)
        told[today] = respond(lake)
    assert [*told.values()] == ["success", "success", "unchanged"]


@pytest.mark.slow
def test_a_run_that_fails_leaves_its_checkpoint_where_it_was(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(lake, FIRST)
    respond(lake)
    land(lake, SECOND)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(response_stage, "join_responses", fail)
        with pytest.raises(RuntimeError):
            respond(lake)
    log = lake.read(CHECKPOINT).where("table_name = 'history.interaction'").orderBy("recorded_at")
    first, failed = log.collect()
    assert (failed["status"], failed["mode"]) == ("failed", None)
    assert failed["last_table_version"] == first["last_table_version"]
    assert respond(lake) == "success"
    assert {row[0] for row in lake.read(RESPONSE).select("event_id").collect()} == {
        "e1", "e2", "e3", "e4", "order:o1",
    }  # fmt: skip
