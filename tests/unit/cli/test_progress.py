"""Progress: live in a terminal, plain lines in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from clvspark import console


@pytest.fixture
def shown(monkeypatch, request):
    """What goes to standard error, a terminal or not."""
    stream = io.StringIO()
    terminal = request.param == "terminal"
    monkeypatch.setattr(
        console, "err", Console(file=stream, force_terminal=terminal, width=100, highlight=False)
    )
    return stream


@pytest.mark.parametrize("shown", ["pipe"], indirect=True)
def test_a_pipe_gets_one_plain_line_a_stage(shown):
    with console.progress("ingest", "resolve", "history") as show:
        show("ingest")
        show("resolve")
        show("resolve", "scoring pairs")
        show("resolve", "clustering")

    assert shown.getvalue() == "stage 1 of 3  ingest: started\nstage 2 of 3  resolve: started\n"


@pytest.mark.parametrize("shown", ["pipe"], indirect=True)
@pytest.mark.parametrize(
    ("stages", "stage"), [(["fit"], "fit"), ([], "simulate"), (["a", "b"], "c")]
)
def test_a_single_stage_is_not_counted(shown, stages, stage):
    with console.progress(*stages) as show:
        show(stage)

    assert shown.getvalue() == f"{stage}: started\n"


@pytest.mark.parametrize("shown", ["terminal"], indirect=True)
def test_a_terminal_shows_stage_step_and_time(shown):
    with console.progress("ingest", "resolve") as show:
        show("resolve", "scoring [pairs]")
        show._live.refresh()

    seen = shown.getvalue()
    assert "starting Spark" in seen
    assert "stage 2 of 2" in seen
    assert "resolve: scoring [pairs]" in seen
    assert "0:00:0" in seen
    assert "\x1b[" in seen


def test_a_pipe_has_no_width_and_a_terminal_its_own(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout", io.StringIO())

    assert console._console(stderr=False).width == 200
    monkeypatch.setenv("COLUMNS", "72")
    assert console._console(stderr=False).width == 72
