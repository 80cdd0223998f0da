"""What a command refuses to do: one clear message, a code of its own, nothing half-written (promise 9)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support.commands import run_commands
from support.shops import Shop, environment, write_config

from clvspark.catalogue import TABLES
from clvspark.lakehouse import Lakehouse, LakehouseConfig

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

_SOURCE = {
    "system": "till",
    "files": [
        {
            "path": "sales.csv",
            "format": "csv",
            "outputs": [
                {
                    "to": "event",
                    "fields": {
                        "event_id": "receipt",
                        "event_type": {"value": "order"},
                        "occurred_at": "sold_at",
                        "channel": {"value": "shop"},
                        "order_id": "receipt",
                        "net_revenue": "amount",
                    },
                }
            ],
        }
    ],
}
_HOLD = """
import sys
from pathlib import Path
from clvspark.lakehouse.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    sys.stdin.read()
"""


def shop_of(folder, header="receipt,sold_at,amount"):
    """A shop with one till and one sale."""
    shop = Shop(folder)
    shop.landing.mkdir(parents=True)
    (shop.landing / "sales.csv").write_text(f"{header}\nr1,2026-01-05 10:00:00,12.34\n")
    write_config(
        shop,
        sources={"systems": [_SOURCE]},
        identity={"truth": None},
        audiences={"definitions": []},
        activation={"destinations": []},
    )
    return shop


@pytest.fixture(scope="module")
def shops(tmp_path_factory, spark):
    """A shop for each fault."""
    folder = tmp_path_factory.mktemp("refusals")
    found = {
        "landing": shop_of(folder / "landing"),
        "column": shop_of(folder / "column", header="receipt,sold_at,price"),
        "writer": shop_of(folder / "writer"),
        "newer": shop_of(folder / "newer"),
        "unwritable": shop_of(folder / "unwritable"),
        "sound": shop_of(folder / "sound"),
    }
    (found["landing"].landing / "sales.csv").unlink()
    found["landing"].landing.rmdir()
    lake = Lakehouse(spark, LakehouseConfig(root=str(found["newer"].lakehouse)), TABLES)
    event = TABLES["sources.event"]
    lake.overwrite(event, spark.createDataFrame([], event.schema))
    table = lake.storage.identifier(event.name)
    spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('clvspark.format' = '99')")
    # The superuser may write to any folder, but nobody below a file.
    found["unwritable"].lakehouse.write_text("not a folder")
    return found


@pytest.fixture(scope="module")
def outcomes(shops):
    """What ``clvspark ingest`` says to each shop, in one process; another one holds a lock all the while."""
    held = shops["writer"].lakehouse
    hold = [sys.executable, "-c", _HOLD, str(held)]
    with subprocess.Popen(
        hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        commands = [["ingest", "--config", shop.config_file] for shop in shops.values()]
        seen = run_commands(commands, cwd=held.parent, env=environment())
        assert holder.poll() is None
        holder.stdin.close()
    return {**dict(zip(shops, seen, strict=True)), "holder": holder.pid}


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ("landing", 3, ["No landing file matches", "sales.csv", "correct 'sources.landing'"]),
        ("column", 2, ["sales.csv: 1 fault", "column 'amount' is missing; the file has receipt"]),
        ("writer", 5, ["is locked for writing", "(run)", "Wait for it to end"]),
        ("newer", 6, ["This lakehouse has format 99", "Upgrade clvspark"]),
        ("unwritable", 2, ["lakehouse.root", "cannot be written", "Not a directory"]),
    ],
)
def test_a_fault_gives_one_clear_message(outcomes, fault, code, words):
    seen = outcomes[fault]

    assert seen.code == code
    assert "Traceback" not in seen.err
    assert "Error: " in seen.message
    assert [word for word in words if word not in seen.message] == []


def test_the_message_names_the_process_that_holds_the_lock(outcomes):
    assert f"held by process {outcomes['holder']} (run) since" in outcomes["writer"].message


@pytest.mark.parametrize("fault", ["landing", "column", "writer", "unwritable"])
def test_nothing_is_half_written(outcomes, shops, fault):
    logs = shops[fault].folder.glob("lakehouse/*/*/_delta_log")

    assert {log.parent.parent.name for log in logs} <= {"ops"}


def test_a_newer_lakehouse_is_left_as_it_was(outcomes, shops):
    logs = shops["newer"].lakehouse.rglob("_delta_log/*.json")

    assert sorted(log.stem[-1] for log in logs) == ["0", "1", "2"]
    assert not (shops["newer"].lakehouse / "ops").exists()


def test_a_sound_shop_is_ingested_by_the_same_process(outcomes, shops):
    assert outcomes["sound"].code == 0
    log = shops["sound"].lakehouse / "sources/event/_delta_log"
    facts = [json.loads(line) for path in log.glob("*.json") for line in path.open()]
    written = [f["add"]["stats"] for f in facts if "add" in f]
    assert sum(json.loads(stats)["numRecords"] for stats in written) == 1
    assert os.stat(shops["sound"].lakehouse).st_mode & 0o077 == 0
