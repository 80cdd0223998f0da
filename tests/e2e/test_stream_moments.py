"""A moment within the day: entered, told and ended by the stream, as a batch would find it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.live_shop import (
    AS_OF,
    MAILER,
    SAME,
    batch_over,
    configure,
    differing,
    event,
    land,
    order,
)
from support.shops import run_pipeline

from clvspark.live.status import ask_to_stop

pytestmark = [pytest.mark.e2e, pytest.mark.spark, pytest.mark.slow]

STEPS = [
    {"id": "letter", "channel": "email", "message": "still_there"},
    {"id": "reminder", "channel": "email", "message": "last_chance", "wait_days": 2},
]
CART: dict[str, Any] = {
    "id": "cart", "name": "A cart was left", "goal": {"measure": "orders"}, "steps": STEPS, "exits": ["order"],
    "trigger": {"happened": {"type": "cart_abandoned"}},
}  # fmt: skip
BROWSED = {**CART, "id": "browsed", "trigger": {"entered_audience": {"id": "browsing"}}}
LISTS = ["browsing", "bought_today", "cart.letter", "browsed.letter"]
JOURNEYS = ("audiences.journey", "audiences.journey_step", "audiences.moment")


def test_a_moment_is_entered_told_and_ended_within_the_day(spark, watch, tmp_path):
    configure(
        watch.shop,
        decisions={"moments": [CART, BROWSED], "caps": [{"contacts": 1, "within_days": 1}]},
        activation={"destinations": [{**MAILER, "audiences": LISTS}]},
    )
    visits = [
        event("k1", "cart", "c1", "10:00:00"),
        event("k2", "cart", "c2", "10:00:00"),
        order("o2", "c2", "10:10:00", 25),
        *(event(f"v{n}", "view", "c3", f"10:0{n}:00") for n in (1, 2)),
        event("k24", "cart", "c24", "10:00:00"),
    ]
    land(watch.shop, "events1", visits)
    watch.start()

    letters = ("audience_id", "address", "operation", "status")
    told = [row for row in watch.rows("activation.outbox", *letters) if row[0].endswith("letter")]
    assert told == [
        ("browsed.letter", "c3@example.com", "add", "delivered"),
        ("cart.letter", "c1@example.com", "add", "delivered"),
    ], "c2 has ordered, c24 has refused"
    batch = batch_over(spark, watch.shop, tmp_path / "batch", also=["moments"])
    assert differing(watch.lake, batch, (*SAME, *JOURNEYS)) == {}

    land(watch.shop, "events2", [order("o1", "c1", "12:00:00", 5)])
    watch.start()
    told = watch.rows("activation.outbox", *letters)
    assert ("cart.letter", "c1@example.com", "remove", "delivered") in told
    ended = watch.rows("audiences.journey", "moment_id", "entered_on", "ended_on", "end_reason")
    assert ("cart", AS_OF, AS_OF, "order") in ended
    was = [watch.rows(name) for name in JOURNEYS]

    run_pipeline(spark, watch.shop, ["moments"])
    assert [watch.rows(name) for name in JOURNEYS] == was, (
        "the batch of the night keeps what was sent"
    )


@pytest.mark.parametrize("something_lands", [True, False], ids=["lands", "idle"])
def test_a_day_that_changes_is_ended_before_another_begins(watch, something_lands):
    configure(
        watch.shop,
        decisions={"moments": [CART]},
        activation={"destinations": [{**MAILER, "audiences": ["cart.letter"]}]},
        stream={"renew_seconds": 3600},
    )
    today = [AS_OF]
    land(watch.shop, "events1", [event("k1", "cart", "c1", "10:00:00")])

    def change_day():
        today[0] += timedelta(days=1)
        if something_lands:
            land(watch.shop, "events2", [event("v1", "view", "c2", f"{AS_OF}T08:00:00Z")])

    watch.then = [change_day]
    watch.upon = {"activate": lambda: ask_to_stop(watch.shop.config())}
    stages = watch.start(every="1 second", as_of=None, clock=lambda: today[0])

    assert stages.index("journeys") < stages.index("deliver") < stages.index("ingest")
    entered = watch.rows("audiences.journey", "entered_on", "ended_on")
    assert entered == [(AS_OF, None)]
    told = watch.rows("activation.outbox", "audience_id", "operation", "created_on", "status")
    assert told == [("cart.letter", "add", AS_OF, "delivered")]
