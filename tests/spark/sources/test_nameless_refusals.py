"""Rows in quarantine whose system cannot be read name nobody, and stop nobody."""

from __future__ import annotations

from pathlib import Path

from support.ingest import ingest, land

from clvspark.lakehouse import Lakehouse
from clvspark.sources.tables import CONSENT, QUARANTINE, UNREAD_ADDRESS, UNREAD_CONSENT

STATEMENT = {"consent_id": "id", "source_system": "sys", "source_record_id": "no", "channel": {"value": "email"},
             "purpose": {"value": "marketing"}, "val": "said", "recorded_at": "at"}  # fmt: skip
PERSON = {"source_system": "sys", "source_record_id": "no", "email": "mail"}
FILES = {
    "consents.csv": [
        "id,sys,no,said,at",
        "1,crm,a,y,2026-01-01",
        "2,,a,n,2026-01-01",
        "3,cr:m,a,n,2026-01-01",
        "4,crm,a,nope,2026-01-01",
    ],
    "people.csv": [
        "sys,no,mail",
        "crm,a,ann@example.org",
        ",b,bob@example.org",
        "cr:m,c,cat@example.org",
    ],
}


def test_they_are_in_quarantine_and_the_others_are_read(lake: Lakehouse, tmp_path: Path) -> None:
    outputs = {
        "consents.csv": [{"to": "consent", "fields": STATEMENT}],
        "people.csv": [{"to": "customer_record", "fields": PERSON}],
    }
    report = ingest(lake, land(tmp_path, FILES, outputs, system="crm"))

    found = lake.read(QUARANTINE).groupBy("target_table", "reason").count().collect()
    assert {tuple(row) for row in found} == {
        (f"sources.{table}", f"{kind}:source_system", 1)
        for table in ("consent", "customer_record")
        for kind in ("missing", "check")
    } | {("sources.consent", "check:val", 1)}
    assert lake.read(CONSENT).count() == 1
    unread = lake.read(UNREAD_CONSENT).collect()
    assert [(row["source_system"], row["source_record_id"]) for row in unread] == [("crm", "a")]
    assert lake.read(UNREAD_ADDRESS).count() == 0
    assert [text for text in report.warnings if "1 statements of 1 records" in text]
