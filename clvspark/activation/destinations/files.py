"""Files with a manifest; nothing half-written is ever visible."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from pyarrow import parquet
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema

from clvspark.activation.destinations.sender import Delivery, ExportedFile, Receipt, accept_all
from clvspark.activation.destinations.settings import FileDestination
from clvspark.lakehouse.errors import DeliveryError
from clvspark.lakehouse.folders import building_folder, make_private_folder, swap_folder


def send_files(lines: DataFrame, delivery: Delivery) -> Receipt:
    """Write ``<folder>/<destination>/<delivery>/<audience>.<format>`` and ``manifest.json``, for their owner only.

    The lines of a file are in the order of their addresses. The delivery is built beside its place and put there when
    all rows are in its files; a folder that an interrupted run left there is replaced. Of a mirror each file is a whole
    list, also one of nobody. Raises DeliveryError where rows are missing.
    """
    destination: FileDestination = delivery.destination
    final = delivery.folder / destination.id / delivery.name
    work = building_folder(final)
    shutil.rmtree(work, ignore_errors=True)
    make_private_folder(work)
    parts = (work / "parts").absolute()
    _write_parts(lines, parts, destination)
    files = [_name_part(part, work, final.name, destination) for part in _parts(parts)]
    counts = lines.groupBy("audience_id").count().collect()
    _refuse_missing_rows({row["audience_id"]: row["count"] for row in counts}, files, delivery)
    shutil.rmtree(parts, ignore_errors=True)
    if destination.mode == "mirror":
        known = {file.audience_id for file in files}
        empty = [name for name in destination.audiences if name not in known]
        files += [_write_empty(name, lines, work, final.name, destination) for name in empty]
    _write_manifest(work, delivery, files)
    swap_folder(final)
    return Receipt(accept_all(lines), files)


def _write_parts(lines: DataFrame, parts: Path, destination: FileDestination) -> None:
    order = ("audience_id", destination.address_column, "outbox_id")
    # Sorted in the one task that writes: an order from before it would be lost.
    ordered = lines.coalesce(1).sortWithinPartitions(*order)
    writer = ordered.write.partitionBy("audience_id")
    writer = writer.option("maxRecordsPerFile", destination.max_rows_per_file)
    if destination.format == "csv":
        writer.option("header", True).option("escape", '"').csv(parts.as_uri())
    elif destination.format == "jsonl":
        writer.option("ignoreNullFields", False).json(parts.as_uri())
    else:
        writer.parquet(parts.as_uri())


def _parts(folder: Path) -> list[tuple[str, int, Path]]:
    """(audience, number, path) of every part file."""
    found = []
    for audience in sorted(folder.glob("audience_id=*")):
        for number, part in enumerate(sorted(audience.glob("part-*"))):
            found.append((audience.name.split("=", 1)[1], number, part))
    return found


def _name_part(
    part: tuple[str, int, Path], work: Path, delivery: str, destination: FileDestination
) -> ExportedFile:
    audience, number, path = part
    name = f"{audience}{f'_{number}' if number else ''}.{destination.format}"
    path.chmod(0o600)
    target = path.rename(work / name)
    sha256, lines = _digest(target)
    if destination.format == "parquet":
        rows = parquet.read_metadata(target).num_rows
    else:
        rows = lines - (destination.format == "csv")
    return ExportedFile(audience, delivery, name, rows, sha256)


def _digest(path: Path) -> tuple[str, int]:
    """SHA-256 and number of lines of a file."""
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    return digest.hexdigest(), lines


def _write_empty(
    audience: str, lines: DataFrame, work: Path, delivery: str, destination: FileDestination
) -> ExportedFile:
    """A list of nobody: what was on it is to go."""
    path = work / f"{audience}.{destination.format}"
    path.touch(mode=0o600)
    rows = lines.drop("audience_id")
    if destination.format == "csv":
        path.write_text(",".join(rows.columns) + "\n", encoding="utf-8")
    elif destination.format == "parquet":
        parquet.write_table(to_arrow_schema(rows.schema).empty_table(), path)
    return ExportedFile(audience, delivery, path.name, 0, _digest(path)[0])


def _refuse_missing_rows(
    wanted: dict[str, int], files: list[ExportedFile], delivery: Delivery
) -> None:
    """On a cluster whose machines do not share the folder, parts stay where the executors wrote them."""
    written = dict.fromkeys(wanted, 0)
    for file in files:
        written[file.audience_id] = written.get(file.audience_id, 0) + file.rows
    if written == wanted:
        return
    short = ", ".join(
        f"{name} {rows} of {wanted.get(name, 0)}"
        for name, rows in sorted(written.items())
        if rows != wanted.get(name, 0)
    )
    raise DeliveryError(
        f"activation.exports: {delivery.destination.id} has not all its rows in {delivery.folder} ({short}). Nothing "
        "was marked as delivered. Spark's executors must write to the same folder that the driver reads: set "
        "activation.exports to a folder that all machines share, then run: clvspark activate"
    )


def _write_manifest(work: Path, delivery: Delivery, files: list[ExportedFile]) -> None:
    destination: FileDestination = delivery.destination
    manifest = {
        "destination": destination.id,
        "as_of_date": str(delivery.as_of),
        "batch": delivery.batch,
        "mode": destination.mode,
        "format": destination.format,
        "identifier": destination.address_column,
        "files": [
            {"name": f.name, "audience_id": f.audience_id, "rows": f.rows, "sha256": f.sha256}
            for f in files
        ],
        "audiences": [{"audience_id": name, **counts} for name, counts in delivery.counts.items()],
    }
    path = work / "manifest.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
