"""Tables of a few files, read as the Parquet files that they are.

Delta lists the files of every scan by a Spark job of its own, which takes a tenth of a second of CPU whatever the table
holds: most of what a stage takes on small tables (docs/adr/0023). Of a table of few files there is nothing to skip, and
its log says in a millisecond which they are.
"""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from clvspark.lakehouse.errors import DamagedFileError
from clvspark.lakehouse.table_log import read_short_log

# So many files Spark looks up by itself; for more it starts a job.
_FEW_FILES = 32
# A log that takes longer to read than it spares.
_SHORT_LOG_BYTES = 500_000
# Spark reads paths of files as patterns.
_OF_PATTERNS = frozenset("*?[]{}\\")


def read_plain_files(spark: SparkSession, table: Path) -> DataFrame | None:
    """Rows of the newest version of a local table; None where only Delta can tell them, or had better do it.

    What is read is that version whatever is written afterwards, until its files are vacuumed. DamagedFileError if one
    of its files is gone.
    """
    if _OF_PATTERNS.intersection(str(table)):
        return None
    log = read_short_log(table, most_bytes=_SHORT_LOG_BYTES)
    if log is None or not log.is_plain or len(log.files) > _FEW_FILES:
        return None
    for file in log.files:
        if not file.exists():
            raise DamagedFileError(
                f"{file} is gone, and the table with it. Restore it from a copy."
            )
    schema = StructType.fromJson(json.loads(log.schema))
    if not log.files:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).parquet(*map(str, log.files))
