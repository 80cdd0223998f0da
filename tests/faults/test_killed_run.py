"""Fault 1: a run killed in the middle, then run again, equals a clean run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.commands import run_commands
from support.shops import command_line, environment, open_lake, open_shop, rows_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PATIENCE = 400  # seconds until a run must have come to the point where it is killed
SAME = {
    "sources.event": ("event_id", "source_record_id", "net_revenue"),
    "sources.quarantine": ("quarantine_id", "reason"),
    "identity.person_link": ("source_system", "source_record_id", "valid_from", "person_id"),
    "identity.person_change": ("change_id", "person_id", "change_type"),
    "history.order": ("order_id", "person_id", "net_revenue", "margin"),
    "history.clv_summary": ("person_id", "as_of_date", "frequency", "recency_days", "t_days"),
}


@pytest.fixture(scope="module")
def shop(goods, tmp_path_factory):
    return open_shop(tmp_path_factory.mktemp("killed") / "shop", goods)


@pytest.fixture(scope="module")
def killed(shop):
    """The shop after a run was killed, its JVM with it, between two tables of one stage."""
    program = subprocess.Popen(
        command_line("run", "--config", shop.config_file),
        cwd=shop.folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(shop.lakehouse / "identity/pair/_delta_log/00000000000000000000.json", program)
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
    assert not (shop.lakehouse / "identity/review").exists()
    return shop


@pytest.fixture(scope="module")
def rerun(killed):
    """The next run, as far as the tables compared need it."""
    commands = [
        [stage, "--config", killed.config_file] for stage in ("ingest", "resolve", "history")
    ]
    return run_commands(commands, cwd=killed.folder, env=environment())


def test_the_next_run_goes_on_where_the_last_was_killed(rerun):
    assert [seen.code for seen in rerun] == [0, 0, 0], rerun
    assert ["unchanged" in seen.out for seen in rerun] == [True, False, False]


@pytest.mark.parametrize(("table", "columns"), SAME.items())
def test_the_tables_equal_those_of_a_clean_run(spark, rerun, killed, finished, table, columns):
    rescued, clean = (rows_of(open_lake(spark, s), table, *columns) for s in (killed, finished))

    assert len(clean) > 100
    assert rescued == clean


def wait_for(path: Path, program: subprocess.Popen[bytes]) -> None:
    """Return when the file is there; fail if the program ends before."""
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert program.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run did not come to the point in time"
        time.sleep(0.05)
