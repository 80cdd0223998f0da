"""Senders by kind of destination."""

from __future__ import annotations

from clvspark.activation.destinations.files import send_files
from clvspark.activation.destinations.http import send_http
from clvspark.activation.destinations.kafka import send_kafka
from clvspark.activation.destinations.postgres import send_postgres
from clvspark.activation.destinations.sender import Sender

SENDERS: dict[str, Sender] = {
    "file": send_files,
    "http": send_http,
    "kafka": send_kafka,
    "postgres": send_postgres,
}
