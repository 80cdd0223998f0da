"""Destinations are told to remove whom we have forgotten, and then nothing of them is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.lists import (
    APRIL,
    MAY,
    PEOPLE,
    activate,
    configure,
    lines,
    sha256,
    write,
    write_persons,
)

from clvspark.activation import drain
from clvspark.activation.tables import ASSIGNMENT, DELIVERY, HOLDOUT, OUTBOX
from clvspark.audiences.tables import MEMBERSHIP
from clvspark.identity.tables import PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.privacy.erase import REMOVALS, erase_persons
from clvspark.privacy.tables import TOMBSTONE
from clvspark.sources.tables import CONSENT

pytestmark = pytest.mark.slow


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
    removed = {row["as_of_date"]: row["entries_removed"] for row in lake.read(DELIVERY).collect()}
    assert removed[MAY] == 1

    assert activate(lake, config, MAY, force=True).metrics["files"] == 0, "told once"
    assert len(lines(tmp_path, "tool/2026-05-01")) == 1
    for table in (OUTBOX, ASSIGNMENT, HOLDOUT, DELIVERY, MEMBERSHIP, PERSON, PERSON_LINK, CONSENT):
        kept = json.dumps([row.asDict() for row in lake.read(table).collect()], default=str)
        assert '"ann' not in kept, table.name
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
        patched.setattr(drain, "settle_instructions", interrupt)
        with pytest.raises(KeyboardInterrupt):
            activate(lake, configure(tmp_path), APRIL)
    assert len(lines(tmp_path, "tool/2026-04-01")) == 2
    erase_persons(lake, ["s:ann"], requested_on=APRIL)
    activate(lake, configure(tmp_path), APRIL)
    assert {(line["operation"], line["email"]) for line in lines(tmp_path, "tool/2026-04-01")} == {
        ("remove", "ann@example.org"),
        ("add", "bob@example.org"),
    }


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt
