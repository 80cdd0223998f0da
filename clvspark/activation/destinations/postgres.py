"""A table of PostgreSQL: executors copy into a staging table, one transaction makes it the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.destinations.secret import Secret
from clvspark.activation.destinations.sender import OUTCOMES, Delivery, Receipt
from clvspark.activation.destinations.settings import PostgresDestination, read_secret
from clvspark.lakehouse.errors import DeliveryError

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql

_OUTCOME = pa.schema([(name, pa.string()) for name in ("outbox_id", "outcome", "error")])
_TYPES = {"string": "text", "int": "integer", "bigint": "bigint", "double": "double precision"}
_NUL = "\x00"


def send_postgres(lines: DataFrame, delivery: Delivery) -> Receipt:
    """Bring the table to what the lines say: upsert who is added, delete who is removed, in one transaction.

    The table is made where it is missing; its key is ``audience_id`` and the address. A row that is there already as
    the line says is not touched, so a delivery that is repeated changes nothing. A mirror holds nobody else of its
    audiences afterwards, whoever wrote them. Raises DeliveryError, with PostgreSQL's code alone, where it fails.
    """
    destination: PostgresDestination = delivery.destination
    dsn = read_secret(destination.id, destination.dsn_env)
    table = _Target(destination, dict(lines.dtypes))
    with _reported(destination.id), _connect(dsn, destination) as connection:
        table.prepare(connection)
    copy = partial(_copy_partition, table=table, dsn=dsn)
    outcomes = lines.repartition(destination.parallel).mapInArrow(copy, OUTCOMES).localCheckpoint()
    staged = outcomes.where(F.col("outcome") == "accepted").count()
    with _reported(destination.id), _connect(dsn, destination) as connection:
        table.merge(connection, staged)
    return Receipt(outcomes)


class _Target:
    """Statements about one table and its staging table."""

    def __init__(self, destination: PostgresDestination, types: dict[str, str]) -> None:
        self.destination = destination
        self.columns = list(types)
        self.types = [_TYPES[kind] for kind in types.values()]
        schema, _, table = destination.table.rpartition(".")
        self.name = tuple(filter(None, (schema, table)))
        self.staging = tuple(filter(None, (schema, f"clvspark_staging_{destination.id}"[:63])))
        self.key = ("audience_id", destination.address_column)
        self.kept = [name for name in self.columns if name != "operation"]

    def prepare(self, connection: psycopg.Connection) -> None:
        """Make the table where it is missing, and an empty staging table."""
        from psycopg import sql

        kept = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in zip(self.columns, self.types, strict=True)
            if name != "operation"
        ]
        every = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in zip(self.columns, self.types, strict=True)
        ]
        connection.execute(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({}))").format(
                sql.Identifier(*self.name), _listed(kept), _names(self.key)
            )
        )
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(*self.staging)))
        connection.execute(
            sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(
                sql.Identifier(*self.staging), _listed(every)
            )
        )

    def copy(self, connection: psycopg.Connection, rows: Iterator[Sequence[Any]]) -> None:
        """Copy rows into the staging table."""
        from psycopg import sql

        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(*self.staging), _names(self.columns)
        )
        with connection.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def merge(self, connection: psycopg.Connection, staged: int) -> None:
        """Make the staged lines the list, all of them or none; DeliveryError where some of them are missing."""
        from psycopg import sql

        names = {
            "target": sql.Identifier(*self.name),
            "staging": sql.Identifier(*self.staging),
            "key": _names(self.key),
            "kept": _names(self.kept),
            "new": _listed([sql.SQL("excluded.{}").format(sql.Identifier(n)) for n in self.kept]),
            "old": _listed([sql.SQL("t.{}").format(sql.Identifier(n)) for n in self.kept]),
            "same": sql.SQL(" AND ").join(
                sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in self.key
            ),
        }
        found = connection.execute(
            sql.SQL("SELECT count(*) FROM (SELECT DISTINCT {key} FROM {staging}) s").format(**names)
        ).fetchone()
        if found is None or found[0] != staged:
            raise DeliveryError(
                f"activation.destinations.{self.destination.id}: of {staged:,} lines {found[0] if found else 0:,} "
                "arrived in the staging table; nothing was changed. Next step: clvspark activate"
            )
        # A task that was run twice has copied its lines twice.
        connection.execute(
            sql.SQL(
                "INSERT INTO {target} AS t ({kept}) SELECT DISTINCT ON ({key}) {kept} FROM {staging} "
                "WHERE operation = 'add' ORDER BY {key} ON CONFLICT ({key}) DO UPDATE SET ({kept}) = ROW({new}) "
                "WHERE ({old}) IS DISTINCT FROM ({new})"
            ).format(**names)
        )
        connection.execute(
            sql.SQL(
                "DELETE FROM {target} t USING {staging} s WHERE s.operation = 'remove' AND {same}"
            ).format(**names)
        )
        if self.destination.mode == "mirror":
            connection.execute(
                sql.SQL(
                    "DELETE FROM {target} t WHERE t.audience_id = ANY(%s) AND NOT EXISTS "
                    "(SELECT FROM {staging} s WHERE s.operation = 'add' AND {same})"
                ).format(**names),
                [self.destination.audiences],
            )
        connection.execute(sql.SQL("DROP TABLE {staging}").format(**names))


def _copy_partition(
    batches: Iterator[pa.RecordBatch], *, table: _Target, dsn: Secret
) -> Iterator[pa.RecordBatch]:
    """Copy the lines of one task in one transaction; what PostgreSQL cannot hold is rejected by itself."""
    results: list[tuple[str, str, str | None]] = []

    def take() -> Iterator[Sequence[Any]]:
        for batch in batches:
            for line in batch.to_pylist():
                is_bad = any(isinstance(value, str) and _NUL in value for value in line.values())
                reason = "nul_in_text" if is_bad else None
                results.append((line["outbox_id"], "rejected" if is_bad else "accepted", reason))
                if not is_bad:
                    yield [line[name] for name in table.columns]

    with _reported(table.destination.id), _connect(dsn, table.destination) as connection:
        table.copy(connection, take())
    yield pa.RecordBatch.from_pylist(
        [dict(zip(_OUTCOME.names, row, strict=True)) for row in results], schema=_OUTCOME
    )


@contextmanager
def _connect(dsn: Secret, destination: PostgresDestination) -> Iterator[psycopg.Connection]:
    """A connection whose transaction is committed at the end, and rolled back at an error."""
    try:
        import psycopg
    except ModuleNotFoundError:
        raise DeliveryError(
            f"activation.destinations.{destination.id}: the package psycopg is not installed, here or on the "
            "executors. Next step: pip install 'clvspark[postgres]'"
        ) from None
    milliseconds = round(destination.statement_seconds * 1000)
    with psycopg.connect(
        dsn.value,
        connect_timeout=max(2, round(destination.timeout_seconds)),
        options=f"-c statement_timeout={milliseconds}",
        application_name="clvspark",
    ) as connection:
        yield connection


@contextmanager
def _reported(destination: str) -> Iterator[None]:
    """Errors of PostgreSQL by their code: the text may hold a row, a host or a user."""
    try:
        yield
    except Exception as error:
        code = getattr(error, "sqlstate", None)
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise DeliveryError(
            f"activation.destinations.{destination}: PostgreSQL failed ({type(error).__name__}"
            f"{f', code {code}' if code else ''}); nothing was changed. Next step: look the code up in PostgreSQL's "
            "manual, then: clvspark activate"
        ) from None


def _names(names: Sequence[str]) -> sql.Composed:
    from psycopg import sql

    return _listed([sql.Identifier(name) for name in names])


def _listed(parts: Sequence[sql.Composable]) -> sql.Composed:
    from psycopg import sql

    return sql.SQL(", ").join(parts)
