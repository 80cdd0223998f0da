"""An e-mail tool that gives everything that becomes of a message the id of the message."""

from __future__ import annotations

from pathlib import Path

from support.ingest import ingest

from clvspark.lakehouse import Lakehouse
from clvspark.sources.config import SourcesConfig
from clvspark.sources.tables import EVENT, UNREAD_CONSENT

# One message could have the right answer by chance.
MESSAGES = range(12)
DAY, NEXT = "2026-03-01", "2026-03-02"
SALE = {"event_id": "id", "event_type": {"value": "order"}, "order_id": "id", "source_record_id": "who",
        "occurred_at": "at", "channel": {"value": "web"}, "net_revenue": {"value": 7}}  # fmt: skip
FIELDS = {"event_id": "id", "event_type": "what", "source_record_id": "who", "occurred_at": "at",
          "channel": {"value": "email"}}  # fmt: skip


def write(path: Path, rows: list[tuple[object, ...]]) -> None:
    """Rows of an id, what happened, when, and of whom, by default of whom the id says."""
    full = [row if len(row) == 4 else (*row, row[0]) for row in rows]
    path.write_text("\n".join(["id,what,at,who", *(",".join(map(str, row)) for row in full), ""]))


def test_a_refusal_counts_whatever_stands_in_its_place_and_the_mapping_is_told(
    lake: Lakehouse, tmp_path: Path
) -> None:
    kinds = ("email_opened", "email_unsubscribed", "email_clicked")
    plain = [("plain", kind, DAY) for kind in ("email_opened", "email_clicked")]
    write(tmp_path / "sent_1.csv", [*((n, kind, DAY) for n in MESSAGES for kind in kinds), *plain])
    write(tmp_path / "sent_2.csv", [(n, "email_opened", NEXT) for n in MESSAGES])
    # Of one mailing, whose id is that of what becomes of each of its messages.
    mailed = [
        ("mailing", "email_unsubscribed", DAY, "ann"),
        ("mailing", "email_unsubscribed", NEXT, "bob"),
    ]
    write(tmp_path / "sent_3.csv", mailed[:1])
    write(tmp_path / "sent_4.csv", mailed[1:])
    write(tmp_path / "sold_1.csv", [("other", "", DAY), ("0", "", DAY)])
    files = [
        {
            "path": path,
            "format": "csv",
            "ignore": ["what"],
            "outputs": [{"to": "event", "fields": to}],
        }
        for path, to in (("sent_*.csv", FIELDS), ("sold_*.csv", SALE))
    ]
    files[0].pop("ignore")
    config = {"landing": str(tmp_path), "systems": [{"system": "mail", "files": files}]}

    report = ingest(lake, SourcesConfig.model_validate(config))

    of_id = {row["source_record_id"]: row["event_type"] for row in lake.read(EVENT).collect()}
    assert of_id.pop("plain") in {"email_opened", "email_clicked"}
    assert (of_id.pop("other"), of_id.pop("0")) == ("order", "order")
    assert of_id.pop("bob") == "email_unsubscribed"
    assert of_id == dict.fromkeys(map(str, MESSAGES[1:]), "email_opened")
    mailing = lake.read(EVENT).where("event_id = 'mail:mailing'").collect()
    assert [row["source_record_id"] for row in mailing] == ["bob"]
    refused = {row["source_record_id"] for row in lake.read(UNREAD_CONSENT).collect()}
    assert refused == {*map(str, MESSAGES), "ann"}
    told = "mail:sent_*.csv to sources.event: 27 rows have the id of another row"
    assert [text for text in report.warnings if text.startswith(told)], report.warnings
