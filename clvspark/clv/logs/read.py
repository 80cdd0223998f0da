"""Read a transaction log, CSV or Parquet, into purchase days of customers, in DuckDB."""

from __future__ import annotations

import glob
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from clvspark.clv.logs.columns import LogColumns, is_text, refuse_missing_columns, unreadable
from clvspark.clv.logs.errors import TransactionLogError
from clvspark.lakehouse.errors import ConfigError, MissingInputError

# Money sums exactly, in any order and on any number of threads. Eighteen digits are read forty times as fast as more.
_MONEY = "DECIMAL(18, 6)"
# A dot anywhere but before three digits is no mark of groups: 12.50 is not read as 1250.
_WITH_COMMA = r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d*)?"


@dataclass(frozen=True)
class TransactionLog:
    """A log in the table ``purchase_day`` of `connection`: ``customer, day, value``, one row per customer and day.

    Several transactions of a customer on one day are one purchase whose values are summed, exactly.
    """

    connection: duckdb.DuckDBPyConnection
    where: str
    has_values: bool
    first_day: date
    last_day: date
    rows: int
    skipped_rows: int
    rows_after_today: int


@contextmanager
def open_log(
    path: str | Path, columns: LogColumns, *, skip_faulty_rows: bool = False
) -> Iterator[TransactionLog]:
    """Read a log; it lasts as long as the block.

    A row is a transaction: a customer, a date, and a value >= 0 if `columns` names one; zero is a purchase. With
    `skip_faulty_rows` rows without a customer, with a date that cannot be read, or with a missing or negative value are
    left out and counted, otherwise they raise `TransactionLogError`, which counts them. MissingInputError where there
    is no file that can be read, ConfigError for columns that it does not have.
    """
    with (
        tempfile.TemporaryDirectory(prefix="clvspark-log-") as spill,
        duckdb.connect(":memory:", config={"temp_directory": spill}) as connection,
    ):
        connection.execute(
            "SET enable_progress_bar = false; SET preserve_insertion_order = false; SET TimeZone = 'UTC'"
        )
        _refuse_date_format(connection, columns)
        try:
            types = _open_file(connection, Path(path))
            refuse_missing_columns(path, columns, list(types))
            connection.execute(_group_by_day(columns, types))
        except duckdb.Error as error:
            raise unreadable(path, columns, error) from None
        yield _checked(connection, path, columns, skip_faulty_rows)


def _refuse_date_format(connection: duckdb.DuckDBPyConnection, columns: LogColumns) -> None:
    """ConfigError for signs that strptime does not know: else the file would be blamed."""
    if columns.date_format is None:
        return
    try:
        connection.execute("SELECT try_strptime('', ?)", [columns.date_format])
    except duckdb.Error:
        fault = f"{columns.date_format!r} is no format of strptime; a day is written with %d, %m and %Y: %d/%m/%Y"
        raise ConfigError("date format", [fault]) from None


def _open_file(connection: duckdb.DuckDBPyConnection, file: Path) -> dict[str, str]:
    """Create the view ``transaction``; return its columns with their types."""
    if not file.exists():
        raise MissingInputError(
            f"{file} does not exist; name a CSV or Parquet file of transactions."
        )
    # A name may hold signs for which others could stand.
    name = glob.escape(str(file))
    if is_text(file):
        if file.stat().st_size == 0:
            raise MissingInputError(f"{file} is empty; name a CSV file with a header.")
        found = connection.read_csv(name, header=True, all_varchar=True)
    else:
        found = connection.read_parquet(f"{name}/**/*.parquet" if file.is_dir() else name)
    found.create_view("transaction")
    return dict(zip(found.columns, map(str, found.types), strict=True))


def _group_by_day(columns: LogColumns, types: dict[str, str]) -> str:
    """Purchase days with what is wrong with their rows; rows without customer or day are groups of their own."""
    value = f"TRY_CAST({_number(columns, types)} AS {_MONEY})" if columns.value else f"0::{_MONEY}"
    return f"""
        CREATE TABLE purchase_day AS
        WITH parsed AS (
            SELECT {_customer(columns.customer, types)} AS customer, {_day(columns, types)} AS day, {value} AS value
            FROM transaction
        )
        SELECT
            customer, day,
            sum(value) FILTER (value >= 0) AS value,
            count(*) AS row_count,
            count(*) FILTER (value IS NULL) AS unpriced,
            count(*) FILTER (value < 0) AS negative
        FROM parsed GROUP BY customer, day
    """


def _customer(name: str, types: dict[str, str]) -> str:
    column = _quoted(name)
    if types[name] == "VARCHAR":
        return f"nullif(trim({column}), '')"
    if types[name] in {"FLOAT", "DOUBLE"}:
        return f"nullif({column}, 'nan'::{types[name]})"
    return column


