"""The stream as it runs: one query that decides, beside it one thread that adds up, until it is told to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import FrameType

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

from clvspark.activation.stage import FAILED
from clvspark.clv.tables import MODEL
from clvspark.config import Config
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.errors import CheckpointError, ConfigError, MissingInputError
from clvspark.lakehouse.files import is_folder
from clvspark.lakehouse.partitions import keep_few, let_go
from clvspark.lakehouse.vacuum import compact_tables, remove_old_files
from clvspark.live.arrivals import (
    find_mapping,
    land_records,
    read_arrivals,
    refuse_absent_tables,
)
from clvspark.live.decide import Account, Decider, list_relinked, note
from clvspark.live.drops import leave_taken, sort_files
from clvspark.live.explain import explain
from clvspark.live.guard import (
    RELINKED,
    LastBatch,
    find_version_before,
    read_last_batch,
    refuse_other_files,
    refuse_other_state,
    set_aside,
)
from clvspark.live.journeys import Journeys
from clvspark.live.metrics import Metrics
from clvspark.live.renew import Renewer
from clvspark.live.scene import Scene, set_scene, versions_of
from clvspark.live.status import STOP_FILE, local_checkpoint
from clvspark.live.tell import deliver, something_waits, take_off_lists
from clvspark.pipeline import STAGES
from clvspark.sources.landing import resolve_landing

COMMAND = "stream"
# What a day is begun with; the models are those of the last `fit`, which is among them where there was none.
OPENING = (
    "ingest", "resolve", "history", "fit", "score", "audiences", "moments", "learn", "decide", "activate",
)  # fmt: skip
_OPENED = ("history", "score", "audiences", "activate")
POLL_SECONDS = 1
# Between two tries to tell a destination that has failed.
_RETRY_SECONDS = 60.0


def tomorrow() -> date:
    """The first day (UTC) of which nothing is known yet, so that what happens today counts."""
    return datetime.now(UTC).date() + timedelta(days=1)


def run_stream(
    lake: Lakehouse,
    config: Config,
    *,
    as_of: date | None,
    every: str | None,
    report: Callable[[RunReport], None],
    restart: bool = False,
    clock: Callable[[], date] = tomorrow,
) -> None:
    """Take what lands, micro-batch by micro-batch, until stopped; `every` None takes what is there and returns.

    `as_of` None takes the day of each micro-batch from `clock`. A day is begun by the stages of the batch, where they
    have not run for it. Then every micro-batch decides for the persons whom it touches, and tells it; beside it
    histories and values follow (see `Renewer`). The first SIGINT or SIGTERM, or the file ``stop`` in the folder of the
    checkpoint, lets the batch at hand finish and histories catch up; the second signal interrupts. `restart` begins
    with a new checkpoint.

    Raises MissingInputError if there is no landing folder, or if a source has lost what was not taken yet; ConfigError
    if there is no place for the checkpoint; CheckpointError where checkpoint and tables do not belong together.
    """
    if not is_folder(lake.spark, landing := resolve_landing(config.sources.landing)):
        raise MissingInputError(
            f"The landing folder {landing} does not exist. Create it, or correct 'sources.landing'."
        )
    for feed in config.stream.feeds:
        find_mapping(config.sources, feed)
    refuse_absent_tables(lake, config.stream)
    checkpoint = find_checkpoint(lake, config)
    with lake.writing(COMMAND), _stop_on_signal() as stopping:
        last = read_last_batch(lake)
        if restart:
            if "://" in checkpoint:
                raise CheckpointError(
                    f"{checkpoint} lies on no local file system. Move the folder away yourself, or name another one in "
                    "'stream.checkpoint', then start again with --restart."
                )
            set_aside(checkpoint, last.query_id if last else "old")
        else:
            refuse_other_state(lake, checkpoint, last)
        stream = _Stream(lake, config, as_of, clock, report, checkpoint, last, stopping)
        stream.run(every)


def find_checkpoint(lake: Lakehouse, config: Config) -> str:
    """Folder of the checkpoint; ConfigError where there is no place for it."""
    local = local_checkpoint(config)
    if local is not None:
        return str(local)
    if config.stream.checkpoint:
        return config.stream.checkpoint
    if lake.storage.root is None:
        raise ConfigError(
            "stream.checkpoint",
            ["is required in catalog mode; name a folder that every start of the stream reaches"],
        )
    return f"{lake.storage.root}/_stream"


class _Stream:
    """One run of the stream."""

    def __init__(
        self,
        lake: Lakehouse,
        config: Config,
        as_of: date | None,
        clock: Callable[[], date],
        report: Callable[[RunReport], None],
        checkpoint: str,
        last: LastBatch | None,
        stopping: threading.Event,
    ) -> None:
        self._lake, self._config, self._report = lake, config, report
        self._day = (lambda: as_of) if as_of else clock
        self._checkpoint, self._stopping = checkpoint, stopping
        self._last = last
        self._local = None if "://" in checkpoint else Path(checkpoint)
        self._metrics = Metrics(_metrics_file(config, self._local))
        self._renewer = Renewer(lake, config, report)
        self._journeys = Journeys(lake, config, report)
        self._pool, self._messenger = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._delivery: Future[None] | None = None
        self._renewal: Future[None] | None = None
        self._renewed = self._maintained = time.monotonic()
        # Whatever decides who is on a list takes turns, whichever thread it is done by.
        self._one_at_a_time = threading.RLock()
        # Held while destinations are told; where both are held, this one was taken first.
        self._delivering = threading.Lock()
        self._faults: list[Exception] = []
        self._query_id = ""
        self._started = threading.Event()
        self._deliver_at = 0.0
        self._has_news = False

    def run(self, every: str | None) -> None:
        """Run the query to its end, and what follows of it."""
        with self._one_at_a_time:
            scene = self._open_day(self._day())
            at = find_version_before(self._lake, self._checkpoint, self._last)
            self._decider = Decider(self._lake, self._config, scene, self._warn, at)
            # Somebody may have refused before an end that left no time for what follows of it.
            self._take_off_lists()
        known = None if self._last is None else self._last.link_version
        self._links = self._decider.scene.link_version if known is None else known
        self._has_news = something_waits(self._lake, self._config.activation)
        self._forget_stop()
        arrivals = read_arrivals(self._lake, self._config.sources, self._config.stream)
        writer = arrivals.writeStream.foreachBatch(self._on_batch).queryName(COMMAND)
        writer = writer.option("checkpointLocation", self._checkpoint)
        writer = (
            writer.trigger(processingTime=every) if every else writer.trigger(availableNow=True)
        )
        with self._pool, self._messenger:
            query = writer.start()
            self._query_id = str(query.id)
            if self._last is None or self._last.query_id != self._query_id:
                # Of a new checkpoint; from now on it is the one that counts.
                note(self._lake, Account(self._query_id, -1, None, self._links), scene.as_of)
            self._started.set()
            try:
                self._await_end(query)
            except StreamingQueryException as error:
                if self._faults:
                    raise self._faults[0] from None
                if not self._stopping.is_set():
                    raise explain(error) from None
            finally:
                if query.isActive:
                    query.stop()
            self._drain()
            let_go(self._lake.spark)

    def _on_batch(self, batch: DataFrame, number: int) -> None:
        if self._stopping.is_set():
            raise InterruptedError  # the batch is taken by the next start
        self._started.wait()
        try:
            self._change_day_if_over()
            with self._one_at_a_time:
                self._take(batch, number)
        except Exception as error:
            self._faults.append(error)  # the JVM would pass on its text only
            raise

    def _change_day_if_over(self) -> None:
        """Begin the day of now, where another one goes on.

        By the thread that adds up: what is under way ends first, and nothing is added up meanwhile.
        """
        if (day := self._day()) != self._decider.scene.as_of:
            self._pool.submit(self._change_day, day).result()

    def _change_day(self, as_of: date) -> None:
        """End a day, with everything that follows of it, and begin another, if nobody has meanwhile."""
        if as_of == self._decider.scene.as_of:
            return
        self._follow()
        self._deliver()
        with self._delivering, self._one_at_a_time:
            self._decider.change_scene(self._open_day(as_of))

    def _take(self, batch: DataFrame, number: int) -> None:
        lake, sources = self._lake, self._config.sources
        if self._config.stream.feeds:
            batch = batch.localCheckpoint()
        found = batch.where("path IS NOT NULL").select("path", "length", "arrived_at").collect()
        paths = [row["path"] for row in found]
        refuse_other_files(lake, self._checkpoint, number, [str(tuple(row)) for row in found])
        arrivals = [row["arrived_at"].astimezone(UTC) for row in found]
        if self._config.stream.feeds:
            paths += land_records(
                lake,
                sources,
                self._config.stream.feeds,
                batch,
                name=f"stream-{self._query_id[:8]}-{number:09d}",
            )
            arrivals += [t.astimezone(UTC) for t in _first_and_last(batch) if t is not None]
        drops = leave_taken(lake, sort_files(lake, sources, paths))
        if not drops:
            return
        account = Account(
            self._query_id,
            number,
            (min(arrivals), max(arrivals)) if arrivals else None,
            self._links,
        )
        self._decider.take(drops, account)
        self._settle(account)
        self._decide_for_relinked()

    def _settle(self, account: Account) -> None:
        """What follows a decision: it is counted, and is news where somebody is to be told."""
        self._metrics.add(account)
        self._has_news |= account.counts["instructions"] > 0 or self._decider.untold is not None
        self._report(
            RunReport(
                COMMAND,
                "success",
                (account.ended_at - account.started_at).total_seconds(),
                {f"stream.{name}": count for name, count in account.counts.items()},
            )
        )

    def _begin_delivery(self) -> None:
        """Let destinations be told, beside micro-batches, if there is news and it is time."""
        if self._delivery is not None:
            if not self._delivery.done():
                return
            self._delivery.result()  # its error is that of the stream
            self._delivery = None
        if self._has_news and time.monotonic() >= self._deliver_at:
            self._delivery = self._messenger.submit(self._deliver)

    def _deliver(self) -> None:
        """Tell the destinations what waits for them, where there is news."""
        with self._delivering:
            with self._one_at_a_time:
                if not self._has_news:
                    return
                # What comes from now on is news again.
                self._has_news = False
                decider = self._decider
                if decider.untold is not None:
                    self._take_off_lists(decider.untold)
                    decider.note_taken_off()
                as_of = decider.scene.as_of
            told = deliver(self._lake, self._config.activation, decider.contacts, as_of)
            self._report(told)
            failed = bool(told.metrics.get(FAILED))
            if failed:
                self._has_news = True
            pause = _RETRY_SECONDS if failed else self._config.stream.deliver_seconds
            self._deliver_at = time.monotonic() + pause

    def _take_off_lists(self, who: DataFrame | None = None) -> None:
        """Whoever has refused leaves all lists before anything is told; without `who` everybody is asked about."""
        decider = self._decider
        take_off_lists(
            self._lake, self._config.activation, decider.contacts(), decider.scene.as_of, who
        )

    def _open_day(self, as_of: date) -> Scene:
        """Let the stages of the batch begin a day, where they have not, and look at everybody."""
        log, spark = self._lake.log, self._lake.spark
        log.forget_everything()
        let_go(spark)
        if not all(log.last_success(name, as_of) for name in _OPENED):
            for name in OPENING:
                if name == "fit" and self._lake.exists(MODEL):
                    continue
                if name in ("learn", "decide") and not self._config.decisions.offers:
                    continue
                self._report(STAGES[name](self._lake, self._config, as_of))
        keep_few(spark)
        return self._look(as_of)

    def _look(self, as_of: date) -> Scene:
        return set_scene(self._lake, self._config.audiences, self._config.activation, as_of)

    def _await_end(self, query: StreamingQuery) -> None:
        """Return when the query has ended, or when it is asked to stop and its batch is done."""
        while not query.awaitTermination(POLL_SECONDS):
            if self._is_asked_to_stop():
                self._stopping.set()
                if not query.status["isTriggerActive"]:
                    query.stop()
                continue
            self._begin_renewal()
            self._begin_delivery()
            if not query.status["isTriggerActive"]:
                self._change_day_if_over()
                self._decide_for_relinked()

    def _begin_renewal(self) -> None:
        """Let histories follow, if they do not yet and it is time."""
        if self._renewal is not None:
            if not self._renewal.done():
                return
            self._renewal.result()  # its error is that of the stream
            self._renewal, self._renewed = None, time.monotonic()
        if time.monotonic() - self._renewed >= self._config.stream.renew_seconds:
            self._renewal = self._pool.submit(self._renew)

    def _wait_for_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.result()

    def _renew(self) -> None:
        """Persons of new records, what is known of everybody where that has changed, histories and values."""
        scene = self._decider.scene
        self._renewer.resolve(scene.as_of)
        if versions_of(self._lake) != scene.versions:
            seen = self._look(scene.as_of)
            with self._one_at_a_time:
                self._decider.change_scene(seen)
        self._follow()
        hours = (time.monotonic() - self._maintained) / 3600
        if hours >= self._config.stream.maintain_hours and self._lake.storage.local_root:
            self._maintain()

    def _follow(self) -> None:
        """Histories and values, and then journeys, up to the events."""
        self._renewer.renew(self._decider.scene.as_of)
        moved = self._journeys.advance(self._decider, self._one_at_a_time)
        if moved is None:
            return
        with self._one_at_a_time:
            self._metrics.add_journeys(moved)
            self._has_news |= moved.metrics["instructions"] > 0

    def _maintain(self) -> None:
        """Do what another process must not do in a lakehouse of one writer."""
        tables = [table for table in self._lake.tables.values() if self._lake.exists(table)]
        # Nothing may be merged into a file that is being replaced.
        with self._delivering, self._one_at_a_time:
            compact_tables(self._lake, tables)
        remove_old_files(self._lake, tables)
        self._maintained = time.monotonic()

    def _decide_for_relinked(self) -> None:
        """Decide for those whose records are of another person now."""
        with self._one_at_a_time:
            scene = self._decider.scene
            relinked = list_relinked(self._lake, self._links, scene.link_version)
            if relinked is None or scene.link_version is None:
                return
            now = scene.link_version
            account = Account(f"{self._query_id}{RELINKED}", now, None, now)
            self._decider.take([], account, relinked)
            self._links = scene.link_version
            self._settle(account)

    def _drain(self) -> None:
        """Let everything follow that was decided, so that the tables are whole when the stream has ended."""
        self._wait_for_renewal()
        if self._delivery is not None:
            self._delivery.result()
        self._renew()
        self._decide_for_relinked()
        self._deliver()
        self._forget_stop()

    def _is_asked_to_stop(self) -> bool:
        return self._stopping.is_set() or (
            self._local is not None and (self._local / STOP_FILE).exists()
        )

    def _forget_stop(self) -> None:
        if self._local is not None:
            (self._local / STOP_FILE).unlink(missing_ok=True)

    def _warn(self, text: str) -> None:
        self._report(RunReport(COMMAND, "success", 0.0, {}, {f"warning: {text}": 1.0}))


def _metrics_file(config: Config, local: Path | None) -> Path | None:
    if config.stream.metrics_file:
        return Path(config.stream.metrics_file)
    return None if local is None else local.with_name(f"{local.name}.prom")


def _first_and_last(batch: DataFrame) -> tuple[datetime | None, datetime | None]:
    records = batch.where("feed IS NOT NULL")
    first, last = records.agg(F.min("arrived_at"), F.max("arrived_at")).collect()[0]
    return first, last


@contextmanager
def _stop_on_signal() -> Iterator[threading.Event]:
    """Set the event at the first SIGINT or SIGTERM, and let the second do what it always does.

    PySpark's own handler would cancel the jobs of the batch at hand.
    """
    stopping = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def stop(number: int, _: FrameType | None) -> None:
        stopping.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in signals:
        signal.signal(number, stop)
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
