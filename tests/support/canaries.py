"""Canaries: values that look like personal data, are nobody's, and can be told from everything else."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TOKEN = re.compile(r"zq\d+canary|(?<!\d)(?:0|\+?44)7990042\d{3}(?!\d)", re.IGNORECASE)
_ENUMERATION = 20  # a column with fewer values is a code, which would make the row a bad one
_FEW_ROWS = 300

Row = dict[str, Any]


def plant_canaries(landing: Path) -> dict[str, list[str]]:
    """Add to every landing file a good row and a bad one of canaries; return the columns of each file that hold one.

    The good row is like another of the file, but for names, addresses, numbers and other texts. In the bad row
    every cell is a canary, also where a date or an amount should be.
    """
    numbers = itertools.count(1)
    planted: dict[str, list[str]] = {}
    plants = {".csv": _plant_csv, ".jsonl": _plant_jsonl, ".parquet": _plant_parquet}
    for path in sorted(landing.rglob("*.*")):
        planted[str(path.relative_to(landing))] = sorted(set(plants[path.suffix](path, numbers)))
    return planted


def canaries_in(text: str) -> list[str]:
    """What a text gives away."""
    return sorted(set(TOKEN.findall(text)))


def _canary(like: str, numbers: Iterator[int]) -> str:
    """A canary of the kind of value given."""
    number = next(numbers)
    if "@" in like:
        return f"zq{number}canary@mail.example.org"
    if re.fullmatch(r"[\d +()-]{10,}", like):
        return f"07990042{number:03d}"
    return f"Zq{number}canary"


def _is_free_text(values: list[Any]) -> bool:
    """Whether a column holds texts that a sender could write as they like."""
    texts = [value for value in values if isinstance(value, str) and value]
    dated = [text for text in texts if re.match(r"\d{4}-\d\d-\d\d", text)]
    amounts = [text for text in texts if re.fullmatch(r"-?\d{1,6}(\.\d+)?", text)]
    return len(set(texts)) > _ENUMERATION and not dated and len(amounts) < len(texts) / 2


def _plant_csv(path: Path, numbers: Iterator[int]) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    reader = csv.DictReader(io.StringIO(text))
    rows = list(itertools.islice(reader, _FEW_ROWS))
    columns = list(reader.fieldnames or [])
    free = {name for name in columns if _is_free_text([row[name] for row in rows])}
    examples = {name: next((row[name] for row in rows if row[name]), "") for name in columns}
    good = {n: _canary(examples[n], numbers) if n in free else rows[0][n] for n in columns}
    bad = {name: _canary("", numbers) for name in columns}
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, columns, lineterminator="\n").writerows([good, bad])
    yield from columns


def _plant_jsonl(path: Path, numbers: Iterator[int]) -> Iterator[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[:_FEW_ROWS]
    rows = [dict(_leaves(json.loads(line))) for line in lines if line.endswith("}")]
    names = {name for row in rows for name in row}
    free = {name for name in names if _is_free_text([row.get(name) for row in rows])}
    model = json.loads(lines[0])
    good = _replaced(model, lambda name, old: _canary(str(old), numbers) if name in free else old)
    bad = _replaced(model, lambda *_: _canary("", numbers))
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in (good, bad))
    yield from (name for name, _ in _leaves(model))


def _plant_parquet(path: Path, numbers: Iterator[int]) -> Iterator[str]:
    """Parquet is typed: there is no bad row, and only texts can be canaries."""
    table = pq.read_table(path)
    rows = table.slice(0, _FEW_ROWS).to_pylist()
    free = {name for name in table.column_names if _is_free_text([row[name] for row in rows])}
    good = {n: _canary(str(v), numbers) if n in free else v for n, v in rows[0].items()}
    longer = pa.concat_tables([table, pa.Table.from_pylist([good], schema=table.schema)])
    # Spark's own schema would no longer be true of the instants, which Arrow keeps in nanoseconds.
    pq.write_table(
        longer.replace_schema_metadata(),
        path,
        coerce_timestamps="us",
        allow_truncated_timestamps=True,
    )
    yield from free


def _leaves(row: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _replaced(row: Row, make: Callable[[str, Any], Any], prefix: str = "") -> Row:
    return {
        name: _replaced(value, make, f"{prefix}{name}.")
        if isinstance(value, dict)
        else make(f"{prefix}{name}", value)
        for name, value in row.items()
    }
