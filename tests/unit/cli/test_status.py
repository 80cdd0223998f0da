"""What `clvspark status` shows of the run log."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from clvspark import console
from clvspark.status import Status, last_work, print_status


def run(stage: str, hour: int, status: str, seconds: float = 0.0003) -> dict[str, Any]:
    return {
        "stage": stage, "as_of_date": date(2026, 4, 1), "status": status, "seconds": seconds,
        "started_at": datetime(2026, 4, 1, hour, tzinfo=UTC), "rows_written": '{"a.b": 5}',
        "error": "ContractError" if status == "failed" else None,
    }  # fmt: skip


RUNS = [
    run("fit", 2, "failed", 3.0), run("ingest", 1, "success", 12.5), run("ingest", 3, "unchanged"),
    run("ingest", 4, "unchanged"), run("fit", 5, "success", 7.0), run("resolve", 1, "unchanged"),
    run("resolve", 2, "success", 20.0),
]  # fmt: skip


def test_a_stage_is_shown_by_its_last_run_with_work_and_the_last_without_since() -> None:
    found = {
        worked["stage"]: (worked["started_at"].hour, idle and idle["started_at"].hour)
        for worked, idle in last_work(RUNS)
    }
    assert found == {"ingest": (1, 4), "resolve": (2, None), "fit": (5, None)}
    assert list(found) == ["ingest", "resolve", "fit"], "in the order of the flow"
    (only,) = last_work([run("score", 1, "unchanged")])
    assert only[0]["status"] == "unchanged"


def test_runs_without_work_fill_no_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 200)
    print_status(Status({"clv.model": (3, 1)}, RUNS), "lakehouse")
    shown = capsys.readouterr().out
    assert "0.0003" not in shown
    assert "12.50" in shown
    assert "2026-04-01 04:00:00" in shown
    assert "failed (ContractError)" in shown


def test_a_place_without_tables_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    print_status(Status({}, []), "lakehous")
    assert (
        "There is no table in lakehous. Next step: correct 'lakehouse'" in capsys.readouterr().out
    )
