"""Write a destination's pending instructions as files with a manifest; nothing half-written is ever visible."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from clvspark.activation.config import FileDestination
from clvspark.privacy.identifiers import hash_identifier

MAX_ROWS_PER_FILE = 5_000_000
_SUFFIX = {"csv": "csv", "jsonl": "jsonl"}


@dataclass(frozen=True)
class ExportedFile:
    """One file of a delivery."""

    audience_id: str
    name: str
    rows: int
    sha256: str


def address_instructions(
    instructions: DataFrame, contacts: DataFrame, destination: FileDestination
) -> DataFrame:
    """Give every instruction its ``address``: today's for an add, the one once told for a removal.

    In: instructions of the destination, as activation.outbox; contacts: one row a person with the identifier.
    """
    today = contacts.select("person_id", F.col(destination.identifier).alias("_today"))
    added = F.col("operation") == "add"
    address = F.when(added, F.col("_today")).otherwise(F.coalesce("address", "_today"))
    joined = instructions.join(today, on="person_id", how="left")
    return joined.withColumn("address", address).drop("_today")


def build_payload(
    instructions: DataFrame, held: DataFrame, contacts: DataFrame, destination: FileDestination
) -> DataFrame:
    """Rows of the export: operation, identifier as the destination wants it, value facts.

    In: instructions with their address; held: ``audience_id, address`` of everyone who is on a list now;
    contacts: one row a person with clv and ``clv_decile``. Out: one row an audience and address: two persons of
    a household with one e-mail are one entry of the list, which stays while one of them does.
    """
    name = f"{destination.identifier}_sha256" if destination.hashed else destination.identifier
    shown = hash_identifier(F.col("address")) if destination.hashed else F.col("address")
    entry = ["audience_id", "address"]
    stays = held.select(*entry).distinct().withColumn("_stays", F.lit(True))
    values = contacts.select("person_id", "clv", "clv_decile", "lifecycle_stage")
    joined = (
        instructions.where("address IS NOT NULL")
        .join(stays, on=entry, how="left")
        .where("operation = 'add' OR _stays IS NULL")
        .join(values, on="person_id", how="left")
    )
    best = Window.partitionBy(*entry).orderBy(F.desc_nulls_last("clv"), "outbox_id")
    return (
        joined.withColumn("_rank", F.row_number().over(best))
        .where("_rank = 1")
        .select(
            "audience_id",
            "outbox_id",
            "operation",
            shown.alias(name),
            "clv_decile",
            F.round("clv", 2).alias("clv"),
            "lifecycle_stage",
        )
    )


def export_files(
    payload: DataFrame, folder: Path, destination: FileDestination, *, as_of: date
) -> list[ExportedFile]:
    """Write ``<folder>/<destination>/<as_of>/<audience>.<format>`` and ``manifest.json``.

    Spark writes to a temporary sibling, which is renamed when the manifest is complete; a second run of the same
    date replaces the first.
    """
    final = folder / destination.id / str(as_of)
    work = folder / destination.id / f".{as_of}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    ordered = payload.orderBy("audience_id", "outbox_id").coalesce(1)
    writer = ordered.write.partitionBy("audience_id").option("maxRecordsPerFile", MAX_ROWS_PER_FILE)
    if destination.format == "csv":
        writer.option("header", True).option("escape", '"').csv(str(work / "parts"))
    else:
        writer.option("ignoreNullFields", False).json(str(work / "parts"))
    files = [_name_part(part, work, destination) for part in _parts(work / "parts")]
    shutil.rmtree(work / "parts")
    _write_manifest(work, destination, as_of, files)
    shutil.rmtree(final, ignore_errors=True)
    work.rename(final)
    return files


def _parts(folder: Path) -> list[tuple[str, int, Path]]:
    """(audience, number, path) of every part file."""
    found = []
    for audience in sorted(folder.glob("audience_id=*")):
        for number, part in enumerate(sorted(audience.glob("part-*"))):
            found.append((audience.name.split("=", 1)[1], number, part))
    return found


def _name_part(
    part: tuple[str, int, Path], work: Path, destination: FileDestination
) -> ExportedFile:
    audience, number, path = part
    name = f"{audience}{f'_{number}' if number else ''}.{_SUFFIX[destination.format]}"
    path.chmod(0o600)
    target = path.rename(work / name)
    digest, lines = hashlib.sha256(), 0
    with target.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            lines += block.count(b"\n")
    return ExportedFile(audience, name, lines - (destination.format == "csv"), digest.hexdigest())


def _write_manifest(
    work: Path, destination: FileDestination, as_of: date, files: list[ExportedFile]
) -> None:
    manifest = {
        "destination": destination.id,
        "as_of_date": str(as_of),
        "format": destination.format,
        "identifier": f"{destination.identifier}_sha256"
        if destination.hashed
        else destination.identifier,
        "files": [
            {"name": f.name, "audience_id": f.audience_id, "rows": f.rows, "sha256": f.sha256}
            for f in files
        ],
    }
    (work / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
