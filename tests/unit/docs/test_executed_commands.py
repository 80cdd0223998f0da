"""Every command is run by a test, and this page of tests says by which."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.shops import open_till_shop
from typer.main import get_command
from typer.testing import CliRunner

from clvspark.cli import app
from clvspark.pipeline import STAGES

ROOT = Path(__file__).resolve().parents[3]
_HERE = "tests/unit/docs/test_executed_commands.py"
_CRASHES = "tests/faults/test_stream_crashes.py"
_RULES = "tests/unit/cli/test_audiences_commands.py"
_EVALUATE = "tests/spark/identity/test_evaluate.py"
_SEEING = "tests/spark/identity/test_seeing.py"
_LOGS = "tests/unit/clv/logs/test_clv_commands.py"
_DRY_RUN = "tests/spark/audiences/test_dry_run.py::test_the_commands_show_what_was_found"
_CARE = (
    "tests/spark/cli/test_care_commands.py::"
    "test_an_earlier_lakehouse_is_refused_shown_migrated_and_looked_after"
)
# Stages go through one door, of which tests run some; what is behind it they run for each stage.
_STAGES = "tests/e2e/test_two_dates.py::test_a_second_run_of_the_second_date_changes_nothing"
EXECUTED = {
    **dict.fromkeys(STAGES, _STAGES),
    "run": "tests/faults/test_personal_data.py::test_nothing_printed_or_logged_holds_a_canary",
    "demo": "tests/e2e/test_demo.py::test_the_demo_says_that_all_its_promises_held",
    "ingest": "tests/faults/test_refusals.py::test_a_sound_shop_is_ingested_by_the_same_process",
    "report": "tests/unit/cli/test_report.py::test_the_first_dashboard_is_shown_where_that_is_asked_for",
    "stream": f"{_CRASHES}::test_killed_at_random_moments_nothing_is_lost_and_nothing_counts_twice",
    "stream status": f"{_HERE}::test_without_a_stream_its_commands_say_so",
    "stream stop": f"{_HERE}::test_without_a_stream_its_commands_say_so",
    "audiences": _STAGES,
    "audiences validate": f"{_RULES}::test_faults_of_all_files_come_at_once_with_file_and_line",
    "audiences estimate": _DRY_RUN,
    "audiences diff": _DRY_RUN,
    "audiences evaluate": _STAGES,
    "audiences explain": _DRY_RUN,
    "identity explain": f"{_SEEING}::test_the_waterfall_adds_up_to_the_weight_of_the_run",
    "identity person": f"{_SEEING}::test_a_person_is_shown_with_links_and_history",
    "identity model": f"{_SEEING}::test_the_model_is_shown_and_holds_no_personal_data",
    "identity review": f"{_SEEING}::test_the_queue_is_shown",
    "identity decide": f"{_SEEING}::test_decisions_are_written_refused_and_taken_back",
    "identity evaluate": f"{_EVALUATE}::test_csv_and_parquet_give_the_same_numbers_as_json_alone",
    "identity propose": f"{_EVALUATE}::test_a_proposal_is_written_as_settings_that_can_be_measured",
    "clv fit": f"{_LOGS}::test_cdnow_end_to_end",
    "clv compare": f"{_LOGS}::test_comparison",
    "simulate": f"{_HERE}::test_a_population_is_simulated_where_it_is_asked_for",
    "forget": "tests/faults/test_personal_data.py::test_what_is_erased_is_told_without_a_value",
    "vacuum": _CARE,
    "maintain": _CARE,
    "migrate": _CARE,
    "replay": _CARE,
    "suppress": _CARE,
    "reconcile": f"{_HERE}::test_rows_that_differ_are_told_by_table",
    "status": "tests/e2e/test_cli.py::test_status_shows_tables_and_runs",
    "setup": f"{_HERE}::test_what_spark_needs_is_set_up",
    "doctor": "tests/unit/doctor/test_checks.py::test_the_command_prints_json_and_ends_in_1_where_something_is_missing",
}


def leaves(command: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that can be called, without the name of the program."""
    if above:
        yield " ".join(above)
    for name, below in getattr(command, "commands", {}).items():
        yield from leaves(below, (*above, name))


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_command_is_run_by_a_test_that_exists() -> None:
    groups = {"identity", "clv"}  # which do nothing but name those below them
    assert set(EXECUTED) == {*leaves(get_command(app))} - groups
    named = {tuple(test.split("::")) for test in EXECUTED.values()}
    assert [f"{f}::{t}" for f, t in named if t not in functions_of(ROOT / f)] == []


def test_without_a_stream_its_commands_say_so(tmp_path: Path) -> None:
    config = open_till_shop(tmp_path / "shop").config_file
    said = {
        name: CliRunner().invoke(app, ["stream", name, "--config", str(config)])
        for name in ("status", "stop")
    }
    assert {name: one.exit_code for name, one in said.items()} == {"status": 0, "stop": 0}
    assert "No stream runs here" in said["stop"].stdout


def test_a_population_is_simulated_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def simulate(spark: object, out: Path, **options: Any) -> SimpleNamespace:
        asked.update(options, out=out)
        options["progress"]("persons")
        return SimpleNamespace(records=2201, persons=1000)

    monkeypatch.setattr("clvspark.lakehouse.build_session", lambda _: None)
    monkeypatch.setattr("clvspark.simulate.simulate_population", simulate)
    options = ["--persons", "1000", "--seed", "7", "--out", str(tmp_path / "big")]
    said = CliRunner().invoke(app, ["simulate", *options])
    assert "simulated 2,201 records of 1,000 persons" in said.stdout
    assert (asked["persons"], asked["seed"], asked["overwrite"]) == (1000, 7, False)


def test_what_spark_needs_is_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("ensure_java", "ensure_jars", "write_spark_conf"):
        monkeypatch.setattr(f"clvspark.lakehouse.runtime.{name}", partial(done.append, name))
    assert CliRunner().invoke(app, ["setup"]).exit_code == 0
    assert done == ["ensure_java", "ensure_jars", "write_spark_conf"]


def test_rows_that_differ_are_told_by_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = {"audiences.membership.only_stream": 3.0, "audiences.membership.only_batch": 0.0}
    lake = SimpleNamespace(writing=lambda _: nullcontext())
    monkeypatch.setattr("clvspark.pipeline.open_lakehouse", lambda *_, **__: lake)
    monkeypatch.setattr(
        "clvspark.live.reconcile.reconcile", lambda *_: SimpleNamespace(metrics=metrics)
    )
    config = open_till_shop(tmp_path / "shop").config_file
    said = CliRunner().invoke(app, ["reconcile", "--config", str(config)])
    assert said.exit_code == 0, said.exception
    assert re.search(r"audiences\.membership\W+3\W+0\b", said.stdout)
