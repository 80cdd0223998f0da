"""The one interface of all destinations: lines in, an outcome for each of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal, Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# accepted: the destination has it; rejected: it will never take it; failed: it may take it another time;
# waiting: it was not tried, as the destination is down or the time of the run was over.
Outcome = Literal["accepted", "rejected", "failed", "waiting"]
OUTCOMES = "outbox_id string, outcome string, error string"


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
    destination : its settings.
    folder : where files are written to, for those that are.
    batch : number of the delivery to the destination on the date.
    counts : ``persons_added, persons_removed, entries_added, entries_removed`` by audience.
    """

    destination: Any
    as_of: date
    folder: Path = Path()
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


@dataclass(frozen=True)
class Receipt:
    """What became of a delivery.

    Parameters
    ----------
    outcomes : ``outbox_id, outcome, error`` of each line, kept in memory: reading it sends nothing again.
    """

    outcomes: DataFrame
    files: Sequence[ExportedFile] = ()


class Sender(Protocol):
    """Tells one destination.

    In: lines of `build_lines`, kept in memory. Sending happens where the lines are, not on the driver. A line that was
    sent before is sent under the same ``outbox_id``. Raises DeliveryError where the destination as a whole is out of
    reach; what it has received nevertheless, it will receive again.
    """

    def __call__(self, lines: DataFrame, delivery: Delivery) -> Receipt:
        """Send the lines, and say what became of each."""
        ...


def accept_all(lines: DataFrame) -> DataFrame:
    """Outcomes of a delivery that was taken as a whole."""
    return lines.select(
        "outbox_id", F.lit("accepted").alias("outcome"), F.lit(None).cast("string").alias("error")
    )
