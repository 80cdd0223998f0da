"""Files of records: CSV with a header, or Parquet."""

from __future__ import annotations

from pathlib import Path

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from clvspark.lakehouse.errors import MissingInputError

_TEXT = {".csv": ",", ".txt": ",", ".tsv": "\t"}


def read_records(spark: SparkSession, path: str | Path) -> DataFrame:
    """Records of a CSV file with a header, all columns as texts, or of Parquet (a file or a folder).

    MissingInputError if there is nothing at `path`, or nothing that can be read.
    """
    file = Path(path)
    if not file.exists():
        raise MissingInputError(f"{path} does not exist; name a CSV or Parquet file of records.")
    kind = next((s for s in reversed(file.suffixes) if s.lower() in _TEXT), None)
    try:
        records = (
            _read_texts(spark, file, _TEXT[kind.lower()]) if kind else spark.read.parquet(str(file))
        )
    except (PySparkException, Py4JError):  # a broken file is told by the JVM itself
        what = "text with a header" if kind else "Parquet"
        raise MissingInputError(
            f"{path} cannot be read as {what}; name a CSV file with a header (.csv, .tsv, .txt) or Parquet."
        ) from None
    if not records.columns:
        raise MissingInputError(f"{path} is empty; name a CSV file with a header, or Parquet.")
    return records


def _read_texts(spark: SparkSession, file: Path, separator: str) -> DataFrame:
    return spark.read.csv(
        str(file),
        header=True,
        sep=separator,
        multiLine=True,
        escape='"',
        ignoreLeadingWhiteSpace=True,
        ignoreTrailingWhiteSpace=True,
    )
