"""Outcomes count in the window after activation only, of those who were assigned then."""

from __future__ import annotations

from datetime import date
from statistics import mean

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from support import cancelled

from clvspark.activation.tables import ASSIGNMENT
from clvspark.history.tables import ORDER, PERSON_DAY
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.measurement import stage
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.outcomes import (
    count_days_observed,
    gather_outcomes,
    last_order_day,
    list_outcomes,
    tabulate_outcomes,
)
from clvspark.measurement.people import BEFORE, follow_persons
from clvspark.measurement.plan import HoldoutPlan
from clvspark.measurement.tables import EXPERIMENT, INCREMENTAL_VALUE

KEYS = ("audience_id", "outcome")
APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)


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


def gather(
    people: DataFrame, bought: DataFrame, *, window_days: int, start: date = APRIL
) -> DataFrame:
    """What `people` did, nobody having been valued and nothing being known of them before."""
    spark = people.sparkSession
    visits = spark.createDataFrame([], "person_id string, day date")
    return gather_outcomes(
        people.withColumn(BEFORE, F.lit(0).cast("decimal(18,2)")),
        bought,
        visits,
        None,
        start=start,
        window_days=window_days,
    )


def test_outcomes_are_tabulated_for_everyone_assigned(spark: SparkSession) -> None:
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
            ("ann", APRIL): 1000, ("ann", date(2026, 4, 30)): 21, ("ann", date(2026, 5, 1)): 400,
            ("bob", date(2026, 3, 31)): 800, ("bob", date(2026, 4, 2)): 1019, ("eve", APRIL): 1600,
        },
    )  # fmt: skip
    gathered = gather(people, bought, window_days=30)
    table = tabulate_outcomes(list_outcomes(gathered), KEYS).collect()
    found = {
        (row["split_group"], row["value"]): (row["persons"], row["total"], row["squares"])
        for row in table
        if row["outcome"] == "revenue"
    }
    assert found == {
        ("treatment", 1000.0): (2, 2040.0, 1021.0**2 + 1019.0**2),
        ("treatment", 0.0): (1, 0.0, 0.0),
        ("holdout", 0.0): (1, 0.0, 0.0),
    }
    counts = {row["value"]: row["persons"] for row in table if row["outcome"] == "purchases"}
    assert counts == {2.0: 1, 1.0: 1, 0.0: 1}


def test_purchases_are_net_of_cancellations(spark: SparkSession) -> None:
    columns = "audience_id string, person_id string, split_group string"
    assigned = [("top", person, "treatment") for person in ("ann", "bob", "cid")]
    people = spark.createDataFrame(assigned, columns)
    gathered = gather(people, cancelled.days(spark), window_days=31, start=date(2026, 3, 1))
    table = tabulate_outcomes(list_outcomes(gathered), KEYS).where("outcome = 'purchases'")
    assert {row["value"]: row["persons"] for row in table.collect()} == {1.0: 1, 0.0: 2}


def test_tables_of_outcomes_stay_small_however_many_amounts(spark: SparkSession) -> None:
    people = spark.range(20_000).selectExpr(
        "'top' AS audience_id", "concat('p', id) AS person_id", "'treatment' AS split_group"
    )
    bought = spark.range(20_000).selectExpr(
        "concat('p', id) AS person_id", f"DATE'{APRIL}' AS day", "1 AS orders", "0 AS refunds",
        "CAST(id / 10 - 100 AS decimal(18,2)) AS net_revenue", "CAST(id AS decimal(18,2)) AS margin",
        "0 AS interactions", "0 AS cancellations",
    )  # fmt: skip
    gathered = gather(people, bought, window_days=1)
    table = tabulate_outcomes(list_outcomes(gathered), KEYS)
    rows = table.where("outcome = 'revenue'").collect()
    assert len(rows) < 500
    assert sum(row["persons"] for row in rows) == 20_000
    assert sum(row["total"] for row in rows) == pytest.approx(
        sum(n / 10 - 100 for n in range(20_000))
    )
    for row in rows:
        mean = row["total"] / row["persons"]
        assert row["value"] == pytest.approx(mean, rel=0.051)


def test_who_was_absorbed_since_is_followed_to_who_they_are_now(spark: SparkSession) -> None:
    link = {"source_system": "s", "reason": "match", "probability": 1, "valid_from": APRIL}
    links = [
        {**link, "source_record_id": "1", "person_id": "old", "valid_to": MAY},
        {**link, "source_record_id": "1", "person_id": "ann", "valid_from": MAY},
        {**link, "source_record_id": "2", "person_id": "ann"},
        {**link, "source_record_id": "3", "person_id": "gone", "valid_to": MAY},
        {**link, "source_record_id": "3", "person_id": "bob", "valid_from": MAY},
        {**link, "source_record_id": "4", "person_id": "cat"},
    ]
    assigned = [
        ("top", "ann", "treatment"), ("top", "old", "holdout"), ("top", "gone", "holdout"),
        ("top", "cat", "treatment"), ("top", "erased", "treatment"), ("all", "old", "holdout"),
    ]  # fmt: skip
    rows = [
        {"as_of_date": APRIL, "audience_id": a, "person_id": p, "split_group": g}
        for a, p, g in assigned
    ]
    people = follow_persons(ASSIGNMENT.rows(spark, rows), PERSON_LINK.rows(spark, links))
    assert {tuple(row) for row in people.collect()} == {
        ("top", "ann", "treatment"), ("top", "bob", "holdout"), ("top", "cat", "treatment"),
        ("top", "erased", "treatment"), ("all", "ann", "holdout"),
    }  # fmt: skip


