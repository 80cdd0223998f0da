"""Responses and outcomes count in the window after activation only."""

from __future__ import annotations

from datetime import date
from statistics import mean, variance

import pytest
from pyspark.sql import SparkSession

from clvspark.audiences.tables import DECILE, MEMBERSHIP
from clvspark.history.tables import INTERACTION, PERSON_DAY
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.contract import verify_contract
from clvspark.measurement import stage
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.experiments import sum_outcomes
from clvspark.measurement.responses import join_responses
from clvspark.measurement.tables import EXPERIMENT, INCREMENTAL_VALUE, RESPONSE

APRIL = date(2026, 4, 1)


def test_responses_of_the_window_meet_audiences_and_deciles(spark: SparkSession) -> None:
    happened = [
        ("r1", "ann", "2026-04-01 00:00:00", "email_opened"),
        ("r2", "ann", "2026-04-10 23:59:59", "coupon_redeemed"),
        ("r3", "bob", "2026-04-05 12:00:00", "visit"),
        ("x1", "ann", "2026-03-31 23:59:59", "email_opened"),
        ("x2", "ann", "2026-04-11 00:00:00", "email_opened"),
        ("x3", "ann", "2026-04-05 00:00:00", "email_sent"),
    ]
    interactions = INTERACTION.rows(
        spark,
        [
            {
                "event_id": i,
                "person_id": p,
                "occurred_at": at,
                "interaction_type": kind,
                "channel": "email",
            }
            for i, p, at, kind in happened
        ],
    )
    members = spark.createDataFrame(
        [("top", "ann"), ("all", "ann")], "audience_id string, person_id string"
    )
    ranks = [
        {
            "person_id": "ann",
            "metric": metric,
            "as_of_date": on,
            "value": 1,
            "rank": 1,
            "decile": tenth,
        }
        for metric, on, tenth in (
            ("clv", APRIL, 2),
            ("clv", date(2026, 1, 1), 9),
            ("revenue_all", APRIL, 8),
        )
    ]
    found = RESPONSE.conform(
        join_responses(
            interactions, members, DECILE.rows(spark, ranks), as_of=APRIL, window_days=10
        )
    )
    verify_contract(found, RESPONSE)
    rows = {row["event_id"]: row for row in found.collect()}
    assert set(rows) == {"r1", "r2", "r3"}
    assert (rows["r1"]["audience_ids"], rows["r1"]["clv_decile"]) == (["all", "top"], 2)
    assert (rows["r3"]["audience_ids"], rows["r3"]["clv_decile"]) == ([], None)


def days(spark: SparkSession, amounts: dict[tuple[str, date], int]):
    return PERSON_DAY.rows(
        spark,
        [
            {
                "person_id": p,
                "day": on,
                "orders": 1,
                "refunds": 0,
                "net_revenue": a,
                "margin": a / 2,
                "interactions": 0,
            }
            for (p, on), a in amounts.items()
        ],
    )


def test_outcomes_count_everyone_who_qualified(spark: SparkSession) -> None:
    people = spark.createDataFrame(
        [
            ("top", "ann", "treatment"),
            ("top", "bob", "treatment"),
            ("top", "cat", "treatment"),
            ("top", "dan", "holdout"),
        ],
        "audience_id string, person_id string, split_group string",
    )
    bought = days(
        spark,
        {
            ("ann", APRIL): 10, ("ann", date(2026, 4, 30)): 20, ("ann", date(2026, 5, 1)): 400,
            ("bob", date(2026, 3, 31)): 800, ("bob", date(2026, 4, 2)): 6, ("eve", APRIL): 1600,
        },
    )  # fmt: skip
    found = {
        (row["split_group"], row["outcome"]): row
        for row in sum_outcomes(people, bought, as_of=APRIL, window_days=30).collect()
    }
    revenue, margin = found["treatment", "revenue"], found["treatment", "margin"]
    assert (revenue["n"], revenue["mean"]) == (3, pytest.approx(mean([30, 6, 0])))
    assert revenue["variance"] == pytest.approx(variance([30, 6, 0]))
    assert margin["mean"] == pytest.approx(6)
    assert found["treatment", "purchases"]["mean"] == pytest.approx(1)
    alone = found["holdout", "revenue"]
    assert (alone["n"], alone["mean"], alone["variance"]) == (1, 0.0, 0.0)


def test_the_stage_judges_who_was_a_member_on_the_day(lake: Lakehouse) -> None:
    from clvspark.activation.tables import HOLDOUT

    treated, held = [f"t{n}" for n in range(8)], [f"h{n}" for n in range(4)]
    member = {
        "audience_id": "top",
        "version": 1,
        "status": "realized",
        "qualified_on": date(2026, 3, 1),
    }
    gone = {**member, "status": "exited", "exited_on": APRIL}
    left_later = {**member, "status": "exited", "exited_on": date(2026, 4, 2)}
    rows = [{**member, "person_id": name} for name in (*treated[1:], *held)]
    rows += [{**left_later, "person_id": "t0"}, {**gone, "person_id": "gone"}]
    lake.overwrite(MEMBERSHIP, MEMBERSHIP.rows(lake.spark, rows))
    groups = [
        {"person_id": name, "split_group": group, "assigned_on": APRIL}
        for names, group in ((treated, "treatment"), (held, "holdout"), (["gone"], "treatment"))
        for name in names
    ]
    lake.overwrite(HOLDOUT, HOLDOUT.rows(lake.spark, groups))
    bought = {(name, APRIL): 20 + n for n, name in enumerate(treated)} | {("gone", APRIL): 9999}
    lake.overwrite(PERSON_DAY, days(lake.spark, bought))
    config = MeasurementConfig(window_days=10, min_persons=2)  # type: ignore[call-arg]
    with lake.writing("measure"):
        stage.run_measure(lake, config, APRIL)
    found = {row["outcome"]: row for row in lake.read(EXPERIMENT).collect()}
    margin = found["margin"]
    assert (margin["treatment_persons"], margin["holdout_persons"]) == (8, 4)
    assert margin["difference"] == pytest.approx(mean(20 + n for n in range(8)) / 2)
    assert margin["ci_low"] < margin["difference"] < margin["ci_high"]
    (worth,) = lake.read(INCREMENTAL_VALUE).collect()
    assert worth["realised_margin"] == pytest.approx(8 * margin["difference"])
    assert worth["is_significant"]
