"""Near real time: new landing files trigger the stages from ingest to activation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
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
from clvspark.lakehouse.errors import ConfigError
from clvspark.pipeline import run_stages
from clvspark.sources.landing import resolve_landing

STREAMED = ("ingest", "resolve", "history", "score", "audiences", "activate")
_FILES = StructType(
    [
        StructField("path", StringType()),
        StructField("modificationTime", TimestampType()),
        StructField("length", LongType()),
        StructField("content", BinaryType()),
    ]
)


def stream_landing(
    lake: Lakehouse,
    config: Config,
    *,
    as_of: date,
    every: str | None,
    report: Callable[[RunReport], None],
) -> None:
    """Run the stages for every micro-batch of new landing files, until stopped.

    `every` is the interval; None takes what is there and returns. The stream only says that files arrived; the
    stages read them. They do nothing for files they have seen, so that a batch replayed after a crash changes
    nothing. The models are those of the last `clvspark fit`.
    """
    root = lake.storage.local_root
    if root is None:
        raise ConfigError(
            "lakehouse", ["the stream keeps its checkpoint in 'root'; catalog mode has none yet"]
        )

    def on_batch(batch: DataFrame, _: int) -> None:
        if batch.select("path").limit(1).count():
            lake.log.forget_versions()
            for finished in run_stages(lake, config, STREAMED, as_of=as_of):
                report(finished)

    files = (
        lake.spark.readStream.format("binaryFile")
        .schema(_FILES)
        .option("recursiveFileLookup", "true")
        .load(resolve_landing(config.sources.landing))
        .select("path")
    )
    writer = files.writeStream.foreachBatch(on_batch).option(
        "checkpointLocation", str(Path(root) / "_stream")
    )
    writer = writer.trigger(processingTime=every) if every else writer.trigger(availableNow=True)
    query = writer.start()
    try:
        query.awaitTermination()
    except KeyboardInterrupt:
        query.stop()