TREATED, HELD = [f"t{n}" for n in range(8)], [f"h{n}" for n in range(4)]


def write(lake: Lakehouse, *, last_day: date) -> None:
    """Two audiences assigned in April, one of them with a single person held out; all bought but those held out."""
    groups = [(name, "treatment") for name in TREATED] + [(name, "holdout") for name in HELD]
    april = [("top", *pair) for pair in groups] + [("few", *groups[0]), ("few", *groups[-1])]
    rows = [(APRIL, *row) for row in april] + [(MAY, "top", "t0", "treatment")]
    names = ("as_of_date", "audience_id", "person_id", "split_group")
    told = [dict(zip(names, row, strict=True)) for row in rows]
    lake.overwrite(ASSIGNMENT, ASSIGNMENT.rows(lake.spark, told))
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, []))
    bought = {(name, APRIL): 20 + n for n, name in enumerate(TREATED)} | {("gone", APRIL): 9999}
    lake.overwrite(PERSON_DAY, days(lake.spark, bought))
    order = {
        "order_id": "o", "ordered_at": f"{last_day} 10:00:00", "channel": "web", "is_purchase": True,
        "row_type": "purchase", "lines": 1, "net_revenue": 1, "cost": 0, "margin": 1,
    }  # fmt: skip
    lake.overwrite(ORDER, ORDER.rows(lake.spark, [order]))


def measure(lake: Lakehouse) -> None:
    config = MeasurementConfig(window_days=10, min_persons=2)  # type: ignore[call-arg]
    with lake.writing("measure"):
        stage.run_measure(lake, config, APRIL, plan=HoldoutPlan(100 / 3))


def test_the_stage_judges_those_who_were_assigned_on_the_day(lake: Lakehouse) -> None:
    write(lake, last_day=date(2026, 4, 10))
    measure(lake)
    found = {(row["audience_id"], row["outcome"]): row for row in lake.read(EXPERIMENT).collect()}
    margin = found["top", "margin"]
    assert (margin["treatment_persons"], margin["holdout_persons"]) == (8, 4)
    assert (margin["status"], margin["days_observed"]) == ("measured", 10)
    assert margin["difference"] == pytest.approx(mean(20 + n for n in range(8)) / 2)
    assert 0 < margin["ci_low"] < margin["difference"] < margin["ci_high"]
    assert margin["p_value"] == margin["p_value_adjusted"] < 0.05
    few = found["few", "margin"]
    assert (few["status"], few["difference"], few["holdout_persons"]) == (
        "too_few_persons",
        None,
        1,
    )
    worth = {row["audience_id"]: row for row in lake.read(INCREMENTAL_VALUE).collect()}
    assert worth["top"]["incremental_margin"] == pytest.approx(8 * margin["difference"])
    assert worth["top"]["is_significant"]
    assert worth["few"]["incremental_margin"] is None


def test_a_window_that_has_not_ended_is_not_yet_observed_and_never_zero(lake: Lakehouse) -> None:
    write(lake, last_day=date(2026, 4, 9))
    measure(lake)
    for table in (EXPERIMENT, INCREMENTAL_VALUE):
        assert {row["status"] for row in lake.read(table).collect()} == {"not_yet_observed"}
    assert {row["days_observed"] for row in lake.read(EXPERIMENT).collect()} == {9}
    assert lake.read(EXPERIMENT).where("difference IS NOT NULL").count() == 0
    assert lake.read(INCREMENTAL_VALUE).where("incremental_margin IS NOT NULL").count() == 0


def test_an_order_dated_after_today_observes_nothing(spark: SparkSession) -> None:
    order = {
        "channel": "web", "is_purchase": True, "row_type": "purchase", "lines": 1, "net_revenue": 1,
        "cost": 0, "margin": 1,
    }  # fmt: skip
    days = ["2026-04-09 23:00:00", "2099-01-01 00:00:00"]
    rows = [{**order, "order_id": day, "ordered_at": day} for day in days]
    orders = ORDER.rows(spark, rows)
    today = date(2026, 4, 20)
    assert last_order_day(orders, until=today).collect()[0][0] == date(2026, 4, 9)
    assert last_order_day(orders.limit(0), until=today).collect()[0][0] is None


@pytest.mark.parametrize(
    ("last_day", "observed"),
    [(None, 0), (date(2026, 3, 31), 0), (APRIL, 1), (date(2026, 4, 10), 10), (MAY, 10)],
)
def test_days_observed_are_those_of_the_window_up_to_the_last_day_known(
    last_day: date | None, observed: int
) -> None:
    assert count_days_observed(last_day, as_of=APRIL, window_days=10) == observed
