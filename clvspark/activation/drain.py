"""Empty the outbox: each destination by itself, so that one that is slow or broken stalls nobody."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig
from clvspark.activation.destinations.sender import Delivery, ExportedFile, Receipt
from clvspark.activation.destinations.senders import SENDERS
from clvspark.activation.destinations.settings import AnyDestination
from clvspark.activation.due import count_waiting, is_due, next_batch
from clvspark.activation.lines import build_lines, count_operations, show_lines
from clvspark.activation.outbox import list_held
from clvspark.activation.settle import bury_dead, log_lines, match_lines, settle_instructions
from clvspark.activation.tables import DEAD_LETTER, DELIVERY, OUTBOX, SYNC_LOG
from clvspark.lakehouse import Lakehouse, Run
from clvspark.lakehouse.errors import ClvsparkError, ConfigError, DeliveryError, StorageError
from clvspark.lakehouse.logs import redact
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.privacy.erase import purge_deleted

OUTCOMES = ("accepted", "rejected", "failed", "waiting")
# What a destination may fail with; anything else is a fault of ours and ends the run.
_FAILURES = (DeliveryError, ConfigError, StorageError, PySparkException, Py4JJavaError, OSError)


@dataclass(frozen=True)
class Drained:
    """What was told: the newest file by destination and audience, entries and failures by destination."""

    files: dict[tuple[str, str], str] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Told:
    """What one destination was told; without outcomes it was out of reach as a whole."""

    destination: AnyDestination
    lines: DataFrame
    settled: DataFrame
    outcomes: DataFrame
    files: Sequence[ExportedFile]
    failure: str | None


def drain(
    run: Run,
    lake: Lakehouse,
    config: ActivationConfig,
    contacts: Callable[[], DataFrame],
    as_of: date,
) -> Drained:
    """Tell every destination what waits for it, and write what came of it as soon as it is known.

    Files come first, together, as they wait for nobody; then all other destinations at the same time, and last those
    that failed before. `contacts` passes the gate again where somebody has refused meanwhile, before each of the three.
    A delivery of files is never written again: what is to be told later on the same date is a delivery of its own.
    Without anything to tell, the first one of a date is a manifest that says so. A destination that fails is a warning;
    the others' deliveries stand.
    """
    emptying = _Emptying(run, lake, config, as_of)
    near = [d for d in config.destinations if d.kind == "file"]
    if near:
        tell, due = emptying.prepare(contacts(), near)
        emptying.record(side_by_side(tell, due))
    far = [d for d in config.destinations if d.kind != "file"]
    if far:
        tell, due = emptying.prepare(contacts(), far)
        doubtful = [d for d in due if emptying.has_failed(d)]
        emptying.tell_each(tell, [d for d in due if d not in doubtful])
        if doubtful:
            tell, due = emptying.prepare(contacts(), doubtful)
            emptying.tell_each(tell, due)
    emptying.finish()
    return emptying.drained


@dataclass
class _Emptying:
    """One emptying of the outbox."""

    run: Run
    lake: Lakehouse
    config: ActivationConfig
    as_of: date
    drained: Drained = field(default_factory=Drained)
    _counts: dict[str, Row] = field(default_factory=dict)
    _erased: dict[str, int] = field(default_factory=dict)
    _one_writer: threading.Lock = field(default_factory=threading.Lock)

    def prepare(
        self, contacts: DataFrame, destinations: Sequence[AnyDestination]
    ) -> tuple[Callable[[AnyDestination], _Told], list[AnyDestination]]:
        """What tells a destination, from the outbox as it is now, and those of `destinations` that are due."""
        outbox = self.lake.read(OUTBOX).localCheckpoint()
        held = list_held(outbox).localCheckpoint()
        waits = count_waiting(outbox, self.lake.read_or_empty(DELIVERY), self.as_of).collect()
        self._counts = {row["destination_id"]: row for row in waits}
        due = [d for d in destinations if is_due(d, self._counts.get(d.id))]
        self._erased |= {d.id: self._counts[d.id]["erased"] for d in due if d.id in self._counts}

        def tell(destination: AnyDestination) -> _Told:
            here = F.col("destination_id") == destination.id
            waiting = outbox.where(here & (F.col("status") == "pending"))
            return self._tell(destination, waiting, held.where(here), contacts)

        return tell, due

    def tell_each(
        self, tell: Callable[[AnyDestination], _Told], destinations: Sequence[AnyDestination]
    ) -> None:
        """Tell destinations at the same time, and write what came of each as soon as it has answered."""
        at_once = max(len(destinations), 1)
        side_by_side(lambda d: self.record([tell(d)]), destinations, at_once=at_once)

    def finish(self) -> None:
        """Remove for good what deliveries have taken out of the outbox, and tell of what waits for nobody."""
        failed = set(self.drained.failed)
        erased = sum(rows for name, rows in self._erased.items() if name not in failed)
        if erased:
            purge_deleted(self.lake, OUTBOX)
            self.run.metric("erasures_delivered", erased)
        _warn_of_lists_without_destination(self.run, self.config, self._counts)

    def has_failed(self, destination: AnyDestination) -> bool:
        """Whether something that waits was tried in vain before."""
        count = self._counts.get(destination.id)
        return bool(count and count["tried"])

    def _tell(
        self,
        destination: AnyDestination,
        waiting: DataFrame,
        held: DataFrame,
        contacts: DataFrame,
    ) -> _Told:
        """Send what waits; a failure is kept, not raised."""
        self.run.step(f"telling {destination.id}")
        built = build_lines(waiting, held, contacts, destination, as_of=self.as_of)
        lines = built.localCheckpoint()
        batch = next_batch(self._counts.get(destination.id))
        folder = Path(self.config.exports)
        counts = count_operations(waiting, lines) if destination.kind == "file" else {}
        delivery = Delivery(destination, self.as_of, folder, batch, counts)
        failure: str | None = None
        try:
            receipt = SENDERS[destination.kind](show_lines(lines), delivery)
        except _FAILURES as error:
            failure = _explain(error)
            receipt = Receipt(_leave_all(lines, type(error).__name__))
        settled = settle_instructions(
            match_lines(waiting, lines, destination),
            receipt.outcomes,
            as_of=self.as_of,
            batch=batch,
            max_attempts=destination.max_attempts,
            unmatched="waiting" if failure else "accepted",
        )
        kept = settled.localCheckpoint()
        return _Told(destination, lines, kept, receipt.outcomes, receipt.files, failure)

    def record(self, told: list[_Told]) -> None:
        """Write what came of deliveries: the log first, and last the outbox, which says that all is written."""
        if not told:
            return
        with self._one_writer:
            run, as_of = self.run, self.as_of
            logs = [
                log_lines(t.lines, t.outcomes, t.destination.id, run_id=run.run_id, as_of=as_of)
                for t in told
            ]
            log = reduce(DataFrame.unionByName, logs).localCheckpoint()
            settled = reduce(DataFrame.unionByName, (t.settled for t in told))
            counted = _count_outcomes(log)
            if any(counted.values()):
                run.append(SYNC_LOG, log)
            if any(by.get("rejected") or by.get("failed") for by in counted.values()):
                run.merge(DEAD_LETTER, bury_dead(settled, as_of=as_of))
            run.merge(OUTBOX, settled.drop("_error"), again=True)
            for one in told:
                self._note(one, counted.get(one.destination.id, {}))

    def _note(self, told: _Told, counted: Mapping[str, int]) -> None:
        """Tell people what did not arrive."""
        name = told.destination.id
        self.drained.files.update({(name, file.audience_id): file.path for file in told.files})
        self.drained.entries[name] = counted.get("accepted", 0)
        if told.failure:
            self.drained.failed.append(name)
            self.run.warn(f"the destination {name!r} was told nothing: {told.failure}")
        elif missing := {what: counted[what] for what in OUTCOMES[1:] if counted.get(what)}:
            self.drained.failed.append(name)
            parts = ", ".join(f"{rows:,} {what}" for what, rows in missing.items())
            self.run.warn(
                f"the destination {name!r} did not take all lines ({parts}); the reasons are in activation.sync_log. "
                "Next step for what failed or waits: clvspark activate. What was rejected, or failed too often, is in "
                "activation.dead_letter until it is replayed."
            )


def _count_outcomes(log: DataFrame) -> dict[str, dict[str, int]]:
    """Lines by destination and status."""
    found: dict[str, dict[str, int]] = {}
    for row in log.groupBy("destination_id", "status").count().collect():
        found.setdefault(row["destination_id"], {})[row["status"]] = row["count"]
    return found


def _leave_all(lines: DataFrame, reason: str) -> DataFrame:
    """Outcomes where the destination as a whole was out of reach: no line is to blame."""
    return lines.select(
        "outbox_id", F.lit("waiting").alias("outcome"), F.lit(reason).alias("error")
    )


def _explain(error: Exception) -> str:
    """What people are told of a failure; texts that are not ours may hold what nobody should read."""
    text = str(error)
    if isinstance(error, ClvsparkError):
        return redact(text)
    # Ours as well, raised on an executor.
    if ours := re.search(rf"{DeliveryError.__name__}: (.+)", text):
        return redact(ours[1])
    return (
        f"{type(error).__name__}. Nothing of it counts as delivered. Next step: see the log of Spark, then: clvspark "
        "activate"
    )


def _warn_of_lists_without_destination(
    run: Run, config: ActivationConfig, counts: Mapping[str, Row]
) -> None:
    """Tell of destinations that are no longer configured while something waits to be told to them."""
    for name in sorted(set(counts) - {destination.id for destination in config.destinations}):
        if counts[name]["waiting"]:
            run.warn(
                f"{counts[name]['waiting']:,} instructions wait for the destination {name!r}, which is not configured "
                "any more: its list still holds people who have left it. Next step: put it back under "
                "'activation.destinations' for one run, or delete the list there by hand."
            )
