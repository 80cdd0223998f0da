"""What a configuration names beside the machine: MLflow, Kafka, PostgreSQL, secrets, the lakehouse folder."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from clvspark.config import Config
from clvspark.doctor.check import Missing, NotExamined
from clvspark.lakehouse.formats import format_of, refuse_other_format
from clvspark.lakehouse.run_log import RUN
from clvspark.lakehouse.table_log import folder_of, is_table, read_table_log
from clvspark.lakehouse.tracking import open_tracker

_PATIENCE_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


def keep_models(config: Config | None) -> str:
    """The MLflow that models are registered in answers; without a server, a store in a temporary folder."""
    named = (config.identity.mlflow_uri, config.clv.mlflow_uri) if config else ()
    uris = sorted({uri for uri in named if uri})
    if not uris:
        with tempfile.TemporaryDirectory(prefix="clvspark-doctor-") as folder:
            open_tracker(None, "doctor", Path(folder))
        return "a SQLite store, made and opened"
    for uri in uris:
        parts = urlsplit(uri)
        if parts.scheme in _PORTS and parts.hostname:
            # MLflow's own client tries for minutes.
            _reach(parts.hostname, parts.port or _PORTS[parts.scheme])
        _list_experiments(uri)
    return f"{len(uris)} stores answer"


def reach_kafka(config: Config | None) -> str:
    """Of the brokers of each destination of kind kafka, one takes a connection."""
    destinations = [d for d in _given(config).activation.destinations if d.kind == "kafka"]
    _refuse_none(destinations, "kafka")
    for destination in destinations:
        _reach_any(destination.id, destination.bootstrap_servers)
    return f"the brokers of {_named([d.id for d in destinations])} take connections"


def reach_postgres(config: Config | None) -> str:
    """Each destination of kind postgres answers a statement."""
    destinations = [d for d in _given(config).activation.destinations if d.kind == "postgres"]
    _refuse_none(destinations, "postgres")
    for destination in destinations:
        _select_one(destination.id, destination.dsn_env)
    return f"{_named([d.id for d in destinations])} answer"


def find_secrets(config: Config | None) -> str:
    """The environment variables that destinations name are set; their values are not looked at."""
    named: set[str] = set()
    for destination in _given(config).activation.destinations:
        if destination.kind == "http":
            named |= {*destination.secret_headers.values()}
            named |= {destination.url_env} if destination.url_env else set()
        elif destination.kind == "kafka":
            named |= {*destination.secret_options.values()}
        elif destination.kind == "postgres":
            named.add(destination.dsn_env)
    if not named:
        raise NotExamined("no destination names an environment variable")
    if unset := sorted(name for name in named if not os.environ.get(name)):
        raise Missing(f"not set: {', '.join(unset)}")
    return _named(sorted(named))


def write_lakehouse(config: Config | None) -> str:
    """The folder of the lakehouse, or the nearest one above it that is there, takes a file."""
    root = _given(config).lakehouse.local_root
    if root is None:
        raise NotExamined("tables are kept in a catalog or on remote storage")
    folder = next(above for above in (root, *root.parents) if above.is_dir())
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"clvspark")
    return str(root)


def know_format(config: Config | None) -> str:
    """The lakehouse in the folder, if there is one, has the format of this clvspark."""
    root = _given(config).lakehouse.local_root
    if root is None:
        raise NotExamined("tables are kept in a catalog or on remote storage")
    log = folder_of(root, RUN.name)
    if not is_table(log):
        raise NotExamined("nothing has run there yet")
    properties = read_table_log(log).properties
    refuse_other_format(properties)
    return str(format_of(properties))


def _given(config: Config | None) -> Config:
    """The configuration; without one there is nothing to examine."""
    if config is None:
        raise NotExamined("no --config was given")
    return config


def _refuse_none(destinations: Sequence[object], kind: str) -> None:
    if not destinations:
        raise NotExamined(f"no destination of kind {kind} is configured")


def _reach(host: str, port: int) -> None:
    """Missing where nobody takes a connection."""
    try:
        socket.create_connection((host, port), timeout=_PATIENCE_SECONDS).close()
    except OSError as error:
        raise Missing(f"{host}:{port} takes no connection ({type(error).__name__})") from None


def _reach_any(destination: str, servers: str) -> None:
    faults = []
    for server in servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            _reach(host.strip("[]"), int(port))
        except (Missing, ValueError) as fault:
            faults.append(str(fault) if isinstance(fault, Missing) else f"{server} has no port")
        else:
            return
    raise Missing(f"activation.destinations.{destination}: {'; '.join(faults)}")


def _select_one(destination: str, variable: str) -> None:
    """Missing, with the kind of the error alone: its text may hold the connection string."""
    dsn = os.environ.get(variable)
    if not dsn:
        raise Missing(f"activation.destinations.{destination}: {variable} is not set")
    try:
        import psycopg
    except ImportError:
        raise Missing("the package psycopg is not installed") from None
    try:
        with psycopg.connect(dsn, connect_timeout=round(_PATIENCE_SECONDS)) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        code = f", code {error.sqlstate}" if error.sqlstate else ""
        raise Missing(
            f"activation.destinations.{destination}: {type(error).__name__}{code}"
        ) from None


def _list_experiments(uri: str) -> None:
    from mlflow import MlflowClient

    MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments(max_results=1)


def _named(names: list[str]) -> str:
    return ", ".join(names)
