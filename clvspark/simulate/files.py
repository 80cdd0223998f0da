"""Write DataFrames as the plainly named files that source systems drop, and swap folders whole."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
from pyspark.sql import DataFrame

from clvspark.lakehouse.errors import OutputExistsError
from clvspark.lakehouse.folders import building_folder, recover_folder, swap_folder

_FORMATS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    ".csv": ("csv", {"header": True, "escape": '"', "emptyValue": "",
                     "ignoreLeadingWhiteSpace": False, "ignoreTrailingWhiteSpace": False}),
    ".jsonl": ("json", {}),
    ".parquet": ("parquet", {}),
}  # fmt: skip


# What a simulation leaves, and how it is known to be one.
MADE: Final = {"landing", "truth"}
MANIFEST: Final = "truth/manifest.json"


@dataclass(frozen=True)
class DropFolder:
    """A folder under construction; `parts` files per data set keep large ones splittable."""

    root: Path
    parts: int

    def write(self, frame: DataFrame, name: str, *, order: tuple[str, ...]) -> dict[str, int]:
        """Write the frame as `name` (suffix decides the format); return rows per file.

        Rows are spread by the hash of the first order column and sorted, so that the files are
        the same under any partitioning.
        """
        spread = frame.repartition(self.parts, order[0]).sortWithinPartitions(*order)
        target = self.root / name
        staged = self._stage(spread, target)
        return self._rename(sorted(staged.glob("part-*")), target, staged)

    def write_by(
        self, frame: DataFrame, name: str, *, by: str, order: tuple[str, ...]
    ) -> dict[str, int]:
        """Write one file (or `parts` files) per value of the column `by`, put into `name`'s {}."""
        spread = frame.repartition(frame.sparkSession.sparkContext.defaultParallelism, by)
        if self.parts > 1:
            spread = frame.repartition(self.parts, order[0])
        target = self.root / name
        staged = self._stage(spread.sortWithinPartitions(by, *order), target, by)
        counts: dict[str, int] = {}
        for folder in sorted(staged.glob(f"{by}=*")):
            value = folder.name.partition("=")[2]
            files = sorted(folder.glob("part-*"))
            counts |= self._rename(files, target.with_name(target.name.format(value)), folder)
        shutil.rmtree(staged)
        return counts

    def _stage(self, frame: DataFrame, target: Path, by: str | None = None) -> Path:
        staged = self.root / f".staged-{uuid.uuid4().hex}"
        format_name, options = _FORMATS[target.suffix]
        writer = frame.write.format(format_name).options(**options)
        if by is not None:
            writer = writer.partitionBy(by)
        writer.save(staged.as_uri())
        return staged

    def _rename(self, files: list[Path], target: Path, staged: Path) -> dict[str, int]:
        target.parent.mkdir(parents=True, exist_ok=True)
        counts = {}
        for number, file in enumerate(files):
            suffix = "" if len(files) == 1 else f"_{number:02d}"
            path = target.with_name(f"{target.stem}{suffix}{target.suffix}")
            file.rename(path)
            counts[str(path.relative_to(self.root))] = count_rows(path)
        shutil.rmtree(staged)
        return counts


def count_rows(path: Path) -> int:
    """Count the data rows of a file without parsing it: no field holds a line break."""
    if path.suffix == ".parquet":
        return int(pq.read_metadata(path).num_rows)
    with path.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return lines - 1 if path.suffix == ".csv" else lines


@contextmanager
def replaced_folder(out: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a sibling folder that becomes `out` when the block ends well, and is removed if not.

    Raises OutputExistsError if `out` holds anything and `overwrite` is false, or anything that is not of a simulation.
    """
    if out.is_dir() and any(out.iterdir()) and not overwrite:
        raise OutputExistsError(
            f"{out} is not empty. Choose another folder, or replace what is there: --overwrite"
        )
    if out.is_dir() and (others := sorted(_names_of_others(out))):
        raise OutputExistsError(
            f"{out} holds {', '.join(others[:3])}, which no simulation has made. Choose another folder: nothing but a "
            "simulation is overwritten"
        )
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"{out} is a file; the simulated drops need a folder")
    recover_folder(out)
    building = building_folder(out)
    building.mkdir(parents=True)
    try:
        yield building
        swap_folder(out)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _names_of_others(out: Path) -> set[str]:
    """What is in the folder beside a simulation; all of it where the truth of one is missing."""
    found = {path.name for path in out.iterdir()}
    return found - MADE if (out / MANIFEST).is_file() else found
