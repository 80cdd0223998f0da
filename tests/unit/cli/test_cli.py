"""The command line: names, messages and exit codes; no command here needs Spark."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from support.shops import open_till_shop
from typer.testing import CliRunner

from clvspark import __version__, cli, guard
from clvspark.lakehouse import errors
from clvspark.lakehouse.lock import writer_lock

COMMANDS = [
    "ingest",
    "resolve",
    "history",
    "fit",
    "score",
    "audiences",
    "activate",
    "responses",
    "measure",
    "report",
    "run",
    "demo",
    "simulate",
    "stream",
    "forget",
    "vacuum",
    "maintain",
    "reconcile",
    "status",
    "setup",
    "doctor",
]


def exit_code(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["clvspark", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(cli.app, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage" in result.stdout
    _, examples = result.stdout.split("Examples:")
    assert f"  clvspark {name}" in examples


def test_the_version_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(["--version"], monkeypatch) == 0
    assert capsys.readouterr().out.strip() == f"clvspark {__version__}"


def test_a_missing_configuration_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = exit_code(["ingest", "--config", str(tmp_path / "none.yaml")], monkeypatch)
    shown = capsys.readouterr().err
    assert code == errors.ConfigError.exit_code
    assert "pass --config FILE" in " ".join(shown.split())
    assert "Traceback" not in shown


def test_settings_that_are_not_there_are_asked_to_be_proposed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--settings", "none.yaml", "--records", "mine.csv", "--truth-column", "who"]
    code = exit_code(["identity", "evaluate", *arguments], monkeypatch)
    shown = " ".join(capsys.readouterr().err.split())
    assert code == errors.MissingInputError.exit_code
    assert "clvspark identity propose --records mine.csv --out none.yaml" in shown


def test_every_fault_of_a_configuration_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clvspark.yaml"
    file.write_text("as_off: 2026-04-01\nlakehouse: {root: ../x}\n")
    assert exit_code(["run", "--config", str(file)], monkeypatch) == 2
    shown = " ".join(capsys.readouterr().err.split())
    for fault in (
        "Did you mean 'as_of'?",
        "lakehouse.root: must be a plain folder",
        "sources: is required",
    ):
        assert fault in shown


def help_of(*command: str) -> str:
    return CliRunner().invoke(cli.app, [*command, "--help"], env={"COLUMNS": "160"}).stdout


@pytest.mark.parametrize(
    "command",
    [
        [],
        *([name] for name in COMMANDS),
        ["identity"],
        ["identity", "propose"],
        ["clv"],
        ["clv", "fit"],
        ["clv", "compare"],
        ["audiences", "diff"],
    ],
)
def test_a_flag_has_no_type_and_every_panel_a_name(command: list[str]) -> None:
    shown = help_of(*command)
    assert "--help" in shown
    assert "<bool>" not in shown
    assert "default: (" not in shown
    assert "Commands" not in shown.replace("COMMANDS", "")
    assert command != [] or shown.index("Pipeline") < shown.index("Identity")


def test_the_day_of_an_erasure_is_the_day_of_the_request() -> None:
    shown = help_of("forget")
    assert "day of the request" in shown
    assert "first day not known" not in shown


@pytest.mark.parametrize("command", ["run", "score", "forget"])
def test_a_held_lakehouse_is_refused_before_spark_starts(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = open_till_shop(tmp_path / "shop")
    started: list[str] = []
    monkeypatch.setattr("clvspark.pipeline.build_session", lambda *_, **__: started.append("Spark"))
    more = ["--record", "till:c1"] if command == "forget" else []
    with writer_lock(shop.lakehouse, "history"):
        code = exit_code([command, "--config", str(shop.config_file), *more], monkeypatch)
    assert code == errors.LockedError.exit_code
    assert "(history)" in capsys.readouterr().err
    assert started == []


@pytest.mark.parametrize("arguments", [["nonsense"], ["run", "--as-of", "yesterday"], ["simulate"]])
def test_wrong_usage_exits_with_two(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code(arguments, monkeypatch) == 2


@pytest.mark.parametrize(
    "interval", ["soon", "0 seconds", "5", "-1 minutes", "1 month", "5 minutes ago"]
)
def test_an_interval_that_is_none_is_refused_before_spark_starts(
    interval: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("clvspark.pipeline.open_lakehouse", lambda *_, **__: pytest.fail("Spark"))
    assert exit_code(["stream", "--every", interval], monkeypatch) == 2
    shown = " ".join(capsys.readouterr().err.replace("\u2502", " ").split())
    assert "is no interval" in shown
    assert "--every '5 minutes'" in shown


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Handlers of signals, and logging, are as before after each test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    logging.disable(logging.NOTSET)


def test_a_termination_ends_like_ctrl_c_with_a_code_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    removed = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            os.kill(os.getpid(), signal.SIGINT)  # what comes at once is the same interruption
            removed.append("temporary files")

    with pytest.raises(SystemExit) as stopped:
        guard.guarded(work)
    assert (stopped.value.code, removed) == (143, ["temporary files"])
    assert "run the command again to go on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MissingInputError("no files"), 3),
        (errors.ContractError("broken"), 4),
        (errors.LockedError("held"), 5),
        (errors.VersionError("newer"), 6),
        (errors.TrainingError("flat"), 7),
        (KeyboardInterrupt(), 130),
        (typer.Abort(), 130),
        (RuntimeError("ann@example.org"), 70),
    ],
)
def test_each_error_has_its_exit_code_and_shows_no_data(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("CLVSPARK_DEBUG", raising=False)

    def fail() -> None:
        raise error

    with pytest.raises(SystemExit) as stopped:
        guard.guarded(fail)
    shown = capsys.readouterr().err
    assert stopped.value.code == code
    assert "Traceback" not in shown
    assert "example.org" not in shown


def test_debugging_shows_the_error_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLVSPARK_DEBUG", "1")

    def fail() -> None:
        raise RuntimeError("whole")

    with pytest.raises(RuntimeError, match="whole"):
        guard.guarded(fail)


def test_all_errors_have_different_codes() -> None:
    kinds = errors.ClvsparkError.__subclasses__()
    assert len({kind.exit_code for kind in kinds}) == len(kinds)
    assert all(kind.exit_code for kind in kinds)
