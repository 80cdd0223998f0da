"""The stage on people of known values: every table that follows from comparing the groups, held to NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame
from support.orders import land_order

from clvspark.activation.tables import ASSIGNMENT, HOLDOUT
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.tables import DECILE, MEMBERSHIP_EVENT
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, SESSION
from clvspark.identity.tables import ALIAS, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.dates import rows_of
from clvspark.measurement import offer_stage, stage
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.outcomes import list_visits
from clvspark.measurement.people import describe_persons
from clvspark.measurement.plan import HoldoutPlan, Valuation
from clvspark.measurement.tables import (
    EFFECT,
    EXPERIMENT,
    EXPERIMENT_SEGMENT,
    OFFER_OUTCOME,
    POWER,
    TARGETING,
)

APRIL = date(2026, 4, 1)
BEFORE = APRIL - timedelta(days=5)
PERSONS = 240
CONFIG = MeasurementConfig(  # type: ignore[call-arg]
    window_days=10, min_persons=10, cost_per_contact=Decimal("0.50"), scores=["residual_value"]
)
PLAN = HoldoutPlan(25.0)


@dataclass(frozen=True)
class Measured:
    """What was measured of `people`, whose columns say all that the tables were made of."""

    lake: Lakehouse
    people: pd.DataFrame

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """Of the activation in April, in tables that keep every date's own."""
        rows = self.lake.read(table)
        mine = rows.where(rows_of(APRIL)) if "as_of_date" in table.names else rows
        return [row.asDict() for row in mine.collect()]


def draw_people() -> pd.DataFrame:
    random = np.random.default_rng(8)
    # Whole numbers below 1,000: of three digits, as scores are rounded to.
    before = np.round(random.gamma(2.0, 20.0, PERSONS)) + 1
    held = np.arange(PERSONS) % 4 == 0
    buys = random.random(PERSONS) < np.where(held, 0.4, 0.6)
    return pd.DataFrame(
        {
            "person_id": [f"p{n:03}" for n in range(PERSONS)],
            "split_group": np.where(held, "holdout", "treatment"),
            "value_before": before,
            "margin": np.where(buys, np.round(before / 2 + random.random(PERSONS) * 5, 2), 0.0),
            "value_after": np.round(before + np.where(held, 0.0, 8.0), 2),
            "decile": pd.Series(before).rank(ascending=False).sub(1).floordiv(PERSONS / 10) + 1,
            "stage": np.where(before > np.median(before), "core", "growing"),
        }
    )


def land(lake: Lakehouse, people: pd.DataFrame) -> None:
    spark, rows = lake.spark, people.to_dict("records")
    told = [
        {"as_of_date": APRIL, "audience_id": "top"}
        | {name: row[name] for name in ("person_id", "split_group")}
        for row in rows
    ]
    lake.overwrite(ASSIGNMENT, ASSIGNMENT.rows(spark, told))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, []))
    day = {"orders": 1, "refunds": 0, "interactions": 0}
    bought = [
        {**day, "person_id": row["person_id"], "day": on, "margin": row["margin"], "net_revenue": 2 * row["margin"]}
        for row in rows
        for on in (BEFORE, APRIL)
        if row["margin"]
    ]  # fmt: skip
    lake.overwrite(PERSON_DAY, PERSON_DAY.rows(spark, bought))
    land_order(lake, APRIL + timedelta(days=3))
    value = {
        "as_of_date": APRIL, "horizon_days": 364, "model_id": "m", "expected_residual_value": 50,
    }  # fmt: skip
    valued = [
        {**value, "person_id": row["person_id"], "residual_value": row["value_before"], "lifecycle_stage": row["stage"]}
        for row in rows
    ]  # fmt: skip
    lake.overwrite(CUSTOMER_VALUE, CUSTOMER_VALUE.rows(spark, valued))
    rank = {"metric": "clv", "as_of_date": APRIL, "value": 1, "rank": 1}
    ranked = [{**rank, "person_id": row["person_id"], "decile": int(row["decile"])} for row in rows]
    lake.overwrite(DECILE, DECILE.rows(spark, ranked))
    entered = {"transition": "enter", "happened_on": APRIL, "version": 1}
    events = [
        {**entered, "event_id": f"{audience} {n}", "audience_id": audience, "person_id": rows[n]["person_id"]}
        for audience, count in (("top", PERSONS), ("waiting", 200))
        for n in range(count)
    ]  # fmt: skip
    lake.overwrite(MEMBERSHIP_EVENT, MEMBERSHIP_EVENT.rows(spark, events))


