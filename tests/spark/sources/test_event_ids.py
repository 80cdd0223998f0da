"""An e-mail tool that gives everything that becomes of a message the id of the message."""

from __future__ import annotations

from pathlib import Path

from support.ingest import ingest

from clvspark.lakehouse import Lakehouse
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import EVENT

# One message could have the right answer by chance.
MESSAGES = range(12)
DAY, NEXT = "2026-03-01", "2026-03-02"
FIELDS = {"event_id": "id", "event_type": "what", "source_record_id": "id", "occurred_at": "at",
          "channel": {"value": "email"}}  # fmt: skip


def write(path: Path, rows: list[tuple[object, ...]]) -> None:
    path.write_text("\n".join(["id,what,at", *(",".join(map(str, row)) for row in rows), ""]))


def test_a_refusal_holds_and_the_mapping_is_told(lake: Lakehouse, tmp_path: Path) -> None:
    kinds = ("email_opened", "email_unsubscribed", "email_clicked")
    plain = [("plain", kind, DAY) for kind in ("email_opened", "email_clicked")]
    write(tmp_path / "sent_1.csv", [*((n, kind, DAY) for n in MESSAGES for kind in kinds), *plain])
    write(tmp_path / "sent_2.csv", [(n, "email_opened", NEXT) for n in MESSAGES])
    files = [
        {"path": "sent_*.csv", "format": "csv", "outputs": [{"to": "event", "fields": FIELDS}]}
    ]
    config = {"landing": str(tmp_path), "systems": [{"system": "mail", "files": files}]}

    report = ingest(lake, SourcesConfig.model_validate(config))

    of_id = {row["source_record_id"]: row["event_type"] for row in lake.read(EVENT).collect()}
    assert of_id.pop("plain") in {"email_opened", "email_clicked"}
    assert of_id == dict.fromkeys(map(str, MESSAGES), "email_unsubscribed")
    told = "mail:sent_*.csv to sources.event: 25 rows have the id of another row"
    assert [text for text in report.warnings if text.startswith(told)]
