"""The columns of a transaction log, and what is told of a file that does not have them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clvspark.clv.logs.header import find_ragged_row, read_header
from clvspark.lakehouse.errors import ConfigError, MissingInputError

_TEXT = {".csv", ".txt", ".tsv"}


@dataclass(frozen=True)
class LogColumns:
    """Names of the columns of a log, and how its dates and numbers are written.

    `date_format` in the signs of strptime, for example ``%d/%m/%Y``; without it dates are year-month-day. With
    `decimal_comma` a text is a number as in 1.234,50, the dots may be left out; without it as in 1234.50.
    """

    customer: str
    date: str
    value: str | None = None
    date_format: str | None = None
    decimal_comma: bool = False

    @property
    def names(self) -> list[str]:
        """The columns that a log must have."""
        return [name for name in (self.customer, self.date, self.value) if name is not None]


def is_text(file: Path) -> bool:
    """Whether a file is CSV by its name; anything else is read as Parquet."""
    return file.suffix != ".parquet" and any(one.lower() in _TEXT for one in file.suffixes)


def unreadable(
    path: str | Path, columns: LogColumns, error: duckdb.Error | None = None
) -> MissingInputError:
    """Of DuckDB's message the line alone is taken over: the rest may quote a row."""
    file = Path(path)
    ragged = find_ragged_row(file, read_header(file, columns.names)) if is_text(file) else None
    line = re.search(r"CSV Error on Line: (\d+)", str(error))
    place = str(ragged) if ragged else f"line {line[1]}" if line else ""
    where = f" ({place})" if place else ""
    return MissingInputError(
        f"{path} cannot be read{where}; name a CSV file with a header and as many cells in every row, in UTF-8 (.csv, "
        ".tsv, .txt), or Parquet (a file, or a folder of .parquet files)."
    )


def refuse_missing_columns(path: str | Path, columns: LogColumns, there: list[str]) -> None:
    """ConfigError that lists the columns that are not there, each with the one that it may be.

    MissingInputError where they are only not found because a row is ragged.
    """
    if {*columns.names} <= {*there}:
        return
    shown = f"Columns: {', '.join(there)}"
    if is_text(Path(path)):
        header = read_header(Path(path), columns.names)
        there = list(header.names)
        shown = f"Columns: {', '.join(there)}"
        if header.looks_like_data:
            there, shown = [], "The first line holds numbers or dates, so it is no header"
        elif {*columns.names} <= {*there} or find_ragged_row(Path(path), header):
            raise unreadable(path, columns)
    faults = []
    for role in ("customer", "date", "value"):
        name = getattr(columns, role)
        if name is None or name in there:
            continue
        close = difflib.get_close_matches(name, there, n=1)
        close = close or [column for column in there if column.lower() == name.lower()]
        hint = f" Did you mean {close[0]!r}?" if close else ""
        faults.append(f"{role} column: there is no column {name!r}.{hint} {shown}")
    if faults:
        raise ConfigError(str(path), faults)
