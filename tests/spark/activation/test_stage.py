"""The stage as a whole: consent is read at the moment of sending, a rerun tells nothing, the forgotten are removed."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from clvspark.activation import export, stage
from clvspark.activation.config import ActivationConfig
from clvspark.activation.tables import ASSIGNMENT, DELIVERY, HOLDOUT, OUTBOX
from clvspark.audiences.tables import DECILE, DEFINITION, MEMBERSHIP
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import DeliveryError
from clvspark.privacy.erase import REMOVALS, erase_persons
from clvspark.privacy.tables import TOMBSTONE
from clvspark.sources.tables import CONSENT

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
PEOPLE = ["ann", "bob"]


def configure(folder: Path, *, hashed: bool = False, percent: float = 0) -> ActivationConfig:
    tool: dict[str, Any] = {
        "id": "tool",
        "format": "jsonl",
        "channel": "email",
        "identifier": "email",
    }
    ads = {**tool, "id": "ads", "hashed": True, "audiences": ["top"]}
    destinations = [{**tool, "hashed": False, "audiences": ["top"]}, *([ads] if hashed else [])]
    given = {"exports": str(folder / "exports"), "destinations": destinations}
    return ActivationConfig.model_validate({**given, "holdout": {"percent": percent}})


def write(lake: Lakehouse, addresses: dict[str, str] | None = None) -> None:
    """Members of an audience that goes to destinations, and of one that is sent nowhere, all consenting."""
    spark = lake.spark
    named = [
        {"audience_id": name, "version": 1, "name": name, "rule": "{}"} for name in ("top", "kept")
    ]
    lake.overwrite(DEFINITION, DEFINITION.rows(spark, named))
    member = {"status": "realized", "version": 1, "qualified_on": APRIL}
    members = [(name, "top") for name in PEOPLE] + [("ann", "kept"), ("zoe", "kept")]
    rows = [{**member, "person_id": name, "audience_id": audience} for name, audience in members]
    lake.overwrite(MEMBERSHIP, MEMBERSHIP.rows(spark, rows))
    write_persons(lake, addresses or {})
    link = {"source_system": "s", "valid_from": APRIL, "reason": "single", "probability": 1}
    links = [{**link, "source_record_id": name, "person_id": name} for name in PEOPLE]
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, links))
    lake.overwrite(CUSTOMER_VALUE, CUSTOMER_VALUE.rows(spark, []))
    lake.overwrite(DECILE, DECILE.rows(spark, []))
    for name in PEOPLE:
        consent(lake, name, "y", "2026-03-01 00:00:00")


def write_persons(lake: Lakehouse, addresses: dict[str, str]) -> None:
    persons = [
        (n, n, None, None, addresses.get(n, f"{n}@example.org"), *[None] * 4, 1, None, None)
        for n in PEOPLE
    ]
    lake.overwrite(PERSON, lake.spark.createDataFrame(persons, PERSON.schema))


def activate(lake: Lakehouse, config: ActivationConfig, day: date, *, force: bool = False):
    with lake.writing("activate"):
        lake.log.forget_versions()
        lake.log.force = force
        return stage.run(lake, config, day)


def lines(folder: Path, delivery: str) -> list[dict[str, Any]]:
    """Lines of the list ``top`` in a delivery, e.g. ``tool/2026-04-01``."""
    text = (folder / "exports" / delivery / "top.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def consent(lake: Lakehouse, person: str, val: str, at: str) -> None:
    row = {
        "consent_id": f"{person}{at}", "source_system": "s", "source_record_id": person, "channel": "email",
        "purpose": "marketing", "val": val, "recorded_at": at,
    }  # fmt: skip
    lake.append(CONSENT, CONSENT.rows(lake.spark, [row]))


def told(lake: Lakehouse) -> list[tuple[str, str, str, str]]:
    rows = lake.read(OUTBOX).orderBy("person_id", "sequence").collect()
    return [
        (row["person_id"], row["operation"], row["status"], str(row["delivered_on"]))
        for row in rows
    ]


def test_lists_follow_consent(lake: Lakehouse, tmp_path: Path) -> None:
    config = configure(tmp_path)
    write(lake)
    first = activate(lake, config, APRIL)
    assert activate(lake, config, APRIL).status == "unchanged"
    assert first.metrics["rows_exported"] == 2
    once = [("ann", "add", "delivered", "2026-04-01"), ("bob", "add", "delivered", "2026-04-01")]
    assert told(lake) == once
    assert {row["split_group"] for row in lake.read(HOLDOUT).collect()} == {"treatment"}

    consent(lake, "bob", "n", "2026-05-01 08:00:00")
    activate(lake, config, MAY)
    activate(lake, config, MAY, force=True)
    assert told(lake) == [*once, ("bob", "remove", "delivered", "2026-05-01")], (
        "told once, also by a forced rerun"
    )
    rows = {str(row["as_of_date"]): row for row in lake.read(DELIVERY).collect()}
    may = rows["2026-05-01"]
    assert (may["members"], may["without_consent"], may["added"], may["removed"]) == (2, 1, 0, 1)
    assert may["file_name"] == "2026-05-01/top.jsonl"
    assert sorted(line["email"] for line in lines(tmp_path, "tool/2026-04-01")) == [
        "ann@example.org",
        "bob@example.org",
    ]
    assert [path.name for path in (tmp_path / "exports/tool").iterdir() if "05" in path.name] == [
        "2026-05-01"
    ]


def test_assignments_are_of_audiences_that_are_sent_and_of_those_who_can_be_told(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake)
    consent(lake, "bob", "n", "2026-03-02 00:00:00")
    activate(lake, configure(tmp_path), APRIL)
    group = ("top", "ann", "treatment")
    columns = ("as_of_date", "audience_id", "person_id", "split_group")
    assert [tuple(row) for row in lake.read(ASSIGNMENT).select(*columns).collect()] == [
        (APRIL, *group)
    ]
    assert [row["person_id"] for row in lake.read(HOLDOUT).orderBy("person_id").collect()] == PEOPLE

    consent(lake, "ann", "n", "2026-05-01 00:00:00")
    activate(lake, configure(tmp_path), MAY)
    activate(lake, configure(tmp_path), APRIL, force=True)
    assert [tuple(row) for row in lake.read(ASSIGNMENT).select(*columns).collect()] == [
        (APRIL, *group)
    ], "who withdraws later stays in the group of the day"


def test_a_new_address_is_told_with_the_old_one_in_a_delivery_of_its_own(
    lake: Lakehouse, tmp_path: Path
) -> None:
    config = configure(tmp_path, hashed=True)
    write(lake)
    activate(lake, config, APRIL)
    write_persons(lake, {"ann": "ann@new.example"})
    activate(lake, config, APRIL)
    activate(lake, config, APRIL, force=True)
    assert {
        (line["operation"], line["email"]) for line in lines(tmp_path, "tool/2026-04-01_2")
    } == {
        ("remove", "ann@example.org"),
        ("add", "ann@new.example"),
    }
    assert {(line["operation"], line["email_sha256"]) for line in lines(tmp_path, "ads/2026-04-01_2")} == {
        ("remove", sha256("ann@example.org")),
        ("add", sha256("ann@new.example")),
    }  # fmt: skip
    assert not (tmp_path / "exports/tool/2026-04-01_3").exists(), "a rerun tells nothing"
    assert len(lines(tmp_path, "tool/2026-04-01")) == 2, "what was delivered stays as it was"


def test_nothing_counts_as_delivered_where_rows_are_missing(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake)
    with monkeypatch.context() as patched:
        patched.setattr(export, "_parts", lambda folder: [])
        with pytest.raises(DeliveryError, match="Nothing was marked as delivered"):
            activate(lake, configure(tmp_path), APRIL)
    assert {status for _, _, status, _ in told(lake)} == {"pending"}
    activate(lake, configure(tmp_path), APRIL)
    assert {status for _, _, status, _ in told(lake)} == {"delivered"}
    assert [path.name for path in (tmp_path / "exports/tool").iterdir()] == ["2026-04-01"]
    assert len(lines(tmp_path, "tool/2026-04-01")) == 2


def test_destinations_are_told_to_remove_the_forgotten_and_nothing_is_kept(
    lake: Lakehouse, tmp_path: Path
) -> None:
    config = configure(tmp_path, hashed=True)
    write(lake, {"bob": "home@example.org"})
    activate(lake, config, APRIL)
    write_persons(lake, {"ann": "ann@new.example", "bob": "home@example.org"})
    activate(lake, config, APRIL)

    account = erase_persons(lake, ["s:ann"], requested_on=MAY)
    assert (account[REMOVALS], account["activation.outbox"]) == (2, 4), (
        "3 rows a destination, 1 stays"
    )
    waiting = lake.read(OUTBOX).where("status = 'pending'").collect()
    assert {(row["person_id"], row["address"]) for row in waiting} == {(None, "ann@new.example")}
    assert all("ann" not in (row["outbox_id"], row["person_id"]) for row in waiting)

    lake.overwrite(PERSON, lake.read(PERSON).where("person_id <> 'ann'"))
    done = activate(lake, config, MAY)
    assert done.metrics["erasures_delivered"] == 2
    (plain,), (hashed,) = lines(tmp_path, "tool/2026-05-01"), lines(tmp_path, "ads/2026-05-01")
    assert (plain["operation"], plain["email"]) == ("remove", "ann@new.example")
    assert (hashed["operation"], hashed["email_sha256"]) == ("remove", sha256("ann@new.example"))
    removed = {row["as_of_date"]: row["removed"] for row in lake.read(DELIVERY).collect()}
    assert removed[MAY] == 1

    assert activate(lake, config, MAY, force=True).metrics["files"] == 0, "told once"
    assert len(lines(tmp_path, "tool/2026-05-01")) == 1
    for table in (OUTBOX, ASSIGNMENT, HOLDOUT, DELIVERY, MEMBERSHIP, PERSON, PERSON_LINK, CONSENT):
        kept = json.dumps([row.asDict() for row in lake.read(table).collect()], default=str)
        assert "ann" not in kept, table.name
    assert [len(row["record_sha256"]) for row in lake.read(TOMBSTONE).collect()] == [64]


def test_an_address_that_another_person_on_the_list_has_is_not_removed_by_an_erasure(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake, dict.fromkeys(PEOPLE, "home@example.org"))
    activate(lake, configure(tmp_path), APRIL)
    erase_persons(lake, ["s:ann"], requested_on=MAY)
    activate(lake, configure(tmp_path), MAY)
    assert not (tmp_path / "exports/tool/2026-05-01/top.jsonl").exists()
    addresses = {row["person_id"]: row["address"] for row in lake.read(OUTBOX).collect()}
    assert addresses == {"bob": "home@example.org", None: None}


def test_what_an_interrupted_run_may_have_told_is_removed_too(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake)
    with monkeypatch.context() as patched:
        patched.setattr(stage, "_mark_delivered", interrupt)
        with pytest.raises(KeyboardInterrupt):
            activate(lake, configure(tmp_path), APRIL)
    assert len(lines(tmp_path, "tool/2026-04-01")) == 2
    erase_persons(lake, ["s:ann"], requested_on=APRIL)
    activate(lake, configure(tmp_path), APRIL)
    assert {(line["operation"], line["email"]) for line in lines(tmp_path, "tool/2026-04-01")} == {
        ("remove", "ann@example.org"),
        ("add", "bob@example.org"),
    }


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
