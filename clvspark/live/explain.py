"""What people are told where a source of the stream is not as the stream left it."""

from __future__ import annotations

from pyspark.errors import StreamingQueryException

from clvspark.lakehouse.errors import MissingInputError

_LOST = (
    "failOnDataLoss",
    "OffsetOutOfRange",
    "DELTA_FILE_NOT_FOUND",
    "DELTA_LOG_FILE_NOT_FOUND",
    "FAILED_READ_FILE",
)
# Of a Delta table that is read.
_CHANGED = (
    "DELTA_SOURCE_TABLE_IGNORE_CHANGES",
    "DELTA_SOURCE_IGNORE_DELETE",
    "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE",
)
_OTHER_COLUMNS = "DELTA_SCHEMA_CHANGED"


def explain(error: StreamingQueryException) -> Exception:
    """What people are told where a source is not as the stream left it; else the error as it is."""
    text = str(error)
    if any(sign in text for sign in _CHANGED):
        return MissingInputError(
            "Rows of a Delta table of 'stream.delta' were changed or removed, or it was made anew; the stream "
            "takes rows that are added. Next step: clvspark stream --restart, which takes what the table holds from "
            "its 'starting_version' on; events that are known count once. Let corrections come as further rows: one "
            "with a known event_id takes the place of the earlier one."
        )
    if _OTHER_COLUMNS in text:
        return MissingInputError(
            "A Delta table of 'stream.delta' has other columns now. Next step: start the stream again; it goes on "
            "where it stopped."
        )
    if not any(sign in text for sign in _LOST):
        return error
    return MissingInputError(
        "A source of the stream no longer has what was not taken yet: records of a topic have expired, a landing file "
        "was removed, or the log of a Delta table was cleaned. Next step: land the missing data as files of their "
        "mapping, if somebody has them; then: clvspark run, and clvspark stream --restart. Keep records, files and "
        "logs for as long as the stream may stand."
    )
