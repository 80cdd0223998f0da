"""The command reference says what the command line says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
import typer
from typer.main import get_command

from clvspark.cli import app

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    path = ROOT / "tools" / "command_reference.py"
    spec = importlib.util.spec_from_file_location("command_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def paths(command: Any, above: str = "") -> list[str]:
    """Every command below one, as it is typed."""
    name = f"{above} {command.name}".strip()
    below = getattr(command, "commands", {}).values()
    return [name, *(path for one in below for path in paths(one, name))]


def test_the_page_is_what_the_command_line_gives(tool: ModuleType) -> None:
    assert tool.PAGE.read_text(encoding="utf-8") == tool.render_commands(), (
        "stale; next step: make docs"
    )


def test_every_command_has_its_section_and_every_option_its_line(tool: ModuleType) -> None:
    page = tool.render_commands()
    headings = re.findall(r"^#+ (clvspark.*)$", page, re.MULTILINE)
    assert sorted(headings) == sorted(paths(get_command(app)))

    def options(command: Any) -> set[str]:
        below = getattr(command, "commands", {}).values()
        own = {name for param in command.params for name in param.opts if name.startswith("--")}
        return own.union(*map(options, below))

    assert {name for name in options(get_command(app)) if name not in page} == set()


def test_examples_and_signs_of_a_help_text_are_told_as_they_are(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = typer.Typer(name="clvspark")

    @small.callback()
    def root() -> None:
        """Begin."""

    text = (
        "Reads a.* and b.*, then\nwrites. Ends.\n\nExamples:\n\n\b\n  clvspark do --kind a\n  more"
    )

    @small.command(rich_help_panel=tool.CARE, help=text)
    def do(kind: Annotated[str, typer.Option(help="a|b")] = "a") -> None:
        del kind

    monkeypatch.setattr(tool, "app", small)
    page = tool.render_commands()

    assert "Reads a.\\* and b.\\*, then writes. Ends." in page
    assert "```sh\nclvspark do --kind a\nmore\n```" in page
    assert "| [`clvspark do`](#clvspark-do) | Reads a.\\* and b.\\*, then writes |" in page
    assert r"a\|b [default: a] |" in page
