"""Near real time: new landing files trigger the stages from ingest to activation."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType

from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery
from pyspark.sql.types import (
    BinaryType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from clvspark.config import Config
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.lakehouse.files import is_folder, literal
from clvspark.pipeline import run_stages
from clvspark.sources.landing import resolve_landing

STREAMED = ("ingest", "resolve", "history", "score", "audiences", "moments", "activate")
# Between two drops others may write, a nightly `clvspark fit` for example.
PATIENCE_SECONDS = 3600
POLL_SECONDS = 1
_FILES = StructType(
    [
        StructField("path", StringType()),
        StructField("modificationTime", TimestampType()),
        StructField("length", LongType()),
        StructField("content", BinaryType()),
    ]
)


def today() -> date:
    """The day of the trigger (UTC)."""
    return datetime.now(UTC).date()


def stream_landing(
    lake: Lakehouse,
    config: Config,
    *,
    as_of: date | None,
    every: str | None,
    report: Callable[[RunReport], None],
    clock: Callable[[], date] = today,
) -> None:
    """Run the stages for every micro-batch of new landing files, until stopped.

    `as_of` None takes the day of each batch from `clock`. `every` is the interval; None takes what is there and
    returns. The stream only says that files arrived; the stages read them. They do nothing for files they have
    seen, so that a batch replayed after a crash changes nothing. The models are those of the last `clvspark fit`.

    The first SIGINT or SIGTERM lets the batch at hand finish, the second interrupts it. Raises MissingInputError
    if there is no landing folder, ConfigError if there is no place for the checkpoint, and the error of a stage.
    """
    landing = resolve_landing(config.sources.landing)
    checkpoint = _checkpoint(lake, config)
    if not is_folder(lake.spark, landing):
        raise MissingInputError(
            f"The landing folder {landing} does not exist. Create it, or correct 'sources.landing'."
        )
    faults: list[Exception] = []
    with _stop_on_signal() as stopping:

        def on_batch(batch: DataFrame, _: int) -> None:
            if stopping.is_set():
                raise InterruptedError  # the batch is taken by the next start
            if not batch.select("path").limit(1).count():
                return
            lake.log.forget_everything()
            try:
                for finished in run_stages(
                    lake,
                    config,
                    STREAMED,
                    as_of=as_of or clock(),
                    patience_seconds=PATIENCE_SECONDS,
                ):
                    report(finished)
            except Exception as error:
                faults.append(error)  # the JVM would pass on its text only
                raise

        files = (
            lake.spark.readStream.format("binaryFile")
            .schema(_FILES)
            .option("recursiveFileLookup", "true")
            .load(literal(landing))
            .select("path")
        )
        writer = files.writeStream.foreachBatch(on_batch).option("checkpointLocation", checkpoint)
        writer = (
            writer.trigger(processingTime=every) if every else writer.trigger(availableNow=True)
        )
        try:
            _await_end(writer.start(), stopping)
        except StreamingQueryException:
            if faults:
                raise faults[0] from None
            if not stopping.is_set():
                raise


def _checkpoint(lake: Lakehouse, config: Config) -> str:
    """Folder of the checkpoint."""
    if config.stream.checkpoint:
        chosen = config.stream.checkpoint
        return chosen if "://" in chosen else str(Path(chosen).absolute())
    if lake.storage.root is None:
        raise ConfigError(
            "stream.checkpoint",
            ["is required in catalog mode; name a folder that every start of the stream reaches"],
        )
    return f"{lake.storage.root}/_stream"


def _await_end(query: StreamingQuery, stopping: threading.Event) -> None:
    """Return when the query has ended, or when it is asked to stop and its batch is done."""
    while not query.awaitTermination(POLL_SECONDS):
        if stopping.is_set() and not query.status["isTriggerActive"]:
            query.stop()


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
