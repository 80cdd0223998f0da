"""Write docs/reference/commands.md from the parser of the command line (``make docs``), without Spark."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from typer.main import get_command  # noqa: E402

import clvspark.cli  # noqa: E402, F401 - found by the line above; it gives `app` its commands
from clvspark.cli.options import CARE, CLV, DATA, IDENTITY, PIPELINE, STAGE, app  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "commands.md"
PANELS = (PIPELINE, STAGE, IDENTITY, CLV, DATA, CARE)

_HEAD = """\
# Commands

Made by `make docs` from the command line itself; a test fails when it is stale. In a terminal the same is told by
`clvspark --help` and `clvspark COMMAND --help`. Exit status: [operating guide](../operations.md#exit-status).
"""
# What a parser shows before an example, so that its lines stay as they are.
_AS_IT_IS = "\b\n"


def render_commands() -> str:
    """The whole page: commands by panel, those that have others below them followed by these."""
    root = get_command(app)
    panels: dict[str, list[Any]] = {name: [] for name in PANELS}
    for command in root.commands.values():  # type: ignore[attr-defined]
        panels[command.rich_help_panel].append(command)
    parts = [_HEAD, _contents(panels), "## clvspark\n", _options(root)]
    for name, commands in panels.items():
        parts.append(f"## {name}\n")
        for command in commands:
            parts += _sections(command, ("clvspark",), "###")
    return "\n".join(parts)


def _contents(panels: dict[str, list[Any]]) -> str:
    rows = [
        (f"[`clvspark {command.name}`](#{_anchor(('clvspark', command.name))})", _gist(command))
        for commands in panels.values()
        for command in commands
    ]
    return _grid(("command", "what it does"), rows)


def _sections(command: Any, above: tuple[str, ...], mark: str) -> Iterator[str]:
    path = (*above, command.name)
    yield f"{mark} {' '.join(path)}\n"
    text, examples = _split_help(command.help or "")
    yield f"{text}\n"
    if command.epilog:
        yield f"{_plain(command.epilog)}\n"
    if examples:
        yield f"```sh\n{examples}\n```\n"
    usage = command.collect_usage_pieces(_context(command))
    yield f"Usage: `{' '.join((*path, *usage))}`\n"
    yield _options(command)
    for below in getattr(command, "commands", {}).values():
        yield from _sections(below, path, f"{mark}#")


def _options(command: Any) -> str:
    context = _context(command)
    records = [param.get_help_record(context) for param in command.params]
    rows = [(f"`{names}`", told) for names, told in filter(None, records)]
    return _grid(("option", "meaning"), rows) if rows else ""


def _context(command: Any) -> Any:
    return command.make_context(command.name, [], resilient_parsing=True)


def _split_help(text: str) -> tuple[str, str]:
    """What a command does, and the commands to copy."""
    told, _, examples = text.partition("Examples:")
    lines = examples.replace(_AS_IT_IS, "").strip("\n").splitlines()
    return _plain(told), "\n".join(line.strip() for line in lines)


def _gist(command: Any) -> str:
    """The first sentence of what a command does."""
    return re.split(r"(?<=\w)[.:;] ", _split_help(command.help or "")[0])[0].removesuffix(".")


def _anchor(path: Sequence[str]) -> str:
    return "-".join(path)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _plain(text: str) -> str:
    """A text on one line, in which no star begins another type."""
    return re.sub(r"\s+", " ", text).strip().replace("*", "\\*")


def _cell(text: str) -> str:
    """A text that no sign in it takes out of its cell."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def main() -> None:
    """Write the page."""
    PAGE.write_text(render_commands(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
