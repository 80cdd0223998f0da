"""Faults of Spark and of the operating system, told with their file and their next step and without data."""

from __future__ import annotations

import errno

import pytest

from clvspark.lakehouse.errors import DamagedFileError, StorageError
from clvspark.lakehouse.foreign import translate

PART = "part-00000-5f7c.c000.snappy.parquet"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "a file would exceed the limit of its size (ulimit -f)"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "you may not write there"),
    ],
)
def test_a_refused_write_names_the_place_and_the_reason(number: int, words: str) -> None:
    told = translate(OSError(number, "whatever it says", "/data/lake/x.csv"))

    assert isinstance(told, StorageError)
    assert str(told).startswith(f"/data/lake/x.csv: {words}")
    assert "whatever" not in str(told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("java.io.IOException: No space left on device\n\tat java.base", "the disk is full"),
        (
            "Job aborted: FileNotFoundException: /tmp/x (Permission denied)",
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
    ],
)
def test_an_unreadable_file_is_named_and_nothing_of_its_content(text: str, path: str) -> None:
    told = translate(RuntimeError(f"{text}\nCaused by: value 'Ann Lee, 07700900123'"))

    assert isinstance(told, DamagedFileError)
    assert str(told).startswith(f"{path} cannot be read")
    assert "Ann" not in str(told)
    assert "example.org" not in str(told)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("division by zero"), ValueError("Ann Lee"), OSError(errno.ECONNRESET, "reset")],
)
def test_what_nobody_foresaw_stays_unexpected(error: Exception) -> None:
    assert translate(error) is None
