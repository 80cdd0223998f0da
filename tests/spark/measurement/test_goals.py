"""Goals of moments: the first journey of who was dealt counts, by the days after its entry, and once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from support.orders import land_order

from clvspark.activation.tables import ASSIGNMENT
from clvspark.audiences.moments.tables import JOURNEY
from clvspark.history.tables import PERSON_DAY
from clvspark.identity.tables import ALIAS, PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.measurement import stage
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.goals import add_goals, list_goals, list_participants
from clvspark.measurement.plan import Goal, HoldoutPlan, Valuation
from clvspark.measurement.tables import JOURNEY_OUTCOME, MOMENT_GOAL

pytestmark = pytest.mark.spark
ENTRY = date(2026, 3, 1)
NEXT = ENTRY + timedelta(days=1)
OVER = ENTRY + timedelta(days=12)
GOALS = {
    "cart": Goal("margin", 10),
    "decline": Goal("residual_value", 10),
    "idle": Goal("visits", 3),
}
CONFIG = MeasurementConfig(window_days=5, min_persons=2)  # type: ignore[call-arg]
# Margin by day after the entry; of day 10 nothing counts any more.
BOUGHT = {
    "t1": {0: 10, 9: 5},
    "t2": {3: 7, 10: 100},
    "t3": {1: 1},
    "h1": {2: 4},
    "h2": {},
    "late": {0: 50},
}


def journey(moment: str, person: str, entered: date = ENTRY) -> dict[str, Any]:
    return {
        "journey_id": f"{moment} {person} {entered}", "moment_id": moment, "version": 1, "person_id": person,
        "entered_on": entered, "ends_on": entered + timedelta(days=30),
    }  # fmt: skip


def dealt(step: str, person: str, group: str, on: date = ENTRY) -> dict[str, Any]:
    return {"as_of_date": on, "audience_id": step, "person_id": person, "split_group": group}


def land(lake: Lakehouse) -> None:
    spark = lake.spark
    journeys = [
        journey(moment, person)
        for moment in ("cart", "decline")
        for person in ("t1", "t2", "h1", "h2")
    ]
    # A second journey of t1, one of somebody who was never dealt, and one of who has been absorbed by t3 since.
    journeys += [journey("cart", "t1", NEXT), journey("cart", "nobody"), journey("cart", "was_t3")]
    journeys += [journey("cart", "late", OVER)]  # not over yet
    lake.overwrite(JOURNEY, JOURNEY.rows(spark, journeys))
    groups = [
        dealt(f"{moment}.first", person, group)
        for moment in ("cart", "decline")
        for person, group in (
            ("t1", "treatment"),
            ("t2", "treatment"),
            ("h1", "holdout"),
            ("h2", "holdout"),
        )
    ]
    # The next step deals anew: the first one counts.
    groups += [
        dealt("cart.second", "t1", "holdout", NEXT),
        dealt("cart.first", "was_t3", "treatment"),
    ]
    groups += [dealt("cart.first", "late", "treatment", OVER), dealt("top", "nobody", "treatment")]
    lake.overwrite(ASSIGNMENT, ASSIGNMENT.rows(spark, groups))
    alias = {
        "retired_id": "was_t3",
        "person_id": "t3",
        "retired_on": NEXT,
        "recorded_at": f"{NEXT} 00:00:00",
    }
    lake.overwrite(ALIAS, ALIAS.rows(spark, [alias]))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, []))
    day = {"orders": 1, "refunds": 0, "interactions": 0}
    bought = [
        {
            **day,
            "person_id": who,
            "day": ENTRY + timedelta(days=after),
            "margin": margin,
            "net_revenue": 2 * margin,
        }
        for who, days in BOUGHT.items()
        for after, margin in days.items()
    ]
    lake.overwrite(PERSON_DAY, PERSON_DAY.rows(spark, bought))


def measure(lake: Lakehouse, as_of: date, valued: list[str]) -> dict[str, dict[str, Any]]:
    def value_on(
        lake: Lakehouse, persons: DataFrame, known_on: date, day: date
    ) -> DataFrame | None:
        if not valued:
            return None
        window, goal = CONFIG.window_days, GOALS["decline"].within_days
        assert (known_on, (day - known_on).days) in {(ENTRY, window), (ENTRY, goal)}
        worth = [(person, 10.0 * n) for n, person in enumerate(valued, start=1)]
        return lake.spark.createDataFrame(worth, "person_id string, residual_value double")

    with lake.writing("measure"):
        stage.run_measure(
            lake,
            CONFIG,
            as_of,
            plan=HoldoutPlan(50.0),
            goals=GOALS,
            valuation=Valuation(value_on, (), str(valued)),
        )
    rows = lake.read(MOMENT_GOAL).where(f"as_of_date = DATE'{as_of}'").collect()
    return {row["moment_id"]: row.asDict() for row in rows}


@pytest.fixture(scope="module")
def lake(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> Lakehouse:
    lake = open_lake(tmp_path_factory.mktemp("goals"))
    land(lake)
    return lake


def test_journeys_count_once_their_days_are_over_by_the_first_group_dealt(lake: Lakehouse) -> None:
    land_order(lake, ENTRY + timedelta(days=8))
    early = measure(lake, OVER, valued=[])
    assert {row["status"] for row in early.values()} == {"not_yet_observed"}, (
        "the last day is not known"
    )

    land_order(lake, OVER)
    found = measure(lake, OVER + timedelta(days=1), valued=[])
    cart = found["cart"]
    assert (cart["status"], cart["treatment_persons"], cart["holdout_persons"]) == (
        "measured",
        3,
        2,
    )
    assert cart["treatment_mean"] == pytest.approx((15 + 7 + 1) / 3)
    assert cart["holdout_mean"] == pytest.approx(4 / 2)
    assert cart["difference"] == pytest.approx(23 / 3 - 2)
    assert found["idle"]["status"] == "not_yet_observed", "nobody has entered"
    assert found["decline"]["status"] == "not_yet_observed", "no model had been fitted"
    outcomes = {row["person_id"]: row for row in lake.read(JOURNEY_OUTCOME).collect()}
    assert set(outcomes) == {"t1", "t2", "t3", "h1", "h2"}
    assert outcomes["t1"]["entered_on"] == ENTRY

    # A model that is there now; what was observed stays as it was, until a run of its date looks again.
    day = {"orders": 1, "refunds": 0, "interactions": 0}
    known_late = {**day, "person_id": "h2", "day": NEXT, "margin": 99, "net_revenue": 99}
    lake.append(PERSON_DAY, PERSON_DAY.rows(lake.spark, [known_late]))
    later = measure(lake, OVER + timedelta(days=2), valued=["t1", "t2", "h1"])
    assert later["cart"]["holdout_mean"] == pytest.approx(cart["holdout_mean"])
    decline = later["decline"]
    assert (decline["treatment_mean"], decline["holdout_mean"]) == (
        pytest.approx(15.0),
        pytest.approx(15.0),
    )
    assert decline["p_value_adjusted"] >= decline["p_value"]
    again = measure(lake, OVER + timedelta(days=2), valued=["t1", "t2", "h1"])
    assert again == later
    of_the_date = measure(lake, ENTRY, valued=["t1", "t2", "h1"])
    assert of_the_date["cart"]["holdout_mean"] == pytest.approx((4 + 99) / 2)


def test_without_moments_there_are_no_tables_of_goals(
    open_lake: Callable[[Path], Lakehouse], tmp_path: Path
) -> None:
    lake = open_lake(tmp_path)
    land(lake)
    land_order(lake, OVER)
    with lake.writing("measure"):
        stage.run_measure(lake, CONFIG, OVER, plan=HoldoutPlan(50.0))
    assert not lake.exists(MOMENT_GOAL)
    assert not lake.exists(JOURNEY_OUTCOME)


def test_a_journey_that_the_stream_told_counts_from_that_day(spark: SparkSession) -> None:
    entered = [("batch", ENTRY, ENTRY), ("stream", NEXT, ENTRY), ("later", ENTRY, NEXT)]
    journeys = [journey("cart", who, on) for who, on, _ in entered]
    groups = [
        {
            **dealt("cart.first", who, "treatment", on + timedelta(days=who == "later")),
            "acted_on": acted,
        }
        for who, on, acted in entered
    ]
    found = list_participants(
        JOURNEY.rows(spark, journeys), ASSIGNMENT.rows(spark, groups), ALIAS.rows(spark, [])
    )
    timed = add_goals(found, list_goals(spark, GOALS)).collect()
    # Of `later` the first step was due a day after the entry: nothing was told before, and its days are those of it.
    assert {row["person_id"]: row["begins_on"] for row in timed} == dict.fromkeys(
        ("batch", "stream", "later"), ENTRY
    )
    assert {row["until"] for row in timed} == {ENTRY + timedelta(days=10)}