@pytest.fixture(scope="module")
def measured(
    open_lake: Callable[[Path], Lakehouse], tmp_path_factory: pytest.TempPathFactory
) -> Measured:
    lake, people = open_lake(tmp_path_factory.mktemp("measured")), draw_people()
    land(lake, people)

    def value_on(lake: Lakehouse, persons: DataFrame, known_on: date, day: date) -> DataFrame:
        assert (known_on, day) == (APRIL, APRIL + timedelta(days=10))
        rows = list(people[["person_id", "value_after"]].itertuples(index=False, name=None))
        values = lake.spark.createDataFrame(rows, "person_id string, residual_value double")
        return values.join(persons.select("person_id").distinct(), on="person_id", how="left_semi")

    with lake.writing("measure"):
        valuation = Valuation(value_on, (), "literal values")
        stage.run_measure(lake, CONFIG, APRIL, plan=PLAN, valuation=valuation)
        assert {row["status"] for row in lake.read(EXPERIMENT).collect()} == {"not_yet_observed"}
        # The run of a later day finds that the window is over.
        land_order(lake, APRIL + timedelta(days=9))
        later = APRIL + timedelta(days=10)
        report = stage.run_measure(lake, CONFIG, later, plan=PLAN, valuation=valuation)
        assert report.metrics["windows_finished"] == 1
        again = stage.run_measure(lake, CONFIG, later, plan=PLAN, valuation=valuation)
        assert again.status == "unchanged"
    return Measured(lake, people)


def means(people: pd.DataFrame, column: str) -> float:
    """Difference of the groups' means."""
    groups = people.groupby("split_group")[column].mean()
    return float(groups["treatment"] - groups["holdout"])


def test_realised_margin_and_predicted_value_stand_side_by_side(measured: Measured) -> None:
    rows = {row["outcome"]: row for row in measured.rows(EXPERIMENT)}
    assert {row["status"] for row in rows.values()} == {"measured"}
    assert rows["margin"]["difference"] == pytest.approx(means(measured.people, "margin"))
    assert rows["residual_value"]["difference"] == pytest.approx(
        means(measured.people, "value_after")
    )
    assert rows["purchases"]["treatment_mean"] == pytest.approx(
        (measured.people.query("split_group == 'treatment'")["margin"] > 0).mean()
    )
    assert rows["margin"]["sample_ratio_p_value"] == pytest.approx(1.0)


def test_cuped_takes_off_what_the_value_before_explains(measured: Measured) -> None:
    people = measured.people
    rows = {row["outcome"]: row for row in measured.rows(EXPERIMENT)}
    for outcome, column in (("margin", "margin"), ("residual_value", "value_after")):
        row = rows[outcome]
        theta = np.polyfit(people["value_before"], people[column], 1)[0]
        rest = people.assign(rest=people[column] - theta * people["value_before"])
        assert row["cuped_theta"] == pytest.approx(theta)
        assert row["cuped_difference"] == pytest.approx(means(rest, "rest"), abs=1e-4)
        assert row["cuped_ci_high"] - row["cuped_ci_low"] < row["ci_high"] - row["ci_low"]
        assert row["cuped_ci_low"] < row["cuped_difference"] < row["cuped_ci_high"]


