"""What the stream watches: new landing files, and feeds (topics, Delta tables) whose records become such files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce

from delta.tables import DeltaTable as StoredTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    BinaryType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from clvspark.config import DeltaTable, Feed, KafkaTopic, StreamConfig
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError
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
    """One row a new landing file or a record of a feed, as a stream.

    Out: ``path`` and ``length`` of a file; of a record ``feed`` (its id), ``place``, by which those of a feed have an
    order, and ``value``; ``arrived_at``.
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
            nothing.alias("feed"),
            nothing.alias("place"),
            nothing.alias("value"),
            F.col("modificationTime").alias("arrived_at"),
        )
    )
    records = [_read_topic(lake, topic, config) for topic in config.kafka]
    records += [_read_table(lake, table, config) for table in config.delta]
    return reduce(DataFrame.unionByName, records, files)


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
    return _name_columns(
        records.where("value IS NOT NULL"),
        topic,
        place=F.format_string("%09d %020d", "partition", "offset"),
        value=F.col("value").cast("string"),
        arrived_at=F.col("timestamp"),
    )


def _read_table(lake: Lakehouse, table: DeltaTable, config: StreamConfig) -> DataFrame:
    """Rows as they are added; whatever else is done to the table ends the stream with an error.

    When they were added is not told: they arrive when they are taken.
    """
    reader = (
        lake.spark.readStream.format("delta")
        .option("maxFilesPerTrigger", config.max_files)
        # Rows whose files were removed before they were read are an error, and so are rows that were changed.
        .option("failOnDataLoss", "true")
        .option("skipChangeCommits", "false")
    )
    if table.starting_version != "earliest":
        reader = reader.option("startingVersion", table.starting_version)
    rows = reader.load(table.table) if table.is_folder else reader.table(table.table)
    record = F.to_json(F.struct(*(F.col(f"`{name}`") for name in rows.columns)))
    # Rows of a table have no order of their own, and shall have the same one whenever they are taken.
    return _name_columns(rows, table, place=record, value=record, arrived_at=F.current_timestamp())


def _name_columns(
    records: DataFrame, feed: Feed, *, place: Column, value: Column, arrived_at: Column
) -> DataFrame:
    """Records of a feed with the columns of `read_arrivals`."""
    return records.select(
        F.lit(None).cast("string").alias("path"),
        F.lit(None).cast("bigint").alias("length"),
        F.lit(feed.id).alias("feed"),
        place.alias("place"),
        value.alias("value"),
        arrived_at.alias("arrived_at"),
    )


def refuse_absent_tables(lake: Lakehouse, config: StreamConfig) -> None:
    """MissingInputError where a Delta table that is to be read is not there."""
    for table in config.delta:
        found = (
            StoredTable.isDeltaTable(lake.spark, table.table)
            if table.is_folder
            else lake.spark.catalog.tableExists(table.table)
        )
        if not found:
            raise MissingInputError(
                f"{table.table} is no Delta table. Create it, or correct '{table.kind}': a folder has a '/' in its "
                "name, anything else is looked up in the catalog."
            )


def land_records(
    lake: Lakehouse,
    sources: SourcesConfig,
    feeds: Sequence[Feed],
    arrived: DataFrame,
    *,
    name: str,
) -> list[str]:
    """Write the records of all feeds of a mapping as one landing file of it; return the paths, as listings spell them.

    Batch and stream then read the same. A file is named after the micro-batch, whose records are the same ones
    whenever it is taken, so that writing it again changes nothing.
    """
    ids: dict[str, list[str]] = defaultdict(list)
    for feed in feeds:
        ids[find_mapping(sources, feed).path].append(feed.id)
    landed = []
    for glob, known in ids.items():
        own = arrived.where(F.col("feed").isin(*known)).orderBy("feed", "place")
        # JSON has no line feed but between its parts.
        lines = own.select(F.regexp_replace("value", r"[\r\n]+", " ").alias("value"))
        path = f"{resolve_landing(sources.landing)}/{glob.replace('*', name)}"
        if write_text(lake.spark, lines, path):
            landed.append(qualify(lake.spark, path))
    return landed


def find_mapping(sources: SourcesConfig, feed: Feed) -> LandingFile:
    """The mapping of a feed; ConfigError if there is none, or none whose path has room for files of the stream."""
    for system in sources.systems:
        for file in system.files:
            if (system.system, file.path) == (feed.system, feed.path):
                if file.format == "jsonl" and "*" in file.path and not set(file.path) & set("?[{"):
                    return file
                fault = (
                    "is not of the format 'jsonl', or has no '*' as the only sign of a glob; records of a feed are "
                    "JSON, and land as files of the mapping"
                )
                raise ConfigError(f"{feed.kind}: {feed.system}: {feed.path}", [fault])
    known = [f"{system.system}: {file.path}" for system in sources.systems for file in system.files]
    raise ConfigError(
        f"{feed.kind}: {feed.system}: {feed.path}",
        [f"is no file of 'sources.systems'; there are {', '.join(known)}"],
    )
