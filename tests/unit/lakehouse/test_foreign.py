"""Faults of Spark and of the operating system, told with their file and their next step and without data."""

from __future__ import annotations

import errno

import pytest
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import AnalysisException, UnsupportedOperationException

from clvspark.lakehouse.errors import (
    DamagedFileError,
    LockedError,
    ResourceError,
    StorageError,
)
from clvspark.lakehouse.foreign import name_of, translate

DENIED = "java.io.FileNotFoundException: /landing/sales.csv (Permission denied)"
MANY_MATCHES = "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"
PART = "part-00000-5f7c.c000.snappy.parquet"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "a file would exceed the limit of its size (ulimit -f)"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "you lack the right to read or to write there"),
    ],
)
def test_a_refusal_names_the_place_and_the_reason(number: int, words: str) -> None:
    told = translate(OSError(number, "whatever it says", "/data/lake/x.csv"))

    assert isinstance(told, StorageError)
    assert str(told).startswith(f"/data/lake/x.csv: {words}")
    assert "whatever" not in str(told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("java.io.IOException: No space left on device\n\tat java.base", "the disk is full"),
        (DENIED, "/landing/sales.csv: you lack the right to read or to write there"),
        (
            f"{DENIED}\n\tat java.base/java.io.FileInputStream.open0(Native Method)",
            "/landing/sales.csv: you may not read there",
        ),
        (
            f"[FAILED_READ_FILE.NO_HINT] Encountered error while reading file. Caused by: {DENIED}",
            "/landing/sales.csv: you may not read there",
        ),
        (
            f"{DENIED}\n\tat java.base/java.io.FileOutputStream.open0(Native Method)",
            "/landing/sales.csv: you may not write there",
        ),
        (
            'Permission denied: user=ann, access=WRITE, inode="/lake":hdfs:hdfs:drwxr-xr-x',
            "you may not write there",
        ),
        (
            f"SparkException: file:/data/lake/{PART}: File too large",
            f"/data/lake/{PART}: a file would",
        ),
    ],
)
def test_a_jvm_says_it_in_words(text: str, words: str) -> None:
    told = translate(RuntimeError(text))

    assert isinstance(told, StorageError)
    assert words in str(told)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("java.lang.OutOfMemoryError: Java heap space"), "Memory ran out"),
        (RuntimeError("[UNABLE_TO_ACQUIRE_MEMORY] SparkOutOfMemoryError"), "Memory ran out"),
        (MemoryError(), "spark.driver_memory"),
        (
            RuntimeError("org.apache.spark.SparkException: Python worker exited unexpectedly"),
            "A process of Spark was ended from outside",
        ),
        (
            RuntimeError("java.lang.IllegalStateException: Python daemon failed to launch worker."),
            "A process of Spark was ended from outside",
        ),
        (
            RuntimeError(
                "Lost task 0.0 in stage 26.0 (TID 26) (localhost executor driver): java.io.EOFException\n"
                "\tat java.base/java.io.DataInputStream.readInt(DataInputStream.java:386)\n"
                "\tat org.apache.spark.api.python.PythonWorkerFactory.createWorker$1(PythonWorkerFactory.scala:195)\n"
            ),
            "A process of Spark was ended from outside",
        ),
        (
            Py4JNetworkError("Answer from Java side is empty"),
            "A process of Spark was ended from outside",
        ),
    ],
)
def test_a_machine_that_gives_out_is_told_with_what_helps(error, words) -> None:
    told = translate(error)

    assert isinstance(told, ResourceError)
    assert words in str(told)
    assert "run the command again" in str(told)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (
            f"[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///d/{PART}. ",
            f"/d/{PART}",
        ),
        (
            "[CANNOT_READ_FILE_FOOTER] Could not read footer for file: file:/d/sales.parquet.",
            "/d/sales.parquet",
        ),
        (
            "file:/d/in/sales.parquet is not a Parquet file. Expected magic number",
            "/d/in/sales.parquet",
        ),
        ("[FAILED_READ_FILE.NO_HINT] ann@example.org", "A file"),
        (
            "[DELTA_TRUNCATED_TRANSACTION_LOG] /lake/_delta_log/00000000000000000003.json: Unable to",
            "/lake/_delta_log/00000000000000000003.json",
        ),
        ("[DELTA_VERSIONS_NOT_CONTIGUOUS] Versions (3, 5) are not contiguous.", "A file"),
        ("[DELTA_DELETION_VECTOR_CHECKSUM_MISMATCH] Could not verify", "A file"),
    ],
)
def test_an_unreadable_file_is_named_and_nothing_of_its_content(text: str, path: str) -> None:
    told = translate(RuntimeError(f"{text}\nCaused by: value 'Ann Lee, 07700900123'"))

    assert isinstance(told, DamagedFileError)
    assert str(told).startswith(f"{path} cannot be read")
    assert "Ann" not in str(told)
    assert "example.org" not in str(told)


@pytest.mark.parametrize(
    ("text", "table"),
    [
        (
            "[DELTA_CONCURRENT_APPEND.WITH_PARTITION_HINT] a concurrent WRITE added data to table clv.model in [Ann]",
            "clv.model",
        ),
        (
            "[DELTA_CONCURRENT_DELETE_READ] a concurrent MERGE deleted data from table clv.model (committed at",
            "clv.model",
        ),
        (
            "[DELTA_METADATA_CHANGED] The metadata of the Delta table clv.model has been changed",
            "clv.model",
        ),
        ("[DELTA_CONCURRENT_WRITE] ConcurrentWriteException: A concurrent transaction", "a table"),
        ("[DELTA_MAX_COMMIT_RETRIES_EXCEEDED] This commit has failed", "a table"),
    ],
)
def test_who_was_overtaken_by_another_writer_is_told_to_run_again(text: str, table: str) -> None:
    told = translate(RuntimeError(text))

    assert isinstance(told, LockedError)
    assert str(told).startswith(f"Another writer changed {table} meanwhile. Of what was being")
    assert "run the command again" in str(told)
    assert "Ann" not in str(told)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (
            UnsupportedOperationException(f"[{MANY_MATCHES}] Ann"),
            f"UnsupportedOperationException ({MANY_MATCHES})",
        ),
        (AnalysisException("Ann Lee"), "AnalysisException"),
        (
            Py4JError(f"An error occurred.\n: a.B.DeltaException: [{MANY_MATCHES}] Ann"),
            f"Py4JError ({MANY_MATCHES})",
        ),
        (ValueError("[ANN_LEE] is no date"), "ValueError"),
    ],
)
def test_any_other_fault_is_named_by_its_kind_and_condition(error: Exception, name: str) -> None:
    assert translate(error) is None
    assert name_of(error) == name


@pytest.mark.parametrize(
    "error",
    [RuntimeError("division by zero"), ValueError("Ann Lee"), OSError(errno.ECONNRESET, "reset")],
)
def test_what_nobody_foresaw_stays_unexpected(error: Exception) -> None:
    assert translate(error) is None
