"""What the header of a CSV file promises, and the first row that breaks it.

DuckDB guesses how a file is written from its first rows. Of a file with a ragged row it guesses wrongly, and takes a
row for the header or the header for one name; so what is told about such a file is read here, by the header alone.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

_SEPARATORS = (",", ";", "\t", "|")
# A number, a date or an address of e-mail names no column.
_DATA = re.compile(r"[+-]?[\d.,:/ TZ-]*\d[\d.,:/ TZ-]*|.+@.+")
# The file is broken in another way than by a ragged row, which DuckDB tells.
_BROKEN = (csv.Error, OSError, EOFError, zlib.error)


@dataclass(frozen=True)
class Header:
    """Names of the first line of a CSV file, and what parts them."""

    names: tuple[str, ...]
    separator: str

    @property
    def looks_like_data(self) -> bool:
        """Whether the first line is a row, which no message may show."""
        return any(_DATA.fullmatch(name.strip()) for name in self.names)


@dataclass(frozen=True)
class RaggedRow:
    """The first row with another number of cells than the header."""

    line: int
    cells: int
    names: int

    def __str__(self) -> str:
        """Where it is, without what it holds."""
        noun = "cell" if self.cells == 1 else "cells"
        return f"line {self.line} has {self.cells} {noun}, the header {self.names}"


def read_header(file: Path, wanted: Sequence[str]) -> Header:
    """The header, parted by what gives most of the `wanted` names, and of these most names."""
    try:
        with _opened(file) as text:
            line = text.readline()
    except _BROKEN:
        line = ""
    found = [Header(tuple(next(csv.reader([line], delimiter=one), [])), one) for one in _SEPARATORS]
    return max(found, key=lambda one: (len({*wanted} & {*one.names}), len(one.names)))


def find_ragged_row(file: Path, header: Header) -> RaggedRow | None:
    """The first row, quoted line breaks and all, that has not as many cells as the header; blank lines are none."""
    try:
        with _opened(file) as text:
            for line, cells in _rows(text, header.separator):
                if cells != len(header.names):
                    return RaggedRow(line, cells, len(header.names))
    except _BROKEN:
        pass
    return None


def _rows(text: TextIO, separator: str) -> Iterator[tuple[int, int]]:
    """Line on which a row begins, and its number of cells."""
    reader = csv.reader(text, delimiter=separator)
    begins = 1
    for row in reader:
        if row:
            yield begins, len(row)
        begins = reader.line_num + 1


def _opened(file: Path) -> TextIO:
    opener = gzip.open if file.suffix == ".gz" else open
    return cast("TextIO", opener(file, "rt", encoding="utf-8-sig", errors="replace", newline=""))
