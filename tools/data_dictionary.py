"""Write docs/data-dictionary.md from the contracts of all tables (``make docs``), without Spark."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from clvspark.catalogue import TABLES  # noqa: E402 - found by the line above, also without an installation
from clvspark.lakehouse.table import Column, Table  # noqa: E402

DICTIONARY = ROOT / "docs" / "data-dictionary.md"

_HEAD = """\
# Data dictionary

Made by `make docs` from the contracts in `clvspark/*/tables.py`; a test fails when it is stale.
Change a contract, not this page.

- **Key**: the columns marked `key` are together unique and, like `required` ones, never NULL.
- **Personal data**: the kind that a column holds. Logs, messages and reports never show it.
- **Checks** hold for every value that is not NULL. A write that breaks a contract leaves nothing.
- `double` columns are always finite. Instants end in `_at` (UTC), dates in `_on` or `_date`.
"""
_COLUMN_HEADS = ("column", "type", "", "meaning", "unit", "refers to", "personal data", "check")


def render_dictionary(tables: Sequence[Table]) -> str:
    """The whole page, tables in the order given; those of one room must stand together."""
    rooms = [(room, list(found)) for room, found in groupby(tables, key=lambda table: table.room)]
    parts = [_HEAD, _contents(rooms)]
    for room, found in rooms:
        parts += [f"## {room}\n\n{_purpose(room)}\n", *(_section(table, tables) for table in found)]
    return "\n".join(parts)


def _contents(rooms: Sequence[tuple[str, Sequence[Table]]]) -> str:
    rows = [
        (f"[{table.name}]({_anchor(table.name)})", table.comment, ", ".join(table.key))
        for _, tables in rooms
        for table in tables
    ]
    return _grid(("table", "one row is, or the table holds", "key"), rows)


def _purpose(room: str) -> str:
    """First sentence of the documentation of the room's code."""
    module = import_module("clvspark.lakehouse.run_log" if room == "ops" else f"clvspark.{room}")
    return (module.__doc__ or "").strip().splitlines()[0]


def _section(table: Table, tables: Sequence[Table]) -> str:
    known = {other.name for other in tables}
    rows = [_row(column, known) for column in table.columns]
    used = [n for n in range(len(_COLUMN_HEADS)) if n in {0, 1} or any(row[n] for row in rows)]
    grid = _grid([_COLUMN_HEADS[n] for n in used], [[row[n] for n in used] for row in rows])
    notes = [f"- Check `{name}`: `{predicate}`" for name, predicate in table.checks.items()]
    if table.cluster_by:
        notes.append(f"- Clustered by {', '.join(table.cluster_by)}.")
    if table.change_feed:
        notes.append("- Keeps a change data feed.")
    return "\n".join(
        [f"### {table.name}\n", f"{table.comment}\n", grid, *([*notes, ""] if notes else [])]
    )


def _row(column: Column, known: set[str]) -> tuple[str, ...]:
    target = column.references or ""
    return (
        f"`{column.name}`",
        f"`{column.type}`",
        "key" if column.key else "required" if column.required else "",
        column.comment,
        column.unit or "",
        f"[{target}]({_anchor(target)})" if target in known else target,
        column.pii or "",
        f"`{column.check}`" if column.check else "",
    )


def _anchor(name: str) -> str:
    return "#" + name.replace(".", "")


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def main() -> int:
    """Write the page; with ``--check`` only compare: 1 if it is stale."""
    parser = argparse.ArgumentParser(
        description="Write docs/data-dictionary.md from the contracts of all tables."
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the page is stale"
    )
    page = render_dictionary(list(TABLES.values()))
    if parser.parse_args().check:
        if DICTIONARY.is_file() and DICTIONARY.read_text(encoding="utf-8") == page:
            return 0
        print(f"{DICTIONARY.relative_to(ROOT)} is stale. Next step: make docs", file=sys.stderr)
        return 1
    DICTIONARY.write_text(page, encoding="utf-8")
    print(f"{DICTIONARY.relative_to(ROOT)}: {len(TABLES)} tables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
