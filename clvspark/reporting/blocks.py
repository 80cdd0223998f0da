"""What a section of a page is made of: numbers, tables, charts and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Tile:
    """One number of a strip, with what it has changed by."""

    label: str
    value: str
    hint: str
    change: str = ""
    id: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of texts; the first `left` columns are words, the others numbers.

    Parameters
    ----------
    marked : numbers of the rows to set off, e.g. the champion's.
    has_total : the last row adds up the others.
    drill : query by which whoever may read the lakehouse finds the persons.
    """

    kind: ClassVar[str] = "grid"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1
    hint: str = ""
    marked: frozenset[int] = frozenset()
    has_total: bool = False
    id: str = ""
    drill: str = ""


@dataclass(frozen=True)
class Chart:
    """A Vega-Lite chart with a title that says what it shows and a hint how to read it.

    Parameters
    ----------
    numbers : the same as a table, for those who cannot see the chart or want to copy from it.
    is_wide : it takes the whole width.
    """

    kind: ClassVar[str] = "chart"
    id: str
    title: str
    hint: str
    spec: dict[str, Any]
    numbers: Grid | None = None
    drill: str = ""
    is_wide: bool = False


@dataclass(frozen=True)
class Note:
    """A sentence in the place of a chart or beside one."""

    kind: ClassVar[str] = "note"
    text: str
    title: str = ""


Block = Grid | Chart | Note


@dataclass(frozen=True)
class Section:
    """A part of the page under one heading."""

    id: str
    title: str
    lead: str
    blocks: Sequence[Block]
    tiles: Sequence[Tile] = ()

    @property
    def layout(self) -> list[tuple[Block, bool]]:
        """Each block with whether it takes the whole width; two narrow ones in a row share it."""
        placed: list[tuple[Block, bool]] = []
        waiting = False  # for a neighbour
        for number, block in enumerate(self.blocks):
            follower = self.blocks[number + 1] if number + 1 < len(self.blocks) else None
            paired = waiting or (follower is not None and _is_narrow(follower))
            placed.append((block, not (_is_narrow(block) and paired)))
            waiting = _is_narrow(block) and paired and not waiting
        return placed


def _is_narrow(block: Block) -> bool:
    if isinstance(block, Chart) and block.is_wide:
        return False
    return isinstance(block, Chart) or (isinstance(block, Grid) and len(block.columns) <= 4)
