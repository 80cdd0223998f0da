"""A shop that is watched: records and consents of a few customers, and events as they land."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from support.shops import Shop, write_config

AS_OF = date(2026, 4, 2)
TODAY = "2026-04-01"
_RECORD = {name: name for name in ("source_record_id", "given_name", "surname", "email")}
_EVENT = {
    "event_id": "id",
    "event_type": "type",
    "source_record_id": "customer",
    "occurred_at": "at",
    "channel": {"value": "web"},
    "order_id": "order",
    "net_revenue": "amount",
}
_CONSENT = {
    "consent_id": "id",
    "source_record_id": "customer",
    "channel": {"value": "email"},
    "purpose": {"value": "marketing"},
    "val": "val",
    "recorded_at": "at",
}
FILES = [
    {"path": "records*.csv", "format": "csv", "outputs": [{"to": "customer_record", "fields": _RECORD}]},
    {"path": "consents*.csv", "format": "csv", "outputs": [{"to": "consent", "fields": _CONSENT}]},
    {"path": "events*.jsonl", "format": "jsonl", "outputs": [{"to": "event", "fields": _EVENT}]},
]  # fmt: skip
AUDIENCES = [
    {
        "id": "browsing",
        "name": "Looked twice today and did not buy",
        "evaluation": "stream",
        "include": {"event": {"type": "view", "at_least": 2, "within_hours": 24}},
        "exclude": {"event": {"type": "order", "at_least": 1, "within_hours": 24}},
    },
    {
        "id": "bought_today",
        "name": "Bought today",
        "evaluation": "stream",
        "include": {"amount": {"type": "order", "of": "net_revenue", "above": 0, "within_hours": 24}},
    },
]  # fmt: skip
MAILER: dict[str, Any] = {
    "id": "mailer",
    "kind": "file",
    "format": "csv",
    "channel": "email",
    "identifier": "email",
    "hashed": False,
    "audiences": ["browsing", "bought_today"],
}


def open_live_shop(folder: Path, *, customers: int = 24, **sections: Any) -> Shop:
    """Set up a shop whose customers, all with consent but the last, bought something some weeks ago."""
    shop = Shop(folder)
    shop.landing.mkdir(parents=True)
    names = [f"c{n}" for n in range(1, customers + 1)]
    rows = [f"{n},Name{n},Sur{n},{n}@example.com" for n in names]
    (shop.landing / "records1.csv").write_text("\n".join([",".join(_RECORD), *rows, ""]))
    said = [f"s{n},{n},{'n' if n == names[-1] else 'y'},2026-01-01 00:00:00" for n in names]
    (shop.landing / "consents1.csv").write_text("\n".join(["id,customer,val,at", *said, ""]))
    old = [
        order(
            f"old-{name}-{n}",
            name,
            f"2026-0{1 + n % 3}-{5 + (7 * index + n) % 20:02}T10:00:00Z",
            10 + index,
        )
        for index, name in enumerate(names)
        for n in range(1 + index % 5)
    ]
    land(shop, "events0", old)
    attributes = [
        {"column": "email", "kind": "email", "compare": False},
        {"column": "given_name", "kind": "given_name", "compare": False},
    ]
    write_config(
        shop,
        base="base.yaml",
        as_of=AS_OF,
        **{
            "sources": {"systems": [{"system": "shop", "files": FILES}]},
            "identity": {
                "truth": None,
                "settings": {"attributes": attributes, "trusted_identifiers": ["email"]},
            },
            "clv": {
                "holdout_days": 28,
                "decline_days": 14,
                "models": ["NBDModel"],
                "backtest": {"folds": 1},
                "challenger": {"enabled": False},
            },
            "audiences": {"definitions": AUDIENCES},
            "activation": {"destinations": [MAILER], "holdout": {"percent": 0}},
            "stream": {"renew_seconds": 0, "deliver_seconds": 0},
            **sections,
        },
    )
    return shop


def event(id_: str, type_: str, customer: str | None, at: str, **more: Any) -> dict[str, Any]:
    """One event as the shop writes it; a time of day is one of today."""
    instant = at if "T" in at else f"{TODAY}T{at}Z"
    return {"id": id_, "type": type_, "customer": customer, "at": instant, **more}


def order(id_: str, customer: str | None, at: str, amount: float) -> dict[str, Any]:
    """An order of one line."""
    return event(id_, "order", customer, at, order=id_, amount=f"{amount:.2f}")


def land(shop: Shop, name: str, events: Iterable[Mapping[str, Any] | str]) -> None:
    """A file of events lands, whole."""
    lines = [one if isinstance(one, str) else json.dumps(one) for one in events]
    draft = shop.folder / f"{name}.draft"
    draft.write_text("\n".join([*lines, ""]))
    draft.rename(shop.landing / f"{name}.jsonl")


def noon() -> datetime:
    """Some instant of today."""
    return datetime(2026, 4, 1, 12, tzinfo=UTC)
