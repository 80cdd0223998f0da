"""Files that go, and rows of customers whom nobody knows, are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.ingest import ingest

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import MissingInputError
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import CONSENT, FILE


def described(landing: Path, **more: Any) -> SourcesConfig:
    record = {"to": "customer_record", "fields": {"source_record_id": "no", "email": "mail"}}
    consent = {
        "to": "consent",
        "fields": {
            "consent_id": "id",
            "source_record_id": "no",
            "channel": {"value": "email"},
            "purpose": {"value": "marketing"},
            "val": "val",
            "recorded_at": "at",
        },
    }
    files = [
        {"path": "people.csv", "format": "csv", "outputs": [record]},
        {"path": "consent_*.csv", "format": "csv", "outputs": [consent]},
    ]
    system = {"system": "shop", "files": files}
    return SourcesConfig.model_validate({"landing": str(landing), "systems": [system], **more})


@pytest.mark.slow
def test_a_refusal_never_goes_with_its_file(lake: Lakehouse, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "people.csv").write_text("no,mail\n1,ann@example.org\n")
    for n, val in enumerate("yn", 1):
        rows = f"id,no,val,at\n{n},1,{val},2026-03-0{n}\n"
        (landing / f"consent_{n}.csv").write_text(rows)
    assert ingest(lake, described(landing)).warnings == []
    assert sorted(row["file_name"] for row in lake.read(FILE).collect()) == [
        "consent_1.csv",
        "consent_2.csv",
        "people.csv",
    ]

    (landing / "consent_2.csv").unlink()
    (landing / "consent_3.csv").write_text("id,no,val,at\n3,01,n,2026-03-03\n")
    with pytest.raises(MissingInputError, match=r"1 of shop:consent_\*.csv, e.g. consent_2.csv"):
        ingest(lake, described(landing))
    assert lake.read(CONSENT).where("val = 'n'").count() == 1, "as before"

    (warning,) = ingest(lake, described(landing, removed_files="accept")).warnings
    assert warning.startswith(
        "sources.consent: 1 of 2 rows of the system shop name a record that sources.customer_record does not have"
    )
    assert lake.read(CONSENT).count() == 2
    assert "consent_2.csv" not in {row["file_name"] for row in lake.read(FILE).collect()}