def test_segments_are_those_of_before(measured: Measured) -> None:
    rows = measured.rows(EXPERIMENT_SEGMENT)
    stages = {
        row["segment"]: row
        for row in rows
        if (row["segment_kind"], row["outcome"]) == ("lifecycle_stage", "margin")
    }
    for name, people in measured.people.groupby("stage"):
        assert stages[str(name)]["difference"] == pytest.approx(means(people, "margin"))
    tenths = [r for r in rows if (r["segment_kind"], r["outcome"]) == ("clv_decile", "margin")]
    assert sum(row["treatment_persons"] + row["holdout_persons"] for row in tenths) == PERSONS
    assert {row["status"] for row in tenths} == {"too_few_persons"}
    assert {row["difference"] for row in tenths} == {None}


def test_targeting_adds_up_to_the_effect_less_its_cost(measured: Measured) -> None:
    rows = sorted(measured.rows(TARGETING), key=lambda row: row["step"])
    assert len(rows) >= 2
    assert {row["score"] for row in rows} == {"residual_value"}
    assert rows[-1]["share_targeted"] == pytest.approx(1.0)
    sizes = [row["treatment_persons"] + row["holdout_persons"] for row in rows]
    net = sum(n * row["difference"] for n, row in zip(sizes, rows, strict=True)) / PERSONS
    assert rows[-1]["cumulative_gain"] == pytest.approx(net)
    top = measured.people.query(f"value_before >= {rows[0]['lowest_score']}")
    assert rows[0]["difference"] == pytest.approx(means(top, "margin") - 0.5)


def test_effects_of_the_report_follow(measured: Measured) -> None:
    rows = {row["effect"]: row for row in measured.rows(EFFECT)}
    treated = int((measured.people["split_group"] == "treatment").sum())
    margin = means(measured.people, "margin")
    assert rows["people"]["value"] == treated
    assert rows["extra_margin"]["value"] == pytest.approx(margin * treated)
    assert rows["extra_margin_net_of_cost"]["value"] == pytest.approx((margin - 0.5) * treated)
    assert rows["extra_revenue"]["value"] == pytest.approx(2 * margin * treated)
    assert rows["extra_clv_per_person"]["value"] == pytest.approx(
        means(measured.people, "value_after")
    )


