"""What the stream watches: new landing files, and Kafka topics whose records become landing files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    BinaryType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from clvspark.config import KafkaTopic, StreamConfig
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.files import literal, qualify, write_text
from clvspark.sources.config import LandingFile, SourcesConfig
from clvspark.sources.landing import resolve_landing

_FILES = StructType(
    [
        StructField("path", StringType()),
        StructField("modificationTime", TimestampType()),
        StructField("length", LongType()),
        StructField("content", BinaryType()),
    ]
)


def read_arrivals(lake: Lakehouse, sources: SourcesConfig, config: StreamConfig) -> DataFrame:
    """One row a new landing file or a record of a topic, as a stream.

    Out: ``path`` and ``length`` of a file; ``topic``, ``place`` (partition and offset) and ``value`` of a record;
    ``arrived_at``.
    """
    nothing = F.lit(None).cast("string")
    files = (
        lake.spark.readStream.format("binaryFile")
        .schema(_FILES)
        .option("recursiveFileLookup", "true")
        .option("maxFilesPerTrigger", config.max_files)
        .load(literal(resolve_landing(sources.landing)))
        .select(
            "path",
            "length",
            nothing.alias("topic"),
            nothing.alias("place"),
            nothing.alias("value"),
            F.col("modificationTime").alias("arrived_at"),
        )
    )
    return reduce(
        DataFrame.unionByName, (_read_topic(lake, t, config) for t in config.kafka), files
    )


def _read_topic(lake: Lakehouse, topic: KafkaTopic, config: StreamConfig) -> DataFrame:
    records = (
        lake.spark.readStream.format("kafka")
        .options(**{f"kafka.{name}": value for name, value in topic.options.items()})
        .option("kafka.bootstrap.servers", topic.bootstrap_servers)
        .option("subscribe", topic.topic)
        .option("startingOffsets", topic.starting_offsets)
        .option("maxOffsetsPerTrigger", config.max_offsets)
        # A record that the broker has removed before it was read is an error, not a gap.
        .option("failOnDataLoss", "true")
        .load()
    )
    return records.where("value IS NOT NULL").select(
        F.lit(None).cast("string").alias("path"),
        F.lit(None).cast("bigint").alias("length"),
        "topic",
        F.format_string("%09d %020d", "partition", "offset").alias("place"),
        F.col("value").cast("string").alias("value"),
        F.col("timestamp").alias("arrived_at"),
    )


def land_records(
    lake: Lakehouse,
    sources: SourcesConfig,
    topics: Sequence[KafkaTopic],
    arrived: DataFrame,
    *,
    name: str,
) -> list[str]:
    """Write the records of each topic as a landing file; return the paths, as a list of the folder names them.

    Batch and stream then read the same. A file is named after the micro-batch, whose records are the same ones
    whenever it is taken, so that writing it again changes nothing.
    """
    landed = []
    for topic in topics:
        own = arrived.where(F.col("topic") == topic.topic).orderBy("place")
        # JSON has no line feed but between its parts.
        lines = own.select(F.regexp_replace("value", r"[\r\n]+", " ").alias("value"))
        file = find_mapping(sources, topic)
        path = f"{resolve_landing(sources.landing)}/{file.path.replace('*', name)}"
        if write_text(lake.spark, lines, path):
            landed.append(qualify(lake.spark, path))
    return landed


def find_mapping(sources: SourcesConfig, topic: KafkaTopic) -> LandingFile:
    """The mapping of a topic; ConfigError if there is none, or none whose path has room for files of the stream."""
    for system in sources.systems:
        for file in system.files:
            if (system.system, file.path) == (topic.system, topic.path):
                if file.format == "jsonl" and "*" in file.path and not set(file.path) & set("?[{"):
                    return file
                fault = (
                    "is not of the format 'jsonl', or has no '*' as the only sign of a glob; records of a topic are "
                    "JSON, and land as files of the mapping"
                )
                raise ConfigError(f"stream.kafka: {topic.system}: {topic.path}", [fault])
    known = [f"{system.system}: {file.path}" for system in sources.systems for file in system.files]
    raise ConfigError(
        f"stream.kafka: {topic.system}: {topic.path}",
        [f"is no file of 'sources.systems'; there are {', '.join(known)}"],
    )
