"""Writes that are done once, however often they are asked for: Delta's transactions of an application.

Delta keeps the newest version of every application id in the log of the table, in the commit that wrote its rows. A
write under the same id and the same version, or an older one, is skipped. A write into a table by MERGE takes both from
its session, which other writes share; so every statement has a session of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pyspark.sql import DataFrameWriter, SparkSession

_PREFIX = "spark.databricks.delta.write"


@dataclass(frozen=True)
class Transaction:
    """What makes a write the same one.

    Parameters
    ----------
    app : names the job, the table and the statement; two statements never share one.
    version : goes up from one write of the statement to the next.
    """

    app: str
    version: int

    def of(self, statement: str) -> Transaction:
        """That of one statement of the same job."""
        return Transaction(f"{self.app}:{statement}", self.version)

    def mark(self, writer: DataFrameWriter) -> DataFrameWriter:
        """Let a writer append once."""
        return writer.option("txnAppId", self.app).option("txnVersion", self.version)

    def open_session(self, spark: SparkSession) -> SparkSession:
        """A session in which a MERGE is done once; for this one statement, and by one thread at a time."""
        session = _session(spark, self.app)
        session.conf.set(f"{_PREFIX}.txnAppId", self.app)
        session.conf.set(f"{_PREFIX}.txnVersion", str(self.version))
        return session


@cache
def _session(spark: SparkSession, app: str) -> SparkSession:
    del app  # what sessions are told apart by
    return spark.newSession()
