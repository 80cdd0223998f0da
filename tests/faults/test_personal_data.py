"""Fault 37: canaries in every column of every landing file reach no message, log, page or model registry."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.canaries import canaries_in, plant_canaries
from support.jvm import TINY_SPARK
from support.shops import clvspark, environment, open_lake, open_shop

from clvspark.catalogue import TABLES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FAILING_TASK = """
from clvspark.guard import guarded
from clvspark.lakehouse import SparkConfig, build_session

def fail():
    spark = build_session(SparkConfig(master="local[1]", driver_memory="1g"))
    spark.range(1).selectExpr("cast(concat('zq1canary', id) as int) as n").collect()

guarded(fail)
"""


@pytest.fixture(scope="module")
def shop(goods, tmp_path_factory):
    """A shop whose whole pipeline ran, telling all it can, on landing files with canaries."""
    folder = tmp_path_factory.mktemp("canaries")
    events = folder / "events"
    events.mkdir()
    logged = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": events.as_uri()}
    logged["spark.eventLog.compress"] = "false"
    shop = open_shop(folder / "shop", goods, spark={"conf": {**TINY_SPARK, **logged}})
    (shop.folder / "planted.json").write_text(json.dumps(plant_canaries(shop.landing)))
    done = clvspark("--verbose", "run", "--config", shop.config_file, cwd=shop.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    shop.printed.write_text(done.stdout + done.stderr)
    return shop


def test_every_column_of_every_file_holds_a_canary(shop):
    planted = json.loads((shop.folder / "planted.json").read_text())

    assert len(planted) == len(list(shop.landing.rglob("*.*"))) > 25
    assert all(planted[name] for name in planted if not name.startswith("app/orders_"))
    assert {"full_name", "birth_date", "email", "phone"} <= set(planted["loyalty/members.csv"])
    assert {"name.first", "address.street", "email"} <= set(planted["web/accounts.jsonl"])
    assert {"display_name", "email", "device_id"} <= set(planted["app/accounts.parquet"])


@pytest.mark.parametrize(
    ("table", "least"),
    [("sources.customer_record", 20), ("sources.quarantine", 50), ("identity.person", 20)],
)
def test_the_canaries_are_where_they_belong(spark, shop, table, least):
    rows = open_lake(spark, shop).table(table).collect()

    assert len(canaries_in("\n".join(map(repr, rows)))) >= least


def test_nothing_printed_or_logged_holds_a_canary(shop):
    printed = shop.printed.read_text()

    assert printed.count("(equal)") == 2
    assert canaries_in(printed) == []


def test_the_event_log_holds_no_canary(shop):
    logs = [path for path in (shop.folder.parent / "events").rglob("*") if path.is_file()]
    text = "".join(path.read_text(encoding="utf-8", errors="replace") for path in logs)

    assert text.count("SparkListenerSQLExecutionStart") > 100
    assert canaries_in(text) == []


def test_the_page_and_the_manifests_hold_no_canary(shop):
    manifests = list(shop.exports.rglob("manifest.json"))

    assert len(manifests) == 2
    pages = [shop.page, *shop.page.with_suffix("").glob("*.html")]
    assert len(pages) == 8
    for path in (*pages, *manifests):
        assert canaries_in(path.read_text(encoding="utf-8")) == [], path


def test_the_model_registry_holds_no_canary(shop):
    files = [path for path in (shop.lakehouse / "_mlflow").rglob("*") if path.is_file()]

    assert {"mlflow.db", "model.json"} <= {path.name for path in files}
    for path in files:
        assert canaries_in(path.read_bytes().decode("utf-8", errors="replace")) == [], path


@pytest.mark.parametrize(
    "table", ["ops.run", "ops.metric", *sorted(n for n in TABLES if n.startswith("reporting."))]
)
def test_the_run_log_and_the_facts_hold_no_canary(spark, shop, table):
    rows = open_lake(spark, shop).table(table).collect()

    assert canaries_in("\n".join(map(repr, rows))) == []


def test_a_task_that_fails_on_a_value_does_not_show_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FAILING_TASK],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip

    assert done.returncode == 70
    assert "an unexpected fault" in done.stderr
    assert canaries_in(done.stdout + done.stderr) == []


def test_what_is_erased_is_told_without_a_value(shop):
    done = clvspark(
        "forget", "--record", "crm:Zq0canary", "--config", shop.config_file, cwd=shop.folder
    )

    assert done.returncode == 3
    assert canaries_in(done.stdout + done.stderr) == []


def test_canaries_are_found_in_any_spelling():
    text = "ZQ7CANARY +447990042123 07990042124 zq8canary@mail.example.org 107990042125"

    assert len(canaries_in(text)) == 4


def test_a_landing_file_that_cannot_be_read_is_named_without_its_content(shop, tmp_path):
    path = Path(shop.landing / "app/accounts.parquet")
    whole = path.read_bytes()
    path.write_bytes(b"Zq9canary;" + whole[: len(whole) // 2])
    try:
        done = clvspark("ingest", "--config", shop.config_file, cwd=shop.folder)
    finally:
        path.write_bytes(whole)

    assert done.returncode == 11
    assert "app/accounts.parquet cannot be read" in done.stderr
    assert canaries_in(done.stdout + done.stderr) == []
