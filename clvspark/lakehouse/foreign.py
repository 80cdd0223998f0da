"""Errors of Spark, Delta and the operating system that have a next step, told without the data they may quote."""

from __future__ import annotations

import errno
import re

from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException

from clvspark.lakehouse.errors import (
    ClvsparkError,
    ConfigError,
    DamagedFileError,
    LockedError,
    ResourceError,
    StorageError,
)
from clvspark.lakehouse.overtaken import is_overtaken

_REFUSALS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would exceed the limit of its size (ulimit -f)",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "you lack the right to read or to write there",
    errno.EPERM: "you lack the right to read or to write there",
}
# What a JVM says instead of a number.
_JVM_REFUSALS = {
    "No space left on device": errno.ENOSPC,
    "Disk quota exceeded": errno.EDQUOT,
    "File too large": errno.EFBIG,
    "Read-only file system": errno.EROFS,
    "Permission denied": errno.EACCES,
}
# A JVM tells by the class that opens the file, HDFS by the right that is missing, Spark by its condition.
_DENIED = {
    r"denied\)\s+at \S*FileInputStream|access=READ|(FAILED|CANNOT)_READ_FILE": "you may not read there",
    r"denied\)\s+at \S*FileOutputStream|access=WRITE": "you may not write there",
}
# Conditions of Spark and Delta by which a file is missing, cut short or altered.
_DAMAGED = re.compile(
    r"FAILED_READ_FILE|CANNOT_READ_FILE|is not a Parquet file|DELTA_(CHECKPOINT_(NON_EXIST_TABLE|SNAPSHOT_MISMATCH)"
    r"|DELETION_VECTOR_\w+_MISMATCH|DELETION_VECTOR_INVALID_ROW_INDEX|FILE_NOT_FOUND|FILE_OR_DIR_NOT_FOUND"
    r"|FILE_TO_OVERWRITE_NOT_FOUND|LOG_FILE_NOT_FOUND|METADATA_ABSENT|MISSING_PART_FILES|NO_COMMITS_FOUND"
    r"|NO_RECREATABLE_HISTORY_FOUND|STATE_RECOVER_ERROR|TRUNCATED_TRANSACTION_LOG|TXN_LOG_FAILED_INTEGRITY"
    r"|UNRECOGNIZED_LOGFILE|VERSIONS_NOT_CONTIGUOUS|PATH_DOES_NOT_EXIST|MISSING_DELTA_TABLE|TABLE_NOT_FOUND)"
)
# What is said where memory ran out, by a JVM, by Python, and by Arrow, and where a process is gone.
_NO_MEMORY = re.compile(r"OutOfMemory|Java heap space|GC overhead limit|MemoryError|ArrowMemory")
_PROCESS_LOST = re.compile(
    r"Python worker (exited|failed)|PYTHON_WORKER_EXITED|ExecutorLostFailure|Answer from Java side is empty"
    r"|Python daemon failed to launch worker"
    # Spark was just talking to it.
    r"|(EOF|Socket)Exception[^\n]*\n(\s+at [^\n]+\n){0,8}?\s+at org\.apache\.spark\.(api|sql\.execution)\.python\."
)
_CONDITION = re.compile(r"(?:^|Exception: )\[([A-Z0-9_.]+)\]")
_TABLE = re.compile(r"(?:data (?:to|from)|Delta) table (\S+)")
_PATH = re.compile(r"(?:file:/*)?(/[\w./=@%+-]+\.(?:snappy\.)?(?:parquet|json|jsonl|csv|crc))")
_RETYPED = re.compile(
    r"reading file (?:file:/*(?=/))?(\S+)\.\s+Data type mismatches when reading Parquet column \[?([^\]]*?)\]?\. "
    r"Expected Spark type ([^.]+?), actual Parquet type (\w+(?: \([^)]*\))?)"
)


def translate(error: BaseException) -> ClvsparkError | None:
    """The same fault as an error meant for people, None for one that nobody foresaw.

    Of the message only names of files and tables are taken over, never a value.
    """
    if isinstance(error, OSError):
        return _storage_error(error.errno, error.filename)
    text = str(error)
    told = (tell(error, text) for tell in (_resource, _refusal, _retyping, _overtaking, _damage))
    return next((found for found in told if found is not None), None)


def name_of(error: BaseException) -> str:
    """Kind of an error, and Spark's or Delta's name of its condition; nothing of its message."""
    is_spark = isinstance(error, PySparkException | Py4JError)
    condition = _CONDITION.search(str(error)) if is_spark else None
    return type(error).__name__ + (f" ({condition[1]})" if condition else "")


def _storage_error(
    number: int | None, path: object, denial: str | None = None
) -> StorageError | None:
    if number not in _REFUSALS:
        return None
    where = f"{path}: " if path else ""
    return StorageError(
        f"{where}{denial or _REFUSALS[number]}. Every table is as its last version left it; of what was being written "
        "nothing is there. Mend that, then run the command again: it goes on where this one stopped."
    )


def _resource(error: BaseException, text: str) -> ResourceError | None:
    if isinstance(error, MemoryError) or _NO_MEMORY.search(text):
        what = "Memory ran out"
        then = "Raise 'spark.driver_memory' (on a cluster spark.executor.memory), or close other programs"
    elif isinstance(error, Py4JNetworkError) or _PROCESS_LOST.search(text):
        what = "A process of Spark was ended from outside"
        then = "Where nobody did that, the operating system was short of memory: close other programs, or use less"
    else:
        return None
    return ResourceError(
        f"{what}. Every table is as its last version left it; of what was being written nothing is there. {then}; then "
        "run the command again: it goes on where this one stopped."
    )


def _refusal(_: BaseException, text: str) -> StorageError | None:
    number = next((number for words, number in _JVM_REFUSALS.items() if words in text), None)
    return _storage_error(number, _first_path(text), _denial(text))


def _retyping(_: BaseException, text: str) -> ConfigError | None:
    retyped = _RETYPED.search(text)
    if retyped is None:
        return None
    path, column, expected, found = retyped.groups()
    fault = (
        f"column {column!r} is {found} here and {expected} in other files of the same 'path'. Replace the file by one "
        "with the type of the others, or describe it under a 'path' of its own in 'sources.systems'"
    )
    return ConfigError(path, [fault])


def _overtaking(error: BaseException, text: str) -> LockedError | None:
    if not is_overtaken(error):
        return None
    table = _TABLE.search(text)
    return LockedError(
        f"Another writer changed {table[1] if table else 'a table'} meanwhile. Of what was being written to it nothing "
        "is there; every table is as its last version left it. Wait for the other one to end, then run the command "
        "again."
    )


def _damage(_: BaseException, text: str) -> DamagedFileError | None:
    if not _DAMAGED.search(text):
        return None
    return DamagedFileError(
        f"{_first_path(text) or 'A file'} cannot be read: it is cut short, altered, or not of the format that it "
        "should have. Every table is as its last version left it. Replace the file, from the sender or from a copy, "
        "then run the command again."
    )


def _denial(text: str) -> str | None:
    """Whether reading or writing was denied, None where the text does not tell."""
    return next((words for found, words in _DENIED.items() if re.search(found, text)), None)


def _first_path(text: str) -> str | None:
    found = _PATH.search(text)
    return found[1] if found else None
