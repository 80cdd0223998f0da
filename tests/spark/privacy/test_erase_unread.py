"""Records in quarantine: what names an erased person is hidden for good, what others refused stays."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from support.ingest import ingest, land
from support.lists import sha256

from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.privacy.erase import erase_persons
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import (
    CONSENT,
    CUSTOMER_RECORD,
    EVENT,
    QUARANTINE,
    UNREAD_ADDRESS,
    UNREAD_CONSENT,
)

pytestmark = pytest.mark.slow
APRIL = date(2026, 4, 1)
ANN = "ann@example.org"
PERSON = {"source_record_id": "no", "email": "mail", "phone": "tel", "birth_date": "born"}
SALE = {"event_id": "id", "event_type": {"value": "order"}, "channel": {"value": "web"}, "order_id": "id",
        "source_record_id": "mail", "occurred_at": "at", "net_revenue": "paid"}  # fmt: skip
SAID = {"consent_id": "id", "source_record_id": "no", "channel": {"value": "email"}, "reason": "note",
        "purpose": {"value": "marketing"}, "val": "said", "recorded_at": "at"}  # fmt: skip
GUEST = {"source_record_id": "mail", "email": "mail"}
FILES = {
    "people.csv": [
        "no,mail,tel,born",
        f"a,{ANN},+49 170 1234567,1980-01-01",
        "z,Ann@example.org,,1980-02-31",  # in quarantine, with her e-mail
        "c,,0170 1234567,1980-02-31",  # of who has her number, too
        "o,o'brien@example.org,,1980-02-31",
    ],
    "consents.csv": [
        "id,no,said,note,at",
        f"1,b,nope,{ANN},2026-03-01",  # his, though it names her
        f"2,{ANN},nope,,2026-03-01",
        f"3,{ANN},n,,2026-03-01",
        "4,d,nope,o'brien@example.org,2026-03-01",
    ],
    "sales.csv": ["id,mail,at,paid", f"1,{ANN},2026-03-01,much"],
}


def take(lake: Lakehouse, folder: Path) -> SourcesConfig:
    """Ingest all files; who landed is a person of their own."""
    outputs = {
        "people.csv": [{"to": "customer_record", "fields": PERSON}],
        "consents.csv": [{"to": "consent", "fields": SAID}],
        "sales.csv": [
            {"to": "event", "fields": SALE},
            {"to": "customer_record", "derived": True, "fields": GUEST},
        ],
    }
    config = land(folder, FILES, outputs, system="crm")
    ingest(lake, config)
    link = {"source_system": "crm", "valid_from": APRIL, "reason": "single", "probability": 1,
            "recorded_at": "2026-04-01 06:00:00"}  # fmt: skip
    landed = [row["source_record_id"] for row in lake.read(CUSTOMER_RECORD).collect()]
    links = [{**link, "source_record_id": record, "person_id": record} for record in landed]
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(lake.spark, links))
    return config


def find_ann(lake: Lakehouse) -> list[str]:
    """Tables that hold her e-mail in plain."""
    tables = (QUARANTINE, UNREAD_ADDRESS, UNREAD_CONSENT, EVENT, CONSENT)
    return [t.name for t in tables if ANN in str(lake.read(t).collect()).lower()]


def records(lake: Lakehouse) -> set[tuple[str, str]]:
    return {
        (table.name, row["source_record_id"])
        for table in (UNREAD_ADDRESS, UNREAD_CONSENT)
        for row in lake.read(table).collect()
    }


def test_what_names_her_goes_for_good_and_what_others_refused_stays(
    lake: Lakehouse, tmp_path: Path
) -> None:
    config = take(lake, tmp_path)
    assert set(find_ann(lake)) == {"sources.quarantine", "sources.unread_address",
                                   "sources.unread_consent", "sources.consent"}  # fmt: skip

    erase_persons(lake, ["crm:a"], requested_on=APRIL)
    kept = {("sources.unread_address", record) for record in "zco"}
    kept |= {("sources.unread_consent", record) for record in "bd"}
    assert (find_ann(lake), records(lake)) == ([], kept)
    lake.log.forget_everything()
    ingest(lake, config)

    assert (find_ann(lake), records(lake)) == ([], kept)
    digests = {row["address_sha256"] for row in lake.read(UNREAD_ADDRESS).collect()}
    assert digests == {sha256(ANN), sha256("701234567"), sha256("o'brien@example.org")}
    erase_persons(lake, ["crm:b"], requested_on=APRIL)
    assert lake.read(QUARANTINE).where("source_record_id = 'b'").count() == 0, (
        "the row that mentioned her was blank already"
    )


def test_her_e_mail_is_found_where_only_a_record_in_quarantine_had_it(
    lake: Lakehouse, tmp_path: Path
) -> None:
    take(lake, tmp_path)
    erase_persons(lake, ["crm:z", "crm:o"], requested_on=APRIL)
    shown = [row["raw"] or "" for row in lake.read(QUARANTINE).collect()]
    assert [raw for raw in shown if ANN in raw.lower() or "brien" in raw] == []
    # Her record that has landed stays, and with it what is of it: nobody has asked for that.
    assert {record for _, record in records(lake)} == {"c", "b", "d", ANN}


def test_an_e_mail_of_who_stays_takes_no_guest_with_it(lake: Lakehouse, tmp_path: Path) -> None:
    take(lake, tmp_path)
    twin = {"source_system": "crm", "source_record_id": "twin", "email": ANN}
    lake.append(CUSTOMER_RECORD, CUSTOMER_RECORD.rows(lake.spark, [twin]))
    erase_persons(lake, ["crm:a"], requested_on=APRIL)
    assert ANN in {record for _, record in records(lake)}
