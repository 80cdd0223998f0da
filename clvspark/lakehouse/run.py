"""One run of one stage: what it read and wrote, and whether it had anything to do."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, cached_property
from importlib import metadata, resources
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel
from pyspark.sql import DataFrame

from clvspark.lakehouse.partitions import spread
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.lakehouse.table import Table

if TYPE_CHECKING:
    from clvspark.lakehouse.lake import Lakehouse
    from clvspark.lakehouse.run_log import LastRun

_WARNING = "warning: "
Status = Literal["success", "unchanged", "failed"]


@dataclass(frozen=True)
class RunReport:
    """What a stage did: seconds, rows by table, and named metrics."""

    stage: str
    status: Status
    seconds: float
    rows: dict[str, int] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What the stage warned of."""
        return warnings_among(self.metrics)


class Run:
    """Context of one stage; writes go through it so that the run log knows them.

    A run is current, and its stage has nothing to do, when the last successful run of the same stage and
    `as_of` saw the same configuration, code, input files and input table versions, and its outputs are
    still at the versions it left.
    """

    def __init__(
        self,
        lake: Lakehouse,
        stage: str,
        as_of: date | None,
        config: BaseModel,
        reads: Sequence[Table],
        writes: Sequence[Table],
        also: Mapping[str, str],
    ) -> None:
        """Take the fingerprint of everything that the stage depends on.

        Raises DamagedFileError if the log of a local table that it reads or writes is cut short.
        """
        self.lake, self.stage, self.as_of = lake, stage, as_of
        for table in writes:
            lake.storage.verify(table.name)  # before the first of them is written
        self.run_id = str(uuid.uuid4())
        self.started_at = datetime.now(UTC)
        self.input_versions = {t.name: lake.log.version(t) for t in reads if lake.exists(t)}
        self.basis = _digest(
            stage,
            config.model_dump(mode="json"),
            lake.config.currency,
            code_digest(),
            library_versions(),
        )
        self.fingerprint = _digest(self.basis, str(as_of), self.input_versions, dict(also))
        self._reads = reads
        self._writes = {table.name: table for table in writes}
        self._clock = time.monotonic()
        self._rows: dict[str, int] = {}
        self._metrics: dict[str, float] = {}
        self.is_current = self._has_nothing_to_do()
        self.report = RunReport(stage, "unchanged", 0.0)

    def _has_nothing_to_do(self) -> bool:
        last = self.lake.log.last_success(self.stage, self.as_of)
        if last is None or last.fingerprint != self.fingerprint or self.lake.log.force:
            return False
        return all(
            self.lake.log.version(t) == last.output_versions.get(n) for n, t in self._writes.items()
        )

    @cached_property
    def predecessor(self) -> LastRun | None:
        """The newest successful run of the stage, for whatever date, if this one may build upon what it left.

        None where configuration or code were other ones, or where its tables were not as it left them when this was
        first asked; ask before anything is written.
        """
        last = self.lake.log.newest_success(self.stage)
        if last is None or last.basis != self.basis or self.lake.log.force:
            return None
        versions = {name: self.lake.log.version(table) for name, table in self._writes.items()}
        return last if versions == last.output_versions else None

    def __enter__(self) -> Self:
        """Announce the stage; its shuffles fit the tables that it reads.

        Tables that keep every date are no measure: a stage works on one of their dates.
        """
        self.lake.progress(self.stage, "")
        rows = (self.lake.storage.rows(t.name) for t in self._reads if "as_of_date" not in t.names)
        spread(self.lake.spark, max((count or 0 for count in rows), default=0))
        return self

    def step(self, name: str) -> None:
        """Announce a step of long work."""
        self.lake.progress(self.stage, name)

    def metric(self, name: str, value: float) -> None:
        """Record a number of this run; it is kept in ops.metric."""
        self._metrics[name] = float(value)

    def warn(self, text: str) -> None:
        """Tell people something that does not stop the run: what, where, next step; kept in ops.metric."""
        self.metric(_WARNING + text, 1)

    def overwrite(
        self, table: Table, df: DataFrame, *, where: str | None = None, cached: bool = False
    ) -> int:
        """Replace a table of this stage, or its rows for which `where` holds."""
        self.step(table.name)
        return self._wrote(table, self.lake.overwrite(table, df, where=where, cached=cached))

    def overwrite_all(
        self, frames: Mapping[Table, DataFrame], *, where: str | None = None, cached: bool = False
    ) -> None:
        """Replace several tables at once; none is written before all are verified."""
        verified = self.lake.verify_all(frames, where=where, cached=cached)

        def write(table: Table) -> None:
            rows, count = verified[table]
            self.step(table.name)
            self._wrote(table, self.lake.overwrite(table, rows, where=where, verified=count))

        side_by_side(write, verified)

    def renew(self, table: Table, df: DataFrame) -> int:
        """Bring a table of this stage to the rows of `df`; only what differs is written."""
        self.step(table.name)
        return self._wrote(table, self.lake.renew(table, df))

    def create(self, *tables: Table) -> None:
        """Write those tables of this stage that are not there yet, without rows."""
        absent = [table for table in tables if not self.lake.exists(table)]
        self.overwrite_all({t: self.lake.read_or_empty(t) for t in absent})

    def append(self, table: Table, df: DataFrame) -> int:
        """Add rows to a table of this stage."""
        self.step(table.name)
        return self._wrote(table, self.lake.append(table, df))

    def merge(
        self, table: Table, df: DataFrame, *, gone: DataFrame | None = None, again: bool = False
    ) -> int:
        """Insert, update and delete rows of a table of this stage.

        `again` says that they are rows which this run has written before; the report counts a row once.
        """
        self.step(table.name)
        rows = self.lake.merge(table, df, gone=gone)
        return self._wrote(table, rows, self._rows.get(table.name, 0) if again else 0)

    def merge_all(self, frames: Mapping[Table, tuple[DataFrame, DataFrame | None]]) -> None:
        """Merge into several tables at once: rows to insert or update, and rows whose keys are deleted."""
        side_by_side(lambda item: self.merge(item[0], item[1][0], gone=item[1][1]), frames.items())

    def _wrote(self, table: Table, rows: int, known: int = 0) -> int:
        if table.name not in self._writes:
            raise ValueError(f"stage {self.stage} did not declare that it writes {table.name}")
        self._rows[table.name] = self._rows.get(table.name, 0) + max(rows - known, 0)
        self.lake.log.forget_version(table)
        return rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Put the run into the run log, also when it failed."""
        status: Status = "failed" if kind else "unchanged" if self.is_current else "success"
        seconds = time.monotonic() - self._clock
        self.report = RunReport(self.stage, status, seconds, self._rows, self._metrics)
        outputs = {
            n: self.lake.log.version(t) for n, t in self._writes.items() if self.lake.exists(t)
        }
        self.lake.log.record(self, self.report, outputs, kind.__name__ if kind else None)


def warnings_among(names: Iterable[str]) -> list[str]:
    """Warnings among the names of metrics."""
    return [name.removeprefix(_WARNING) for name in names if name.startswith(_WARNING)]


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@cache
def library_versions(package: str = "clvspark") -> dict[str, str]:
    """Versions of the libraries that the package always needs; another one may count otherwise."""
    needs = [need for need in metadata.requires(package) or () if "extra ==" not in need]
    names = [re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in needs]
    return {name: metadata.version(name) for name in names}


@cache
def code_digest(package: str = "clvspark") -> str:
    """Digest of a package's own sources, so that changed code is never taken for an unchanged run."""
    digest = hashlib.sha256()
    with resources.as_file(resources.files(package)) as folder:
        for source in sorted(folder.rglob("*")):
            if source.suffix in {".py", ".j2", ".css", ".js"}:
                digest.update(source.read_bytes())
    return digest.hexdigest()
