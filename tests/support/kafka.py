"""The broker of the tests: real where it can be had, which it always can in CI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import kafka_broker
from clvspark.lakehouse.runtime import SetupError
from support.needs import lack


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """A broker with its data in `folder`, as ``host:port``; a machine that cannot have one lacks it."""
    try:
        kafka_broker.broker_jars()
    except SetupError as error:
        lack(f"a machine without a network: {error}")
    with kafka_broker.kafka(folder) as address:
        yield address
