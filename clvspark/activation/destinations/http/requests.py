"""What the requests of a batch of lines hold, in the form that the platform takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from clvspark.activation.destinations.settings import HttpDestination

Line = dict[str, Any]
# Columns that tell which lines may go into one request.
_GROUPS = {
    "plain": (),
    "tiktok": (),
    "google": ("audience_id",),
    "meta": ("audience_id", "operation"),
}


@dataclass(frozen=True)
class Batch:
    """Lines that go out in one request, all in it or none."""

    lines: Sequence[Line]

    @property
    def ids(self) -> list[str]:
        """Keys of the lines."""
        return [line["outbox_id"] for line in self.lines]

    @property
    def key(self) -> str:
        """Idempotency key: the same for the same lines, however often they are sent."""
        return hashlib.sha256("|".join(self.ids).encode()).hexdigest()

    def halves(self) -> tuple[Batch, Batch]:
        """The batch in two, to find the line that is not taken."""
        middle = len(self.lines) // 2
        return Batch(self.lines[:middle]), Batch(self.lines[middle:])


@dataclass(frozen=True)
class Request:
    """One request, without the secrets that go with it."""

    method: str
    url: str
    body: bytes


def group_columns(destination: HttpDestination, url: str) -> tuple[str, ...]:
    """Columns of which all lines of a batch have the same values."""
    own: tuple[str, ...] = _GROUPS[destination.layout]
    return own or (("audience_id",) if "{audience_id}" in url else ())


def cut_batches(lines: Iterable[Line], columns: Sequence[str], rows: int) -> Iterator[Batch]:
    """Batches of at most `rows` lines that agree in `columns`; lines come in the order of these."""
    batch: list[Line] = []
    for line in lines:
        other = batch and any(line[name] != batch[0][name] for name in columns)
        if other or len(batch) == rows:
            yield Batch(batch)
            batch = []
        batch.append(line)
    if batch:
        yield Batch(batch)


def build_request(batch: Batch, destination: HttpDestination, url: str) -> Request:
    """The request that tells a batch."""
    first = batch.lines[0]
    address = url.replace("{audience_id}", quote(first["audience_id"], safe=""))
    method, body = "POST", _plain(batch, destination)
    if destination.layout == "meta":
        method = "POST" if first["operation"] == "add" else "DELETE"
        body = _meta(batch, destination)
    elif destination.layout == "google":
        body = {"operations": [_google(line, destination) for line in batch.lines]}
    return Request(method, address, json.dumps(body, separators=(",", ":")).encode())


def _plain(batch: Batch, destination: HttpDestination) -> dict[str, Any]:
    return {"destination": destination.id, "changes": list(batch.lines)}


def _meta(batch: Batch, destination: HttpDestination) -> dict[str, Any]:
    """Rows under a schema; who is removed is named by the address alone."""
    is_add = batch.lines[0]["operation"] == "add"
    schema = [destination.address_column, *(["LOOKALIKE_VALUE"] if is_add else [])]
    rows = [[_or_zero(line[name]) for name in schema] for line in batch.lines]
    return {"payload": {"schema": schema, "data": rows}}


def _or_zero(value: Any) -> Any:
    """Of whom no value is known the platform is told that they are worth nothing."""
    return 0 if value is None else value


def _google(line: Line, destination: HttpDestination) -> dict[str, Any]:
    """A user of a customer-match list, to be created or removed."""
    name = "hashedEmail" if destination.identifier == "email" else "hashedPhoneNumber"
    user: dict[str, Any] = {"userIdentifiers": [{name: line[destination.address_column]}]}
    if line["operation"] == "remove":
        return {"remove": user}
    attributes = {
        "lifetimeValueMicros": line["lifetime_value_micros"],
        "lifetimeValueBucket": line["lifetime_value_bucket"],
        "lifecycleStage": line["lifecycle_stage"],
    }
    known = {name: value for name, value in attributes.items() if value is not None}
    return {"create": {**user, **({"userAttribute": known} if known else {})}}