def _number(columns: LogColumns, types: dict[str, str]) -> str:
    """The value, of a text what a cast reads as the number it stands for, NULL where it is not written as told."""
    column = _quoted(columns.value)
    if not columns.decimal_comma or types[columns.value or ""] != "VARCHAR":
        return column
    text = f"trim({column})"
    plain = f"replace(replace({text}, '.', ''), ',', '.')"
    return f"CASE WHEN regexp_full_match({text}, '{_WITH_COMMA}') THEN {plain} END"


def _day(columns: LogColumns, types: dict[str, str]) -> str:
    column = _quoted(columns.date)
    if types[columns.date] == "DATE" or types[columns.date].startswith("TIMESTAMP"):
        return f"CASE WHEN isfinite({column}) THEN CAST({column} AS DATE) END"
    text = f"trim(CAST({column} AS VARCHAR))"
    if columns.date_format:
        pattern = columns.date_format.replace("'", "''")
        return f"CAST(try_strptime({text}, '{pattern}') AS DATE)"
    # Only what can be read in one way: the year first.
    return f"""CASE
        WHEN {text}[5] IN ('-', '/') THEN TRY_CAST({text} AS DATE)
        WHEN regexp_full_match({text}, '[0-9]{{8}}([ T].*)?')
        THEN TRY_CAST({text}[1:4] || '-' || {text}[5:6] || '-' || {text}[7:8] AS DATE)
    END"""


def _checked(
    connection: duckdb.DuckDBPyConnection,
    path: str | Path,
    columns: LogColumns,
    skip_faulty_rows: bool,
) -> TransactionLog:
    rows, no_customer, no_day, no_value, negative = _count_faults(connection)
    if rows == 0:
        raise TransactionLogError(str(path), ["holds no transactions, only a header"])
    if not skip_faulty_rows:
        _refuse_faults(path, columns, rows, (no_customer, no_day, no_value, negative))
    connection.execute(
        "DELETE FROM purchase_day WHERE customer IS NULL OR day IS NULL OR value IS NULL"
    )
    kept, first, last, later = _row(
        connection,
        "SELECT sum(row_count - unpriced - negative)::BIGINT, min(day), max(day), "
        f"coalesce(sum(row_count) FILTER (day > DATE '{today()}'), 0)::BIGINT FROM purchase_day",
    )
    if not kept:
        raise TransactionLogError(str(path), ["every row is faulty, so that none is left"])
    return TransactionLog(
        connection, str(path), columns.value is not None, first, last, rows, rows - kept, later
    )


def today() -> date:
    """The day in UTC: no transaction is later, and nobody has been observed for longer."""
    return datetime.now(UTC).date()


def _count_faults(connection: duckdb.DuckDBPyConnection) -> tuple[int, ...]:
    """Rows; of them without customer, without day, without value, with a negative value."""
    return _row(
        connection,
        """
        SELECT
            coalesce(sum(row_count), 0)::BIGINT,
            coalesce(sum(row_count) FILTER (customer IS NULL), 0)::BIGINT,
            coalesce(sum(row_count) FILTER (day IS NULL), 0)::BIGINT,
            coalesce(sum(unpriced), 0)::BIGINT,
            coalesce(sum(negative), 0)::BIGINT
        FROM purchase_day
        """,
    )


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The one row of an aggregate."""
    return connection.execute(query).fetchall()[0]


def _refuse_faults(
    path: str | Path, columns: LogColumns, rows: int, counts: tuple[int, ...]
) -> None:
    dates = (
        f"dates written as {columns.date_format}"
        if columns.date_format
        else "dates as 2024-12-31 or 20241231, with or without a time; --date-format says how others are written"
    )
    numbers = (
        "numbers such as 1.234,50 or 1234,50"
        if columns.decimal_comma
        else "numbers such as 1234.50 (--decimal-comma reads 1.234,50)"
    )
    kinds = (
        (columns.customer, "name no customer", "any text or number"),
        (columns.date, "hold no date that can be read", dates),
        (columns.value, "hold no number", f"{numbers}, below 1,000,000,000,000"),
        (
            columns.value,
            "hold a negative value",
            "numbers >= 0; net refunds against their purchases, or leave them out",
        ),
    )
    faults = [
        f"column {column!r}: {count:,} of {rows:,} rows {what}; allowed: {allowed}"
        for (column, what, allowed), count in zip(kinds, counts, strict=True)
        if count
    ]
    if faults:
        without = "name another column, or say how it is written"
        left_out = "correct these rows, or leave them out: --skip-faulty-rows"
        raise TransactionLogError(
            str(path), faults, next_step=without if rows in counts else left_out
        )


def _quoted(name: str | None) -> str:
    return '"' + str(name).replace('"', '""') + '"'
