"""Statements of consent that cannot be read are told and count as refusals, until they can."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from pyspark.sql import Row
from support.ingest import ingest, land
from support.lists import sha256

from clvspark.lakehouse import Lakehouse
from clvspark.sources.tables import (
    CONSENT,
    CUSTOMER_RECORD,
    EVENT,
    QUARANTINE,
    UNREAD_ADDRESS,
    UNREAD_CONSENT,
)
from clvspark.sources.unread_consent import warn_of_unread

CONSENTS = {"consent_id": "id", "source_record_id": "no", "channel": "how", "purpose": "why", "val": "said",
            "recorded_at": "at"}  # fmt: skip
SENDINGS = {"event_id": "id", "source_record_id": "no", "event_type": "what", "channel": {"value": "email"},
            "occurred_at": "at"}  # fmt: skip
ORDERED = {"event_id": "id", "source_record_id": "no", "event_type": {"value": "order"}, "channel": {"value": "web"},
           "occurred_at": "at", "order_id": "id", "net_revenue": {"value": 1}}  # fmt: skip
AT_CHECKOUT = {"consent_id": "id", "source_record_id": "no", "channel": {"value": "email"},
               "purpose": {"value": "marketing"}, "val": {"from": "opt_in", "map": {"yes": "y", "no": "n"}},
               "recorded_at": "at"}  # fmt: skip
RECORDS = "abcdefghijklmnopq"
FILES = {
    "people.csv": ["no", *RECORDS],
    "consents_1.csv": [
        "id,no,how,why,said,at",
        *(f"yes-{no},{no},email,marketing,y,2025-01-01" for no in RECORDS),
        "1,a,Email,Marketing,N,2026-02-01",  # read, however it is capitalised
        "2,b,email,marketing,No,2026-02-01",
        "3,c,email,marketing,n,2026-02-30",
        "4,d,e-mail,marketing,n,",
        "5,e,email,,nope,2026-02-01",
        "6,f,email,marketing,y,2026-02-30",  # a yes
        "7,g,email,research,No,2026-02-01",  # of something else
        "8,h,email,marketing,No,2026-02-01",  # corrected by the next file
        "9,i,email,marketing,No,2026-02-01",  # said again, and later
        "9,i,email,marketing,n,2026-03-01",
        "10,j,email,marketing,n,2026-02-01",
        "10,j,email,marketing,n,2026-02-01",  # a copy
        "11,k,email,research,n,2026-02-01",
        "12,,email,marketing,No,2026-02-01",  # of nobody
        "13,n,email,marketing,No,2026-02-01",  # the form says more, later, but not of that
        "13,n,sms,marketing,y,2026-03-01",
        "13,n,email,research,y,2026-03-01",
        "13,o,email,marketing,y,2026-03-01",
    ],
    "orders.csv": [
        "id,no,at,opt_in",
        "1,p,2026-02-01,nein",  # derived of an order
        "2,q,2026-02-01,",  # nothing was said
        "3,o,2026-02-01,yes",
        "4,,2026-02-01,nein",  # of nobody
    ],
    "consents_2.csv": ["id,no,how,why,said,at", "8,h,email,marketing,n,2026-02-01"],
    "sent.csv": [
        "id,no,what,at",
        "1,l,email_unsubscribed,2026-02-30",
        "2,m,email_opened,2026-02-30",
        "23,q,push_unsubscribed,2026-02-30",
        "24,q,sms_unsubscribed,2026-02-01",
    ],
}


def test_what_could_not_be_read_is_told_and_kept_by_record(lake: Lakehouse, tmp_path: Path) -> None:
    outputs = {
        "people.csv": [{"to": "customer_record", "fields": {"source_record_id": "no"}}],
        "consents_*.csv": [{"to": "consent", "fields": CONSENTS}],
        "sent.csv": [{"to": "event", "fields": SENDINGS}],
        "orders.csv": [
            {"to": "event", "fields": ORDERED},
            {"to": "consent", "derived": True, "fields": AT_CHECKOUT},
        ],
    }
    report = ingest(lake, land(tmp_path, FILES, outputs, system="crm"))

    refused = lake.read(CONSENT).where("val = 'n'").collect()
    assert {row["source_record_id"] for row in refused} == set("ahijk")
    day = datetime(2026, 2, 1)  # noqa: DTZ001 - Spark's rows name no zone
    unread = lake.read(UNREAD_CONSENT).collect()
    taken = {row["event_id"]: row["event_type"] for row in lake.read(EVENT).collect()}
    assert taken["crm:24"] == "sms_unsubscribed"
    assert {r["source_record_id"]: (r["channel"], r["recorded_at"]) for r in unread} == {
        "b": ("email", day),
        "c": ("email", None),
        "d": ("any", None),
        "e": ("email", day),
        "l": ("email", None),
        "n": ("email", day),
        "p": ("email", day),
        "q": ("push", None),
    }
    derived = lake.read(QUARANTINE).where("file_name = 'orders.csv'").collect()
    assert [(row["reason"], row["source_record_id"]) for row in derived] == [("bad_value:val", "p")]
    of_consent = [text for text in report.warnings if text.startswith("sources.consent")]
    assert [text.split(", ")[0].split(". ")[0] for text in of_consent] == [
        "sources.consent: 8 statements of 8 records of the system crm could not be read",
        "sources.consent: 2 of 26 statements of the system crm have another purpose than 'marketing'",
    ]


def test_a_system_without_such_statements_is_not_told() -> None:
    read = Row(source_system="crm", rows=7, other_purpose=0, unread=None, records=None)
    assert warn_of_unread([read]) == []


PERSON = {"source_record_id": "no", "email": "mail", "phone": "tel", "created_at": "at"}
GUEST = {"source_record_id": "mail", "email": "mail"}
SAID = {**AT_CHECKOUT, "source_record_id": "mail"}
BOUGHT = {**ORDERED, "source_record_id": "mail", "net_revenue": "paid"}
LOST = {
    "people.csv": [
        "no,mail,tel,at",
        "a,ann@example.org,,2026-01-01",
        "b,Bob@example.org,0170 1,2026-02-30",  # in quarantine, as its day is none
        "c,,,2026-02-30",
        ",dan@example.org,,2026-02-30",  # of nobody
        "e,eve@example.org,,2026-01-01",
        "e,eva@example.org,,2025-01-01",  # an older row of a record that was read
    ],
    "sales.csv": [
        "id,mail,at,opt_in,paid",
        "1,fay@example.org,2026-02-01,no,1",
        "2,gus@example.org,2026-02-01,no,much",  # in quarantine, as its amount is none
        "3,hal@example.org,2026-02-01,yes,much",
        "4,ida@example.org,2026-02-01,,much",  # nothing was said
        "5,jon@example.org,2026-02-01,no,1",
        "5,jon@example.org,2026-02-01,no,1",  # a copy
        "6,kim@example.org,,no,1",  # in quarantine, as its day is missing
    ],
}


def test_a_record_in_quarantine_keeps_its_address_and_what_was_refused_with_a_row(
    lake: Lakehouse, tmp_path: Path
) -> None:
    outputs = {
        "people.csv": [{"to": "customer_record", "fields": PERSON}],
        "sales.csv": [
            {"to": "event", "fields": BOUGHT},
            {"to": "customer_record", "derived": True, "fields": GUEST},
            {"to": "consent", "derived": True, "fields": SAID},
        ],
    }
    ingest(lake, land(tmp_path, LOST, outputs, system="shop"))

    read = {row["source_record_id"] for row in lake.read(CUSTOMER_RECORD).collect()}
    assert read == {"a", "e", "fay@example.org", "jon@example.org"}
    assert lake.read(EVENT).count() == 2
    unread = lake.read(UNREAD_CONSENT).collect()
    assert {r["source_record_id"]: r["recorded_at"] is None for r in unread} == {
        "gus@example.org": False,
        "kim@example.org": True,
    }
    told = lake.read(UNREAD_ADDRESS).where("NOT source_record_id LIKE '%@%'").collect()
    assert {tuple(row)[1:] for row in told} == {
        ("b", "email", sha256("bob@example.org")),
        ("b", "phone", sha256("01701")),
    }
    guests = lake.read(UNREAD_ADDRESS).where("source_record_id LIKE '%@%'").collect()
    assert {row["address_sha256"]: row["source_record_id"] for row in guests} == {
        sha256(f"{name}@example.org"): f"{name}@example.org"
        for name in ("gus", "hal", "ida", "kim")
    }
    lost = lake.read(QUARANTINE).where("target_table <> 'sources.event'").collect()
    assert len(lost) == 4, "what a row in quarantine would have made is not counted again"


@pytest.mark.parametrize(("condition", "unread"), [("left", "c"), (None, "bc")])
def test_what_a_mapping_says_of_everybody_is_said_of_those_alone_that_it_means(
    lake: Lakehouse, tmp_path: Path, condition: str | None, unread: str
) -> None:
    """A list of who has left: all of them have, whether or not it says when; of customers those with a day."""
    rows = ["no,left", "a,2026-02-01", "b,", "c,2026-02-30"]
    left = {"consent_id": "no", "source_record_id": "no", "channel": {"value": "email"},
            "purpose": {"value": "marketing"}, "val": {"value": "n"}, "recorded_at": "left"}  # fmt: skip
    outputs = [
        {"to": "customer_record", "fields": {"source_record_id": "no"}},
        {"to": "consent", "derived": True, "fields": left, "if_filled": condition},
    ]
    ingest(lake, land(tmp_path, {"people.csv": rows}, {"people.csv": outputs}, system="crm"))

    said = lake.read(CONSENT).collect()
    assert [row["source_record_id"] for row in said] == ["a"]
    found = lake.read(UNREAD_CONSENT).collect()
    assert {row["source_record_id"] for row in found} == set(unread)
    assert lake.read(QUARANTINE).count() == len(unread)
