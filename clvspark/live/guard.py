"""Whether the stream may go on where it stopped: its checkpoint, and the tables as it left them.

The checkpoint says what has been taken, the tables hold what came of it. Where one of them is not the one that the
other was written with, going on would lose what came between, or tell it twice; so it is refused, with what to do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import CheckpointError
from clvspark.lakehouse.files import list_files, literal, read_first_line, write_line
from clvspark.lakehouse.run_log import MICRO_BATCH
from clvspark.sources.tables import EVENT, FILE

_AFRESH = (
    "Next step: put the copy of the {what} back that was made with the other; or begin again: clvspark run, which "
    "brings every table up to the landing files, then: clvspark stream --restart. It takes what comes from then on; "
    "events that are known count once, however often they come."
)
# Beside the folders of Spark in the checkpoint: number and digest of the files of the micro-batch that was begun last.
_PAYLOAD = "clvspark_files"
# Accounts of what was decided without a micro-batch, as persons had changed, are of this query.
RELINKED = " relinked"


@dataclass(frozen=True)
class LastBatch:
    """The newest micro-batch that the tables know of."""

    query_id: str
    batch_id: int
    versions: dict[str, int]
    link_version: int | None


def read_last_batch(lake: Lakehouse) -> LastBatch | None:
    """The newest row of ops.micro_batch; None where no stream has written."""
    if not lake.exists(MICRO_BATCH):
        return None
    columns = F.struct("query_id", "batch_id", "table_versions")
    batches = lake.read(MICRO_BATCH)
    is_batch = ~F.endswith("query_id", F.lit(RELINKED))
    row, links = batches.agg(
        F.max_by(F.when(is_batch, columns), F.when(is_batch, F.col("ended_at"))),
        F.max_by("link_version", "ended_at"),
    ).collect()[0]
    if row is None:
        return None
    versions = {name: found for name, found in json.loads(row[2]).items() if found is not None}
    return LastBatch(row[0], row[1], versions, links)


def refuse_other_state(lake: Lakehouse, checkpoint: str, last: LastBatch | None) -> None:
    """CheckpointError where the checkpoint or a table is not the one that the stream has left."""
    if last is None:
        return
    found = read_query_id(lake, checkpoint)
    if found is None:
        raise CheckpointError(
            f"The checkpoint {checkpoint} is gone, and the tables hold {last.batch_id + 1:,} micro-batches of it. "
            + _AFRESH.format(what="checkpoint")
        )
    if found != last.query_id:
        raise CheckpointError(
            f"The checkpoint {checkpoint} is another one than that of the newest micro-batch in the tables. "
            + _AFRESH.format(what="checkpoint")
        )
    begun = _newest_number(lake, f"{checkpoint}/offsets")
    if begun < last.batch_id:
        raise CheckpointError(
            f"The checkpoint {checkpoint} is an old copy: it knows of {begun + 1:,} micro-batches, the tables hold "
            f"{last.batch_id + 1:,}. " + _AFRESH.format(what="checkpoint")
        )
    for name, version in sorted(last.versions.items()):
        _refuse_restored(lake, name, version)


def _refuse_restored(lake: Lakehouse, name: str, version: int) -> None:
    now = lake.version(lake.tables[name])
    if now is None or now < version:
        raise CheckpointError(
            f"{name} is at version {now}; the stream left it at {version}. "
            + _AFRESH.format(what="tables")
        )
    # Delta writes that as a version of its own, and keeps the transactions that it takes back: what was written under
    # them would be skipped.
    if now > version and _was_restored(lake, name, version):
        raise CheckpointError(
            f"{name} was restored to an earlier version after the stream left it at {version}. "
            + _AFRESH.format(what="tables")
        )


def _was_restored(lake: Lakehouse, name: str, version: int) -> bool:
    history = lake.storage.delta(name).history().where(F.col("version") > version)
    return not history.where("operation = 'RESTORE'").isEmpty()


def refuse_other_files(lake: Lakehouse, checkpoint: str, number: int, files: Sequence[str]) -> None:
    """CheckpointError where a micro-batch that was begun before had other files, or files of another size or age.

    Some of its tables may hold what those said, and their transactions would skip what these say. In: a text for each
    file, which is the same one as long as its content is. Asked before anything of the batch is written.
    """
    digest = hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()
    now = f"{number} {digest}"
    was = _read_begun(lake, checkpoint)
    if was == now:
        return
    if was is not None and int(was.split()[0]) == number:
        raise CheckpointError(
            f"Files of micro-batch {number:,} were changed after it was begun, and before it was written whole. What "
            "they said first may be in some tables already. Next step: clvspark run, which brings every table up to "
            "the landing files as they are now, then: clvspark stream --restart. Land what changes as a new file."
        )
    write_line(lake.spark, f"{checkpoint}/{_PAYLOAD}", now)


def find_version_before(lake: Lakehouse, checkpoint: str, last: LastBatch | None) -> int | None:
    """Version of sources.event before a micro-batch that was begun and not written whole; None where there is none.

    What such a batch has written is no news to it when it is taken again, and no copy of it either.
    """
    if last is None or lake.version(FILE) != last.versions.get(FILE.name):
        return None
    begun = _read_begun(lake, checkpoint)
    is_begun = begun is not None and int(begun.split()[0]) > last.batch_id
    return last.versions.get(EVENT.name) if is_begun else None


def _read_begun(lake: Lakehouse, checkpoint: str) -> str | None:
    """Number and digest of the files of the micro-batch that was begun last."""
    name = f"{checkpoint}/{_PAYLOAD}"
    return read_first_line(lake.spark, name) if list_files(lake.spark, literal(name)) else None


def read_query_id(lake: Lakehouse, checkpoint: str) -> str | None:
    """Id of the query that a checkpoint is of; None where there is no checkpoint."""
    name = f"{checkpoint}/metadata"
    if not list_files(lake.spark, literal(name)):
        return None
    line = read_first_line(lake.spark, name)
    return str(json.loads(line)["id"]) if line else None


def _newest_number(lake: Lakehouse, folder: str) -> int:
    names = [file.name for file in list_files(lake.spark, f"{literal(folder)}/*")]
    return max((int(name) for name in names if name.isdigit()), default=-1)


def set_aside(checkpoint: str, query_id: str) -> None:
    """Move the checkpoint away, so that the next start begins a new one."""
    folder = Path(checkpoint)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}_{query_id}"))
