"""Files of records: CSV with a header, or Parquet."""

from __future__ import annotations

import codecs
import gzip
import re
from pathlib import Path
from typing import IO

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from clvspark.lakehouse.errors import MissingInputError

_TEXT = {".csv", ".txt", ".tsv"}
_SEPARATORS = ",;\t|"
_BLOCK_BYTES = 1 << 20


def read_records(spark: SparkSession, path: str | Path) -> DataFrame:
    """Records of a CSV file with a header, all columns as texts, or of Parquet (a file or a folder).

    The separator is the one of comma, semicolon, tab and bar that the header has most of; text is in UTF-8.
    MissingInputError if there is nothing at `path`, or nothing that can be read.
    """
    file = Path(path)
    if not file.exists():
        raise MissingInputError(f"{path} does not exist; name a CSV or Parquet file of records.")
    kind = next((s for s in reversed(file.suffixes) if s.lower() in _TEXT), None)
    if kind and file.is_file():
        _refuse_other_encoding(file)
    try:
        records = (
            _read_texts(spark, file, _find_separator(file))
            if kind
            else spark.read.parquet(str(file))
        )
    except (PySparkException, Py4JError):  # a broken file is told by the JVM itself
        what = "text with a header" if kind else "Parquet"
        raise MissingInputError(
            f"{path} cannot be read as {what}; name a CSV file with a header (.csv, .tsv, .txt) or Parquet."
        ) from None
    if not records.columns:
        raise MissingInputError(f"{path} is empty; name a CSV file with a header, or Parquet.")
    return records


def _open(file: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(file) if file.suffix.lower() == ".gz" else file.open("rb")


def _find_separator(file: Path) -> str:
    """The sign that the header has most of outside of quotes; a comma if it has none. A folder is read by commas."""
    if not file.is_file():
        return _SEPARATORS[0]
    with _open(file) as stream:
        header = re.sub(r'"[^"]*"', "", stream.readline().decode("utf-8"))
    return max(_SEPARATORS, key=header.count)


def _refuse_other_encoding(file: Path) -> None:
    """MissingInputError for a text that is not UTF-8: Spark would put a sign of its own for each foreign letter."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with _open(file) as stream:
            while block := stream.read(_BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise MissingInputError(
            f"{file} is not in UTF-8, so names would be misread. Next step: convert it, for example: "
            f"iconv -f WINDOWS-1252 -t UTF-8 {file.name} > utf8_{file.name}"
        ) from None


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
