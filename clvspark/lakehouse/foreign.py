"""Errors of Spark, Delta and the operating system that have a next step, told without the data they may quote."""

from __future__ import annotations

import errno
import re

from clvspark.lakehouse.errors import ClvsparkError, ConfigError, DamagedFileError, StorageError

_REFUSALS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would exceed the limit of its size (ulimit -f)",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "you may not write there",
    errno.EPERM: "you may not write there",
}
# What a JVM says instead of a number.
_JVM_REFUSALS = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
    "Read-only file system": errno.EROFS,
    "Permission denied": errno.EACCES,
}
_PATH = re.compile(r"(?:file:/*)?(/[\w./=@%+-]+\.(?:snappy\.)?(?:parquet|json|jsonl|csv|crc))")

_RETYPED = re.compile(
    r"reading file (?:file:/*(?=/))?(\S+)\.\s+Data type mismatches when reading Parquet column \[?([^\]]*?)\]?\. "
    r"Expected Spark type ([^.]+?), actual Parquet type (\w+(?: \([^)]*\))?)"
)


def translate(error: BaseException) -> ClvsparkError | None:
    """The same fault as an error meant for people, None for one that nobody foresaw.

    Of the message only names of files are taken over, never a value.
    """
    if isinstance(error, OSError):
        return _storage_error(error.errno, error.filename)
    text = str(error)
    for words, number in _JVM_REFUSALS.items():
        if words in text:
            return _storage_error(number, _first_path(text))
    retyped = _RETYPED.search(text)
    if retyped:
        path, column, expected, found = retyped.groups()
        fault = (
            f"column {column!r} is {found} here and {expected} in other files of the same 'path'. Replace the file by "
            "one with the type of the others, or describe it under a 'path' of its own in 'sources.systems'"
        )
        return ConfigError(path, [fault])
    if _is_about_reading(text):
        return DamagedFileError(
            f"{_first_path(text) or 'A file'} cannot be read: it is cut short, altered, or not of the format that it "
            "should have. Every table is as its last version left it. Replace the file, from the sender or from a "
            "copy, then run the command again."
        )
    return None


def _storage_error(number: int | None, path: object) -> StorageError | None:
    if number not in _REFUSALS:
        return None
    where = f"{path}: " if path else ""
    return StorageError(
        f"{where}{_REFUSALS[number]}. What was being written is not there; every table is as its last version left it. "
        "Mend that, then run the command again: it goes on where this one stopped."
    )


def _is_about_reading(text: str) -> bool:
    return bool(re.search(r"FAILED_READ_FILE|CANNOT_READ_FILE|is not a Parquet file|DELTA_", text))


def _first_path(text: str) -> str | None:
    found = _PATH.search(text)
    return found[1] if found else None
