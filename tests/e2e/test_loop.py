"""The whole loop: a decline becomes a message, the message a purchase, the purchase a number on the page."""

from __future__ import annotations

import json
import re

import pytest
from support.postgres import postgres, query
from support.shops import clvspark

from clvspark.catalogue import TABLES
from clvspark.lakehouse import Lakehouse, LakehouseConfig

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STEP = "value_in_decline.we_miss_you"


@pytest.fixture(scope="module")
def database():
    with postgres() as dsn:
        yield dsn


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("loop")


@pytest.fixture(scope="module")
def ran(folder, database):
    """What the demo printed, whose lists go to files and to a database. Of fewer customers too few decline."""
    options = ["--respond", "--postgres"]
    return clvspark("demo", *options, cwd=folder, timeout=1400, CLVSPARK_POSTGRES=database)


@pytest.fixture(scope="module")
def lake(ran, folder, spark):
    return Lakehouse(spark, LakehouseConfig(root=str(folder / "demo/lakehouse")), TABLES)


def test_the_demo_ends_with_the_true_effect_beside_the_measured_one(ran, folder):
    assert ran.returncode == 0, ran.stderr[-3000:]
    (told,) = re.findall(r"What acting brought.*", ran.stdout, re.DOTALL)
    truth = json.loads((folder / "demo/truth/reactions.json").read_text())
    measured = [one["audience_id"] for one in truth if f"│ {one['audience_id']} " in told]
    assert {"top_customers", STEP} <= {*measured}
    lines = [line for line in told.splitlines() if line.startswith("│")]
    inside = sum(line.strip("│").split("│")[-1].strip() == "inside" for line in lines)
    assert inside >= 0.8 * len(lines), "of 95 % intervals on one set of people"


def test_the_goal_of_the_moment_is_measured_over_the_journey(lake):
    goals = lake.table("measurement.moment_goal").where("moment_id = 'value_in_decline'")
    (goal,) = goals.collect()
    assert (goal["measure"], goal["within_days"], goal["status"]) == (
        "residual_value",
        90,
        "measured",
    )
    groups = {"treatment": goal["treatment_persons"], "holdout": goal["holdout_persons"]}
    dealt = lake.table("activation.assignment").where(f"audience_id = '{STEP}'")
    counted = dealt.groupBy("split_group").count().collect()
    assert groups == {row["split_group"]: row["count"] for row in counted}
    assert goal["ci_low"] < goal["difference"] < goal["ci_high"]


def test_who_is_told_of_a_decline_is_on_the_journey_and_in_no_holdout(lake):
    told = lake.table("activation.outbox").where(f"audience_id = '{STEP}'")
    journeys = lake.table("audiences.journey").where("moment_id = 'value_in_decline'")
    held = lake.table("activation.holdout").where("split_group = 'holdout'")
    assert told.count() > 0
    assert told.join(journeys, "person_id", "left_anti").isEmpty()
    assert told.join(held, "person_id", "left_semi").isEmpty()


def test_file_and_database_hold_the_same_list(lake, folder, database):
    rows = query(database, "SELECT email FROM clvspark_lists WHERE audience_id = %s", STEP)
    (file,) = (folder / "demo/exports/email_journeys/2026-04-01").glob(f"{STEP}.csv")
    lines = file.read_text().splitlines()
    column = lines[0].split(",").index("email")
    assert sorted(row[0] for row in rows) == sorted(line.split(",")[column] for line in lines[1:])


def test_the_page_tells_what_acting_brought(folder):
    page = (folder / "demo/report/experiments.html").read_text()
    assert "What acting brought" in page
    assert "Extra CLV a person" in page
