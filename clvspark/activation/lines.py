"""Write what a destination is to be told as files with a manifest; nothing half-written is ever visible."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.activation.config import FileDestination
from clvspark.lakehouse.errors import DeliveryError
from clvspark.lakehouse.folders import building_folder, make_private_folder, swap_folder
from clvspark.privacy.identifiers import hash_identifier, normalise_identifier

MAX_ROWS_PER_FILE = 5_000_000
_COUNTS = ("persons_added", "persons_removed", "entries_added", "entries_removed")


@dataclass(frozen=True)
class ExportedFile:
    """One file of a delivery."""

    audience_id: str
    delivery: str
    name: str
    rows: int
    sha256: str

    @property
    def path(self) -> str:
        """Where it lies below the destination's folder."""
        return f"{self.delivery}/{self.name}"


@dataclass(frozen=True)
class Delivery:
    """What one destination is told at once.

    Parameters
    ----------
    batch : number of the delivery to the destination on the date.
    counts : ``persons_added, persons_removed, entries_added, entries_removed`` by audience.
    """

    destination: FileDestination
    as_of: date
    batch: int = 1
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its folder: the date, from the second one of a date on with its number."""
        return str(self.as_of) if self.batch == 1 else f"{self.as_of}_{self.batch}"


def batch_of(file_name: Column) -> Column:
    """Number of the delivery that a file of it is of, see `Delivery.name`."""
    number = F.regexp_extract(file_name, r"^[0-9-]+_(\d+)/", 1)
    return F.coalesce(F.nullif(number, F.lit("")).cast("int"), F.lit(1))


def build_payload(
    instructions: DataFrame, held: DataFrame, contacts: DataFrame, destination: FileDestination
) -> DataFrame:
    """Rows of the export: operation, identifier as the destination wants it, value facts of who is added.

    In: pending instructions of the destination, as activation.outbox; held: ``audience_id, address`` of everyone
    who is on a list after them; contacts: one row a person with clv and ``clv_decile``. Out: one row an audience
    and address, with what becomes of it in the end: two persons of a household with one e-mail are one entry,
    which stays while one of them does.
    """
    shown = hash_identifier(F.col("address")) if destination.hashed else F.col("address")
    key = ["audience_id", "_entry"]
    entry = normalise_identifier(F.col("address")).alias("_entry")
    on = held.select("audience_id", entry).distinct().withColumn("_on", F.lit(True))
    values = contacts.select("person_id", "clv", "clv_decile", "lifecycle_stage")
    joined = (
        instructions.where("address IS NOT NULL")
        .withColumn("_entry", entry)
        .join(on, on=key, how="left")
        .where("operation = 'add' OR _on IS NULL")
        .join(values, on="person_id", how="left")
    )
    best = Window.partitionBy(*key).orderBy(F.desc_nulls_last("clv"), "outbox_id")
    # Of who leaves a list the destination learns nothing but that: they may have withdrawn their consent.
    stays = F.col("_on").isNotNull()
    facts = {
        "clv_decile": F.col("clv_decile"),
        "clv": F.round("clv", 2),
        "lifecycle_stage": F.col("lifecycle_stage"),
    }
    return (
        joined.withColumn("_rank", F.row_number().over(best))
        .where("_rank = 1")
        .select(
            "audience_id",
            "outbox_id",
            F.when(stays, "add").otherwise("remove").alias("operation"),
            shown.alias(destination.address_column),
            *(F.when(stays, fact).alias(name) for name, fact in facts.items()),
        )
    )


def count_operations(instructions: DataFrame, payload: DataFrame) -> dict[str, dict[str, int]]:
    """Persons and entries that are added and removed, by audience, as `Delivery` wants them.

    In: the instructions of a delivery, and the payload built from them.
    """
    counted: dict[str, dict[str, int]] = {}
    for what, rows in (("persons", instructions), ("entries", payload)):
        found = rows.groupBy("audience_id").agg(
            F.count_if(F.col("operation") == "add").alias("added"),
            F.count_if(F.col("operation") == "remove").alias("removed"),
        )
        for audience, added, removed in found.collect():
            numbers = counted.setdefault(audience, dict.fromkeys(_COUNTS, 0))
            numbers |= {f"{what}_added": added, f"{what}_removed": removed}
    return dict(sorted(counted.items()))


def export_files(payload: DataFrame, folder: Path, delivery: Delivery) -> list[ExportedFile]:
    """Write ``<folder>/<destination>/<delivery>/<audience>.<format>`` and ``manifest.json``, for their owner only.

    The lines of a file are in the order of their identifiers. The delivery is built beside its place and put there
    when all rows are in its files; a folder that an interrupted run left there is replaced. In: what `build_payload`
    made, kept in memory, as it is read twice. Raises DeliveryError where rows are missing.
    """
    destination = delivery.destination
    final = folder / destination.id / delivery.name
    work = building_folder(final)
    shutil.rmtree(work, ignore_errors=True)
    make_private_folder(work)
    order = ("audience_id", destination.address_column, "outbox_id")
    # Sorted in the one task that writes: an order from before it would be lost.
    ordered = payload.coalesce(1).sortWithinPartitions(*order)
    writer = ordered.write.partitionBy("audience_id").option("maxRecordsPerFile", MAX_ROWS_PER_FILE)
    parts = (work / "parts").absolute()
    if destination.format == "csv":
        writer.option("header", True).option("escape", '"').csv(parts.as_uri())
    else:
        writer.option("ignoreNullFields", False).json(parts.as_uri())
    files = [_name_part(part, work, final.name, destination) for part in _parts(parts)]
    counts = payload.groupBy("audience_id").count().collect()
    _refuse_missing_rows(
        {row["audience_id"]: row["count"] for row in counts}, files, folder, destination
    )
    shutil.rmtree(parts)
    _write_manifest(work, delivery, files)
    swap_folder(final)
    return files


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
    digest, lines = hashlib.sha256(), 0
    with target.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    rows = lines - (destination.format == "csv")
    return ExportedFile(audience, delivery, name, rows, digest.hexdigest())


def _refuse_missing_rows(
    wanted: dict[str, int], files: list[ExportedFile], folder: Path, destination: FileDestination
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
        f"activation.exports: {destination.id} has not all its rows in {folder} ({short}). Nothing was marked as "
        "delivered. Spark's executors must write to the same folder that the driver reads: set activation.exports "
        "to a folder that all machines share, then run: clvspark activate"
    )


def _write_manifest(work: Path, delivery: Delivery, files: list[ExportedFile]) -> None:
    destination = delivery.destination
    manifest = {
        "destination": destination.id,
        "as_of_date": str(delivery.as_of),
        "batch": delivery.batch,
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