def test_power_is_told_of_the_groups_and_of_audiences_that_wait(measured: Measured) -> None:
    rows = {(row["audience_id"], row["outcome"]): row for row in measured.rows(POWER)}
    dealt, waiting = rows["top", "margin"], rows["waiting", "margin"]
    assert (dealt["basis"], dealt["holdout_persons"]) == ("assigned", PERSONS // 4)
    spread = measured.people["margin"].std(ddof=1)
    assert dealt["standard_deviation_before"] == pytest.approx(spread), "bought alike before"
    assert (waiting["basis"], waiting["treatment_persons"], waiting["holdout_persons"]) == (
        "members",
        150,
        50,
    )
    assert waiting["minimum_detectable_effect"] > dealt["minimum_detectable_effect"]


def test_a_day_with_several_visits_is_one(measured: Measured) -> None:
    spark = measured.lake.spark
    seen = {"channel": "web", "ended_at": "2026-04-02 11:00:00", "events": 1}
    flags = dict.fromkeys(("has_cart", "has_checkout", "has_order", "is_cart_abandoned"), "false")
    sessions = [
        {**seen, **flags, "session_id": at, "person_id": who, "started_at": f"2026-04-02 {at}"}
        for who, at in (("ann", "10:00:00"), ("ann", "10:30:00"), (None, "10:40:00"))
    ]
    event = {"event_id": "e", "person_id": "ann", "channel": "store"}
    came = [{**event, "occurred_at": "2026-04-03 10:00:00", "interaction_type": "store_visit"}]
    mailed = [
        {**event, "event_id": "m", "occurred_at": "2026-04-04", "interaction_type": "email_opened"}
    ]
    order = {
        "order_id": "o", "person_id": "ann", "ordered_at": "2026-04-03 10:05:00", "channel": "store",
        "is_purchase": True, "row_type": "purchase", "lines": 1, "net_revenue": 1, "cost": 0, "margin": 1,
    }  # fmt: skip
    found = list_visits(
        ORDER.rows(spark, [order]),
        SESSION.rows(spark, sessions),
        INTERACTION.rows(spark, came + mailed),
    )
    assert {(row["person_id"], row["day"].day) for row in found.collect()} == {
        ("ann", 2),
        ("ann", 3),
    }
    assert found.count() == 2


def test_who_absorbed_others_keeps_their_own_value_or_has_the_best_of_theirs(
    measured: Measured,
) -> None:
    spark = measured.lake.spark
    value = {"as_of_date": APRIL, "horizon_days": 364, "model_id": "m", "lifecycle_stage": "core"}
    values = [("ann", 5), ("old", 90), ("low", 1), ("high", 70)]
    alias = {"retired_on": APRIL, "recorded_at": "2026-04-02 00:00:00"}
    aliases = [("old", "ann"), ("low", "new"), ("high", "new")]
    found = describe_persons(
        CUSTOMER_VALUE.rows(
            spark, [{**value, "person_id": p, "residual_value": v} for p, v in values]
        ),
        DECILE.rows(spark, []),
        ALIAS.rows(spark, [{**alias, "retired_id": was, "person_id": now} for was, now in aliases]),
        as_of=APRIL,
    )
    before = {row["person_id"]: float(row["value_before"]) for row in found.collect()}
    assert before == {"ann": 5.0, "new": 70.0}


def test_offers_are_summed_once_and_again_to_the_same(measured: Measured) -> None:
    lake, people = measured.lake, measured.people
    alike = {
        "context": "all", "offer_id": "coupon", "channel": "email", "decision_point": "retention",
        "ranking": "learning",
        "expected_incremental_margin": 1.0, "propensity": 0.5, "posterior_id": "first", "reasons": [],
    }  # fmt: skip
    decided = [
        ("p001", APRIL, False), ("p002", APRIL, False), ("p003", BEFORE, False), ("p004", APRIL, True),
        ("p005", APRIL, False),
    ]  # fmt: skip
    rows = [
        {**alike, "decision_id": str(n), "person_id": person, "as_of_date": on, "is_fallback": is_fallback}
        for n, (person, on, is_fallback) in enumerate(decided)
    ]  # fmt: skip
    lake.overwrite(DECISION, DECISION.rows(lake.spark, rows))
    held = {"person_id": "p005", "split_group": "holdout", "assigned_on": BEFORE}
    lake.overwrite(HOLDOUT, HOLDOUT.rows(lake.spark, [held]))
    told = [
        {"as_of_date": on, "audience_id": "retention.coupon", "person_id": person, "split_group": group}
        for person, on, group in (
            ("p001", APRIL, "treatment"), ("p002", APRIL, "treatment"), ("p003", BEFORE, "treatment"),
            ("p004", APRIL, "treatment"), ("p005", APRIL, "holdout"),
        )
    ]  # fmt: skip
    lake.append(ASSIGNMENT, ASSIGNMENT.rows(lake.spark, told))
    for as_of in (
        APRIL + timedelta(days=10),
        APRIL + timedelta(days=11),
        APRIL + timedelta(days=9),
    ):
        with lake.writing("offers"):
            offer_stage.run(lake, CONFIG, as_of)
    margin = people.set_index("person_id")["margin"]
    found = {
        row["decided_on"]: (row["trials"], float(row["margin_sum"]))
        for row in measured.rows(OFFER_OUTCOME)
    }
    assert found == {
        APRIL: (2, pytest.approx(margin["p001"] + margin["p002"])),
        BEFORE: (1, pytest.approx(2 * margin["p003"])),
    }
