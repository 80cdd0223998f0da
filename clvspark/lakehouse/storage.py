"""Where a table lies, in path mode and in catalog mode, and the Delta calls that differ between the two."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, DataFrameWriter, SparkSession

from clvspark.lakehouse.config import LakehouseConfig
from clvspark.lakehouse.errors import DamagedFileError
from clvspark.lakehouse.plain_files import read_plain_files
from clvspark.lakehouse.table import Table
from clvspark.lakehouse.table_log import folder_of, is_table, newest_version, read_short_log

# Of a log that is read for the number of rows.
_MOST_BYTES = 20_000_000


@dataclass(frozen=True)
class Stored:
    """What a table is, as it is stored: types by column, properties, clustering."""

    types: Mapping[str, str]
    properties: Mapping[str, str]
    cluster_by: tuple[str, ...]


class Storage:
    """Maps `schema.table` to ``root/schema/table`` or to ``catalog.schema.table``."""

    def __init__(self, spark: SparkSession, config: LakehouseConfig) -> None:
        """Bind a session to the lakehouse that `config` describes."""
        self.spark, self.config = spark, config
        self.catalog = config.catalog
        self.root = str(config.local_root) if config.local_root else config.root

    @property
    def local_root(self) -> Path | None:
        """The folder of a lakehouse on a local file system, else None."""
        return self.config.local_root

    def _path(self, name: str) -> str:
        """Folder of a table in path mode."""
        return f"{self.root}/{name.replace('.', '/')}"

    def _folder(self, name: str) -> Path | None:
        """The same on a local file system, else None."""
        return None if self.local_root is None else folder_of(self.local_root, name)

    def identifier(self, name: str) -> str:
        """SQL identifier of a table in either mode."""
        return f"`{self.catalog}`.{name}" if self.catalog else f"delta.`{self._path(name)}`"

    def exists(self, name: str) -> bool:
        """Whether the table has been created."""
        if self.catalog:
            return self.spark.catalog.tableExists(f"{self.catalog}.{name}")
        if folder := self._folder(name):
            return is_table(folder)
        return DeltaTable.isDeltaTable(self.spark, self._path(name))

    def read(self, name: str, *, version: int | None = None) -> DataFrame:
        """Read the table as it is now, or one of its earlier versions."""
        folder = self._folder(name)
        if version is None and folder is not None:
            rows = read_plain_files(self.spark, folder)
            if rows is not None:
                return rows
        at = "" if version is None else f" VERSION AS OF {int(version)}"
        return self.spark.sql(f"SELECT * FROM {self.identifier(name)}{at}")  # noqa: S608 - names are contracts

    def read_changes(self, name: str, *, since: int, until: int) -> DataFrame:
        """Read the change feed from one version to another, both included."""
        reader = self.spark.read.format("delta").option("readChangeFeed", "true")
        reader = reader.option("startingVersion", since).option("endingVersion", until)
        if self.catalog:
            return reader.table(f"{self.catalog}.{name}")
        return reader.load(self._path(name))

    def delta(self, name: str, session: SparkSession | None = None) -> DeltaTable:
        """The table as DeltaTable, for MERGE and DELETE; in the session given, else in that of the lakehouse."""
        spark = session or self.spark
        if self.catalog:
            return DeltaTable.forName(spark, f"{self.catalog}.{name}")
        return DeltaTable.forPath(spark, self._path(name))

    def version(self, name: str) -> int | None:
        """Newest version of the table, None before its first write."""
        if not self.exists(name):
            return None
        if folder := self._folder(name):
            # The log folder says it without a Spark job.
            return newest_version(folder)
        return int(self.delta(name).history(1).select("version").first()[0])  # type: ignore[index]

    def rows(self, name: str) -> int | None:
        """Rows of a local table, as its log tells them without Spark; None where it does not, or is long or damaged."""
        folder = self._folder(name)
        if folder is None or not is_table(folder):
            return None
        with suppress(DamagedFileError):
            log = read_short_log(folder, most_bytes=_MOST_BYTES)
            return None if log is None else log.rows
        return None

    def properties(self, name: str) -> dict[str, str]:
        """Properties of the table; of a local one its log tells them without Spark."""
        if (folder := self._folder(name)) and (log := read_short_log(folder)):
            return log.properties
        rows = self.spark.sql(f"SHOW TBLPROPERTIES {self.identifier(name)}").collect()
        return {row["key"]: row["value"] for row in rows}

    def describe(self, name: str) -> Stored:
        """What the table is, as it is stored."""
        (detail,) = self.spark.sql(f"DESCRIBE DETAIL {self.identifier(name)}").collect()
        types = {field.name: field.dataType.simpleString() for field in self.read(name).schema}
        return Stored(types, detail["properties"], tuple(detail["clusteringColumns"]))

    def alter(self, name: str, clause: str) -> None:
        """Change what the table is: one commit of metadata."""
        self.spark.sql(f"ALTER TABLE {self.identifier(name)} {clause}")

    def verify(self, name: str) -> None:
        """Raise DamagedFileError if the newest commit of a local table is cut short."""
        if (folder := self._folder(name)) and is_table(folder):
            newest_version(folder)

    def save(self, writer: DataFrameWriter, name: str) -> None:
        """Finish a write into the table."""
        writer = writer.format("delta")
        if self.catalog:
            writer.saveAsTable(f"{self.catalog}.{name}")
        else:
            writer.save(self._path(name))

    def create(self, table: Table, rows: DataFrame, properties: Mapping[str, str]) -> None:
        """Make the table of its first rows, with comment, clustering and properties, in one commit.

        What an interrupted first write has left in its folder is in nobody's way.
        """
        if self.catalog:
            self.spark.sql(f"CREATE SCHEMA IF NOT EXISTS `{self.catalog}`.{table.room}")
        view = f"first_rows_{uuid.uuid4().hex}"
        rows.createTempView(view)
        try:
            self.spark.sql(self._create_statement(table, view, properties))
        finally:
            self.spark.catalog.dropTempView(view)

    def _create_statement(self, table: Table, view: str, properties: Mapping[str, str]) -> str:
        clauses = [
            f"CREATE OR REPLACE TABLE {self.identifier(table.name)} USING delta",
            f"COMMENT {literal(table.comment)}",
        ]
        if table.cluster_by:
            clauses.append(f"CLUSTER BY ({', '.join(table.cluster_by)})")
        if properties:
            pairs = (f"{literal(key)} = {literal(value)}" for key, value in properties.items())
            clauses.append(f"TBLPROPERTIES ({', '.join(pairs)})")
        return " ".join([*clauses, f"AS SELECT * FROM {view}"])  # noqa: S608 - a name of our own


def literal(text: str) -> str:
    """A text as SQL, whatever it holds."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
