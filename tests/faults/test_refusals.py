"""What a command refuses to do: one clear message, a code of its own, nothing half-written (promise 9)."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from support.commands import run_commands
from support.shops import environment, open_till_shop

from clvspark.catalogue import TABLES
from clvspark.lakehouse import Lakehouse, LakehouseConfig

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

_HOLD = """
import sys
from pathlib import Path
from clvspark.lakehouse.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def shops(tmp_path_factory, spark):
    """A shop for each fault."""
    folder = tmp_path_factory.mktemp("refusals")
    found = {
        "landing": open_till_shop(folder / "landing"),
        "column": open_till_shop(folder / "column", header="receipt,card,sold_at,price"),
        "writer": open_till_shop(folder / "writer"),
        "newer": open_till_shop(folder / "newer"),
        "unwritable": open_till_shop(folder / "unwritable"),
        "sound": open_till_shop(folder / "sound"),
    }
    (found["landing"].landing / "sales.csv").unlink()
    found["landing"].landing.rmdir()
    lake = Lakehouse(spark, LakehouseConfig(root=str(found["newer"].lakehouse)), TABLES)
    log = TABLES["ops.run"]
    lake.append(log, spark.createDataFrame([], log.schema))
    table = lake.storage.identifier(log.name)
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
        (
            "landing",
            3,
            ["No landing file in", "matches sales.csv (till)", "correct 'sources.landing'"],
        ),
        ("column", 2, ["sales.csv: 1 fault", "column 'amount' is missing; the file has receipt"]),
        ("writer", 5, ["is locked for writing", "(run)", "Wait for it to end"]),
        ("newer", 6, ["This lakehouse has format 99", "Upgrade clvspark"]),
        ("unwritable", 2, ["lakehouse.root: 1 fault", "cannot be written (File exists)"]),
    ],
)
def test_a_fault_gives_one_clear_message(outcomes, fault, code, words):
    seen = outcomes[fault]

    assert seen.code == code
    assert "Traceback" not in seen.err
    assert re.match(r"(ingest: started )?\w+Error: ", seen.message)
    assert seen.message.count("Error: ") == 1
    assert [word for word in words if word not in seen.message] == []


def test_the_message_names_the_process_that_holds_the_lock(outcomes):
    assert f"held by process {outcomes['holder']} (run) since" in outcomes["writer"].message


@pytest.mark.parametrize("fault", ["landing", "column", "writer", "unwritable"])
def test_nothing_is_half_written(outcomes, shops, fault):
    logs = shops[fault].folder.glob("lakehouse/*/*/_delta_log")

    assert {log.parent.parent.name for log in logs} <= {"ops"}


def test_a_newer_lakehouse_is_left_as_it_was(outcomes, shops):
    lakehouse = shops["newer"].lakehouse
    newest = max(lakehouse.glob("ops/run/_delta_log/*.json"))

    assert "clvspark.format" in newest.read_text()
    assert [path.name for path in lakehouse.iterdir()] == ["ops"]


def test_a_sound_shop_is_ingested_by_the_same_process(outcomes, shops):
    assert outcomes["sound"].code == 0
    assert outcomes["sound"].message == "ingest: started", "neither Spark nor Java says more"
    log = shops["sound"].lakehouse / "sources/event/_delta_log"
    facts = [json.loads(line) for path in log.glob("*.json") for line in path.open()]
    written = [f["add"]["stats"] for f in facts if "add" in f]
    assert sum(json.loads(stats)["numRecords"] for stats in written) == 3
    assert shops["sound"].lakehouse.stat().st_mode & 0o077 == 0
