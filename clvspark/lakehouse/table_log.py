"""What the log of a local Delta table says, read without Spark.

The format is that of Delta's protocol: JSON files of actions by version, now and then a Parquet checkpoint of the
actions so far.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from clvspark.lakehouse.errors import DamagedFileError

_TOLD = ("metaData", "protocol")
_ACTIONS = ("add", "remove", *_TOLD)
# What a reader has to know, beside deletion vectors, that does not change how rows lie in their files.
_HARMLESS = {"deletionVectors", "timestampNtz", "vacuumProtocolCheck"}


@dataclass(frozen=True)
class TableLog:
    """The newest state of one table.

    Parameters
    ----------
    rows : their number, from the statistics of the files; None where a file has none.
    files : data files that make up the table.
    properties : table properties.
    schema : of its rows, as JSON of Spark.
    is_plain : its rows are those of its files as they are: none is marked as deleted, every column lies in them under
        its own name, and they lie in its folder.
    """

    version: int
    rows: int | None
    files: list[Path]
    properties: dict[str, str]
    schema: str
    is_plain: bool


def folder_of(root: Path, name: str) -> Path:
    """Folder of the table `schema.table` of a local lakehouse."""
    return root / name.replace(".", "/")


@dataclass(frozen=True)
class _LogFiles:
    """The files of a log, listed once.

    Parameters
    ----------
    commits, checkpoints : by version.
    is_readable : it has no checkpoint of several parts, or of the newer kind.
    """

    folder: Path
    commits: dict[int, Path]
    checkpoints: dict[int, Path]
    is_readable: bool

    @property
    def since(self) -> int:
        """Version of the newest checkpoint, -1 where there is none."""
        return max(self.checkpoints, default=-1)

    @property
    def later(self) -> list[int]:
        """Versions of the commits after it."""
        return sorted(version for version in self.commits if version > self.since)

    @property
    def bytes(self) -> int:
        """Of the files that tell the newest state."""
        read = [self.commits[version] for version in self.later]
        read += [self.checkpoints[self.since]] if self.checkpoints else []
        return sum(path.stat().st_size for path in read)


def _list_log(table: Path) -> _LogFiles:
    folder = table / "_delta_log"
    commits, checkpoints, is_readable = {}, {}, True
    for path in folder.iterdir() if folder.is_dir() else ():
        number, _, kind = path.name.partition(".")
        if not number.isdigit():
            continue
        if kind == "json":
            commits[int(number)] = path
        elif kind == "checkpoint.parquet":
            checkpoints[int(number)] = path
        elif kind.startswith("checkpoint."):
            is_readable = False
    return _LogFiles(folder, commits, checkpoints, is_readable)


def is_table(folder: Path) -> bool:
    """Whether the folder holds a table: a first write that was killed leaves a log without a commit."""
    files = _list_log(folder)
    return bool(files.commits or files.checkpoints)


def read_table_log(table: Path) -> TableLog:
    """Read the log of the table in the folder; DamagedFileError if it cannot be read."""
    return _read(table, _list_log(table))


def read_short_log(table: Path, *, most_bytes: int | None = None) -> TableLog | None:
    """The same; None where it is longer than so many bytes, or has checkpoints that only Delta reads."""
    files = _list_log(table)
    is_short = most_bytes is None or files.bytes <= most_bytes
    return _read(table, files) if files.is_readable and is_short else None


def _read(table: Path, files: _LogFiles) -> TableLog:
    since, later = files.since, files.later
    if later != list(range(since + 1, since + 1 + len(later))) or not (later or files.checkpoints):
        raise DamagedFileError(
            f"{files.folder}: commits are missing between version {since} and {max(later, default=since)}. "
            "Restore the files from a copy."
        )
    active: dict[tuple[str, str], dict[str, Any]] = {}
    newest: dict[str, dict[str, Any]] = {}
    actions = _checkpointed(files.checkpoints[since]) if files.checkpoints else iter(())
    later_actions = (action for version in later for action in read_commit(files.commits[version]))
    for action in itertools.chain(actions, later_actions):
        if add := action.get("add"):
            active[_key(add)] = add
        elif remove := action.get("remove"):
            active.pop(_key(remove), None)
        else:
            newest |= {kind: told for kind in _TOLD if (told := action.get(kind))}
    metadata, properties = newest["metaData"], dict(newest["metaData"]["configuration"])
    counts = [_rows(add) for add in active.values()]
    return TableLog(
        version=max(later, default=since),
        rows=None if None in counts else sum(count or 0 for count in counts),
        files=[table / unquote(path) for path, _ in active],
        properties=properties,
        schema=metadata["schemaString"],
        is_plain=not metadata["partitionColumns"]
        and properties.get("delta.columnMapping.mode", "none") == "none"
        and _HARMLESS.issuperset(newest["protocol"].get("readerFeatures") or ())
        and all(_lies_plain(add) for add in active.values()),
    )


def newest_version(table: Path) -> int:
    """Newest version of the table in the folder; DamagedFileError if its commit is cut short."""
    commits = _list_log(table).commits
    version = max(commits)
    read_commit(commits[version])
    return version


def read_commit(path: Path) -> list[dict[str, Any]]:
    """Actions of one commit; DamagedFileError if it is cut short or altered."""
    try:
        # Only a line feed ends an action: statistics hold other separators of lines as they are.
        lines = path.read_text(encoding="utf-8").split("\n")
        actions = [json.loads(line) for line in lines if line]
    except ValueError:
        actions = []
    if not actions:
        raise DamagedFileError(
            f"{path} is cut short or altered. Nothing was written. Restore the file from a copy; without one, remove "
            "it and what it added is gone: the table is as the version before left it."
        )
    return actions


def _checkpointed(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from pq.read_table(path, columns=list(_ACTIONS)).to_pylist(maps_as_pydicts="strict")
    except (pa.ArrowInvalid, OSError):
        raise DamagedFileError(f"{path} is cut short or altered. Restore it from a copy.") from None


def _key(action: dict[str, Any]) -> tuple[str, str]:
    """A file is the same one only with the same deletion vector."""
    vector = action.get("deletionVector") or {}
    return action["path"], f"{vector.get('pathOrInlineDv')}@{vector.get('offset')}"


def _lies_plain(add: dict[str, Any]) -> bool:
    """Whether a file lies in the folder of its table, and all of its rows count."""
    path = add["path"]
    return not (add.get("deletionVector") or path.startswith("/") or ":" in path)


def _rows(add: dict[str, Any]) -> int | None:
    written = json.loads(add.get("stats") or "{}").get("numRecords")
    deleted = (add.get("deletionVector") or {}).get("cardinality") or 0
    return None if written is None else int(written) - int(deleted)
