"""Addresses of records in quarantine go with the person, and do not come back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from support.ingest import ingest

from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.privacy.erase import erase_persons
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import EVENT, QUARANTINE, UNREAD_ADDRESS, UNREAD_CONSENT

pytestmark = pytest.mark.slow
APRIL = date(2026, 4, 1)
PERSON = {"source_record_id": "no", "email": "mail", "phone": "tel", "birth_date": "born"}
SALE = {"event_id": "id", "event_type": {"value": "order"}, "channel": {"value": "web"}, "order_id": "id",
        "source_record_id": "mail", "occurred_at": "at", "net_revenue": "paid"}  # fmt: skip
SAID = {"consent_id": "id", "source_record_id": "no", "channel": {"value": "email"}, "reason": "note",
        "purpose": {"value": "marketing"}, "val": "said", "recorded_at": "at"}  # fmt: skip
GUEST = {"source_record_id": "mail", "email": "mail"}
FILES = {
    "people.csv": [
        "no,mail,tel,born",
        "a,ann@example.org,+49 170 1234567,1980-01-01",
        "z,Ann@example.org,,1980-02-31",  # in quarantine, with her e-mail
        "t,,0170 1234567,1980-02-31",  # with her number
        "b,bob@example.org,,1980-02-31",
    ],
    # His refusal names her address, and is his.
    "consents.csv": ["id,no,said,note,at", "1,b,nope,ann@example.org,2026-03-01"],
    "sales.csv": ["id,mail,at,paid", "1,ann@example.org,2026-03-01,much"],
}


def addresses(lake: Lakehouse) -> list[str]:
    return [row["address"] for row in lake.read(UNREAD_ADDRESS).collect()]


def test_no_address_of_hers_is_left_or_comes_back(lake: Lakehouse, tmp_path: Path) -> None:
    for name, lines in FILES.items():
        (tmp_path / name).write_text("\n".join([*lines, ""]))
    outputs = {
        "people.csv": [{"to": "customer_record", "fields": PERSON}],
        "consents.csv": [{"to": "consent", "fields": SAID}],
        "sales.csv": [
            {"to": "event", "fields": SALE},
            {"to": "customer_record", "derived": True, "fields": GUEST},
        ],
    }
    files = [{"path": path, "format": "csv", "outputs": made} for path, made in outputs.items()]
    given = {"landing": str(tmp_path), "systems": [{"system": "crm", "files": files}]}
    config = SourcesConfig.model_validate(given)
    ingest(lake, config)
    assert len(addresses(lake)) == 4
    link = {"source_system": "crm", "source_record_id": "a", "person_id": "ann", "valid_from": APRIL,
            "reason": "single", "probability": 1, "recorded_at": "2026-04-01 06:00:00"}  # fmt: skip
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, [link]))

    assert erase_persons(lake, ["crm:a"], requested_on=APRIL)[UNREAD_ADDRESS.name] == 3
    assert addresses(lake) == ["bob@example.org"]
    lake.log.forget_everything()
    ingest(lake, config)

    assert addresses(lake) == ["bob@example.org"]
    refused = [row["source_record_id"] for row in lake.read(UNREAD_CONSENT).collect()]
    assert refused == ["b"]
    assert lake.read(EVENT).count() == 0
    shown = [row["raw"] for row in lake.read(QUARANTINE).collect() if row["raw"]]
    assert [raw for raw in shown if "ann@" in raw.lower()] == []
