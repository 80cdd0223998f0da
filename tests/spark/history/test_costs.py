"""An order costs what its product did on the day it was placed, whatever the product costs later."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clvspark.history import stage
from clvspark.history.change import find_recosted
from clvspark.history.config import HistoryConfig
from clvspark.history.orders import attach_person, build_orders
from clvspark.history.tables import CLV_SUMMARY, ORDER, PERSON_DAY
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.sources.tables import EVENT, PRODUCT, SINCE_EVER

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
CONFIG = HistoryConfig(summary_lags_days=[0, 20])  # type: ignore[call-arg]
LINK = {
    "source_system": "shop", "source_record_id": "1", "valid_from": "2026-01-01", "person_id": "p1",
    "reason": "match", "probability": 1, "recorded_at": "2026-01-01 06:00:00",
}  # fmt: skip


def event(number: int, kind: str, order: str, day: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"shop:{number}", "event_type": kind, "source_system": "shop", "source_record_id": "1",
        "occurred_at": f"2026-{day} 10:00:00", "channel": "web", "order_id": order, "line_id": "1", "quantity": 1,
        "product_id": "rose", "net_revenue": amount, **more,
    }  # fmt: skip


def product(name: str, *costs: tuple[date, str]) -> dict[str, Any]:
    entries = [{"valid_from": day, "unit_cost": Decimal(cost)} for day, cost in costs]
    told = None if len(costs) == 1 and costs[0][0] == SINCE_EVER else entries
    return {"product_id": name, "unit_cost": costs[-1][1], "costs": told}


ROSE = product("rose", (date(2026, 2, 1), "1.00"), (date(2026, 3, 10), "2.00"))
LIFE = [
    event(1, "order", "early", "01-05", "10.00"),
    event(2, "order", "before", "03-09", "10.00", quantity=2),
    event(3, "order", "on", "03-10", "10.00"),
    # Of an order that was placed before: at the cost of then.
    event(4, "refund", "before", "03-20", "-5.00"),
    event(5, "order_updated", "early", "03-20", "12.00", quantity=3),
    event(6, "refund", "unknown", "03-20", "-5.00"),
    event(7, "order", "own", "03-20", "10.00", cost="4.00"),
    event(8, "order", "other", "03-20", "10.00", product_id="oak"),
]


def test_an_order_and_what_becomes_of_it_cost_what_the_product_did_on_its_day(
    spark: SparkSession,
) -> None:
    events = attach_person(EVENT.rows(spark, LIFE), PERSON_LINK.rows(spark, [LINK]))
    orders = build_orders(events, PRODUCT.rows(spark, [ROSE]), default_margin_rate=0.4)
    costs = {(row["order_id"], row["row_type"]): str(row["cost"]) for row in orders.collect()}
    assert costs == {
        ("early", "purchase"): "1.00", ("early", "adjustment"): "2.00", ("before", "purchase"): "2.00",
        ("before", "refund"): "-1.00", ("on", "purchase"): "2.00", ("unknown", "refund"): "-2.00",
        ("own", "purchase"): "4.00", ("other", "purchase"): "6.00",
    }  # fmt: skip


def test_a_change_reaches_the_orders_from_the_first_day_that_it_is_for(
    spark: SparkSession,
) -> None:
    oak = product("oak", (SINCE_EVER, "3.00"))
    events = EVENT.rows(spark, LIFE)

    def reached(*images: tuple[str, dict[str, Any]]) -> set[str] | None:
        feed = None
        for kind, row in images:
            one = PRODUCT.rows(spark, [row]).selectExpr("*", f"'{kind}' AS _change_type")
            feed = one if feed is None else feed.unionByName(one)
        assert feed is not None
        found = find_recosted(feed, events)
        return None if found is None else {row["order_id"] for row in found.collect()}

    def updated(before: dict[str, Any], after: dict[str, Any]) -> set[str] | None:
        return reached(("update_preimage", before), ("update_postimage", after))

    assert updated(oak, {**oak, "name": "Oak"}) is None
    first = product("rose", (date(2026, 2, 1), "1.00"))
    from_the_day = {"on", "before", "early", "unknown", "own"}
    assert updated(first, ROSE) == from_the_day, "of refunds and updates of that day as well"
    later = product("rose", (date(2026, 2, 1), "1.00"), (date(2026, 3, 20), "2.00"))
    assert updated(first, later) == from_the_day - {"on"}
    assert updated(first, product("rose", (date(2026, 2, 1), "1.50"))) == from_the_day
    assert reached(("insert", oak)) == {"other"}
    # Three states of two updates: what they all say has not changed.
    both = (("update_preimage", first), ("update_postimage", later))
    assert reached(*both, ("update_preimage", later), ("update_postimage", ROSE)) == from_the_day


@pytest.mark.slow
def test_a_corrected_cost_changes_orders_from_its_day_on_and_is_renewed_as_it_is_built(
    lake: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "RENEWED_SHARE", 1_000)
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, [LINK]))
    lake.overwrite(EVENT, EVENT.rows(lake.spark, LIFE))

    def run(*costs: tuple[date, str], force: bool = False) -> dict[str, list[str]]:
        lake.renew(PRODUCT, PRODUCT.rows(lake.spark, [product("rose", *costs)]))
        lake.log.forget_everything()
        lake.log.force = force
        with lake.writing("history"):
            stage.run(lake, CONFIG, APRIL)
        tables = (ORDER, PERSON_DAY, CLV_SUMMARY)
        return {table.name: sorted(map(str, lake.read(table).collect())) for table in tables}

    before = run((SINCE_EVER, "1.00"))
    costs = ((SINCE_EVER, "1.00"), (date(2026, 3, 10), "2.00"))
    built: list[object] = []
    everything = stage._write_everything
    monkeypatch.setattr(
        stage, "_write_everything", lambda *args: built.append(args) or everything(*args)
    )
    renewed = run(*costs)
    assert not built, "only what the cost reaches is built anew"
    assert renewed == run(*costs, force=True)
    assert built
    changed = " ".join(set(renewed[ORDER.name]) - set(before[ORDER.name]))
    assert set(re.findall("order_id='([a-z]+)'", changed)) == {"on", "unknown"}
