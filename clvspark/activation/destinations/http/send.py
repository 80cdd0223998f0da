"""Tell a webhook, from the executors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame

from clvspark.activation.destinations.http.courier import Courier
from clvspark.activation.destinations.http.requests import Line, cut_batches, group_columns
from clvspark.activation.destinations.secret import Secret
from clvspark.activation.destinations.sender import OUTCOMES, Delivery, Receipt
from clvspark.activation.destinations.settings import (
    HttpDestination,
    read_secret,
    refuse_address,
)
from clvspark.lakehouse.errors import ConfigError

_OUTCOME = pa.schema([(name, pa.string()) for name in ("outbox_id", "outcome", "error")])


def send_http(lines: DataFrame, delivery: Delivery) -> Receipt:
    """Send the lines in batches, each task its own, at least once and always under the same keys.

    A batch that fails is sent again by the next run. The header with the key covers repetitions within a run; each line
    has its ``outbox_id`` for a receiver that counts over runs, as batches may be cut otherwise then. ConfigError where
    an environment variable is missing.
    """
    destination: HttpDestination = delivery.destination
    url = read_url(destination)
    secrets = {
        header: read_secret(destination.id, variable)
        for header, variable in destination.secret_headers.items()
    }
    # Equal lines make equal batches, in whatever order they come.
    columns = (*group_columns(destination, url.value), "outbox_id")
    spread = (
        lines.coalesce(1)
        if destination.parallel == 1
        else lines.repartition(destination.parallel, "outbox_id")
    )
    send = partial(_send_partition, destination=destination, url=url, secrets=secrets)
    outcomes = spread.sortWithinPartitions(*columns).mapInArrow(send, OUTCOMES)
    # Once it is kept, reading it again sends nothing again.
    return Receipt(outcomes.localCheckpoint())


def read_url(destination: HttpDestination) -> Secret:
    """Address of the webhook."""
    if destination.url_env is None:
        return Secret(str(destination.url))
    secret = read_secret(destination.id, destination.url_env)
    try:
        refuse_address(secret.value)
    except ValueError as fault:
        where = f"activation.destinations.{destination.id}"
        raise ConfigError(where, [f"{destination.url_env} {fault}"]) from None
    return secret


def _send_partition(
    batches: Iterator[pa.RecordBatch],
    *,
    destination: HttpDestination,
    url: Secret,
    secrets: Mapping[str, Secret],
) -> Iterator[pa.RecordBatch]:
    courier = Courier(destination, url, secrets)
    lines: Iterator[Line] = (line for batch in batches for line in batch.to_pylist())
    for cut in cut_batches(lines, group_columns(destination, url.value), destination.batch_rows):
        rows = list(courier.deliver(cut))
        yield pa.RecordBatch.from_pylist(
            [dict(zip(_OUTCOME.names, row, strict=True)) for row in rows], schema=_OUTCOME
        )
