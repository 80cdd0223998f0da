"""Faults 33, 34 and 41: destinations that fail, a run that is killed, consent that is withdrawn in mid-run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from support.lists import APRIL, MAY, activate, configure, consent, lines, sha256, write
from support.postgres import postgres, query
from support.webhook import webhook

from clvspark.activation import drain, stage
from clvspark.activation.destinations.senders import SENDERS
from clvspark.activation.tables import (
    DEAD_LETTER,
    DELIVERY,
    OUTBOX,
    SNAPSHOT,
    SUPPRESSION,
    SYNC_LOG,
)
from clvspark.lakehouse import Lakehouse, Run
from clvspark.lakehouse.errors import ConfigError, DeliveryError
from clvspark.privacy.erase import erase_persons

pytestmark = pytest.mark.slow

EVERYONE = {"ann@example.org", "bob@example.org"}


def hook_of(url: str, **change: Any) -> dict[str, Any]:
    quick = {"backoff_seconds": 0.01, "breaker_seconds": 0, "attempts": 2, "timeout_seconds": 5}
    return {"id": "hook", "kind": "http", "url": url} | quick | change


def statuses(lake: Lakehouse, destination: str) -> dict[str, str]:
    rows = lake.read(OUTBOX).where(f"destination_id = '{destination}'").orderBy("sequence")
    return {row["person_id"]: row["status"] for row in rows.collect()}


def logged(lake: Lakehouse, destination: str) -> list[tuple[str, str, str | None]]:
    rows = lake.read(SYNC_LOG).where(f"destination_id = '{destination}'").collect()
    return sorted((row["person_id"], row["status"], row["error"]) for row in rows)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as dsn:
        yield dsn


def test_one_that_is_broken_stalls_nobody_and_is_told_by_the_next_run(
    lake: Lakehouse, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTS_DSN", server)
    write(lake)
    with webhook(script=[500] * 4) as hook:
        table = {
            "id": "base",
            "kind": "postgres",
            "dsn_env": "LISTS_DSN",
            "table": "lists",
            "mode": "mirror",
        }
        unset = {"id": "later", "kind": "postgres", "dsn_env": "NOT_SET", "table": "lists"}
        config = configure(tmp_path, hook_of(hook.url, batch_rows=1), table, unset)
        report = activate(lake, config, APRIL)
        assert {line["email"] for line in lines(tmp_path, "tool/2026-04-01")} == EVERYONE
        assert {row[0] for row in query(server, "SELECT email FROM lists")} == EVERYONE
        assert report.metrics["destinations_failed"] == 2
        assert any("'hook' did not take all lines (2 failed)" in text for text in report.warnings)
        assert any("NOT_SET is not set" in text for text in report.warnings)
        with pytest.raises(DeliveryError, match="2 destinations did not take all"):
            stage.refuse_failed_destinations(report)
        assert (
            statuses(lake, "tool")
            == statuses(lake, "base")
            == dict.fromkeys(("ann", "bob"), "delivered")
        )
        assert (
            statuses(lake, "hook")
            == statuses(lake, "later")
            == dict.fromkeys(("ann", "bob"), "pending")
        )
        assert logged(lake, "hook") == [
            ("ann", "failed", "http_500"),
            ("bob", "failed", "http_500"),
        ]
        held = {(row["destination_id"], row["person_id"]) for row in lake.read(SNAPSHOT).collect()}
        assert held == {(name, person) for name in ("tool", "base") for person in ("ann", "bob")}

        monkeypatch.setenv("NOT_SET", server)
        with lake.writing("activate"):
            lake.log.force = False
            again = stage.run(lake, config, APRIL)
        assert again.status == "success", "nothing has changed, but something waits"
        assert "destinations_failed" not in again.metrics
        stage.refuse_failed_destinations(again)
        assert hook.applied.keys() == {
            row["outbox_id"] for row in lake.read(OUTBOX).where("destination_id = 'hook'").collect()
        }
        assert set(hook.applied.values()) == {1}
        assert len(set(hook.keys)) == 2, "the keys of the run before"
        with lake.writing("activate"):
            assert stage.run(lake, config, APRIL).status == "unchanged"


@pytest.mark.parametrize("at", ["sent", "logged"])
def test_killed_anywhere_the_receiver_has_each_change_once_and_the_mirror_is_the_audience(
    lake: Lakehouse, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    monkeypatch.setenv("LISTS_DSN", server)
    query(server, "DROP TABLE IF EXISTS lists")
    write(lake)
    table = {
        "id": "base",
        "kind": "postgres",
        "dsn_env": "LISTS_DSN",
        "table": "lists",
        "mode": "mirror",
    }
    with webhook() as hook:
        config = configure(tmp_path, hook_of(hook.url), table)
        # Killed when the destinations were told and nothing of it is written, or the log alone.
        owner, name = {"sent": (drain, "settle_instructions"), "logged": (Run, "merge")}[at]
        whole = getattr(owner, name)

        def activate_and_kill(day: date) -> None:
            calls = Counter[str]()

            def kill(*given: Any, **named: Any) -> Any:
                # Of the merges those that say what was delivered; the first of either is of the files.
                calls["all"] += at == "sent" or named.get("again", False)
                if calls["all"] > 1:
                    raise KeyboardInterrupt
                return whole(*given, **named)

            with monkeypatch.context() as patched:
                patched.setattr(owner, name, kill)
                with pytest.raises(KeyboardInterrupt):
                    activate(lake, config, day)

        activate_and_kill(APRIL)
        assert statuses(lake, "hook")["bob"] == statuses(lake, "base")["bob"] == "pending"
        activate(lake, config, APRIL)
        assert hook.held == {"top": EVERYONE}
        consent(lake, "bob", "n", "2026-05-01 08:00:00")
        activate_and_kill(MAY)
        activate(lake, config, MAY)
        assert hook.held == {"top": {"ann@example.org"}}
        assert set(hook.applied.values()) == {1}
        assert len(hook.applied) == 3, "two are added, one is removed"
        assert len(hook.requests) == 4, "and every change was told twice"
    assert query(server, "SELECT email FROM lists") == [("ann@example.org",)]
    assert {row["person_id"] for row in lake.read(SNAPSHOT).collect()} == {"ann"}


def test_consent_that_is_withdrawn_in_mid_run_is_heeded_at_the_moment_of_sending(
    lake: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(lake)
    send = SENDERS["file"]

    def refuse_meanwhile(*given: Any) -> Any:
        receipt = send(*given)
        consent(lake, "bob", "n", "2026-04-01 12:00:00")
        return receipt

    with webhook() as hook:
        config = configure(tmp_path, hook_of(hook.url))
        with monkeypatch.context() as patched:
            patched.setitem(SENDERS, "file", refuse_meanwhile)
            activate(lake, config, APRIL)
        assert {line["email"] for line in lines(tmp_path, "tool/2026-04-01")} == EVERYONE
        assert hook.held == {"top": {"ann@example.org"}}
        activate(lake, config, APRIL)
        (left,) = lines(tmp_path, "tool/2026-04-01_2")
        assert (left["operation"], left["email"]) == ("remove", "bob@example.org")
    (counted,) = lake.read(DELIVERY).where("destination_id = 'hook'").collect()
    assert (counted["members"], counted["without_consent"], counted["waiting"]) == (2, 1, 0)


def test_a_mirror_that_is_no_longer_told_of_a_list_holds_nobody_of_it(
    lake: Lakehouse, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTS_DSN", server)
    write(lake)
    mirror = {
        "id": "base", "kind": "postgres", "dsn_env": "LISTS_DSN", "table": "mirror", "mode": "mirror",
    }  # fmt: skip
    held = {}
    for day, audiences in ((APRIL, ["top", "kept"]), (MAY, ["kept"])):
        activate(lake, configure(tmp_path, {**mirror, "audiences": audiences}), day)
        held[day] = query(server, "SELECT audience_id, email FROM mirror ORDER BY 1, 2")

    ann, bob = "ann@example.org", "bob@example.org"
    assert held == {APRIL: [("kept", ann), ("top", ann), ("top", bob)], MAY: [("kept", ann)]}


def test_what_is_rejected_is_a_dead_letter_until_it_is_replayed(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake)
    with webhook(poison={"bob@example.org"}) as hook:
        config = configure(tmp_path, hook_of(hook.url))
        report = activate(lake, config, APRIL)
        assert any("1 rejected" in text for text in report.warnings)
        assert statuses(lake, "hook") == {"ann": "delivered", "bob": "dead"}
        (letter,) = lake.read(DEAD_LETTER).collect()
        assert (letter["person_id"], letter["error"], letter["replayed_on"]) == (
            "bob",
            "http_422",
            None,
        )
        asked = len(hook.requests)
        assert "destinations_failed" not in activate(lake, config, APRIL, force=True).metrics
        assert len(hook.requests) == asked, "it is not tried again by itself"

        hook.poison.clear()
        with pytest.raises(
            ConfigError, match="there is no destination 'hok'; there are tool, hook"
        ):
            stage.replay(lake, config, "hok", MAY)
        assert stage.replay(lake, config, "hook", MAY) == 1
        assert stage.replay(lake, config, "hook", MAY) == 0
        activate(lake, config, MAY)
        assert hook.held == {"top": EVERYONE}
    assert [row["replayed_on"] for row in lake.read(DEAD_LETTER).collect()] == [MAY]


def test_suppressed_addresses_leave_every_list_and_stay_away(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake)
    with webhook() as hook:
        config = configure(tmp_path, hook_of(hook.url))
        activate(lake, config, APRIL)
        assert hook.held == {"top": EVERYONE}
        file = tmp_path / "bounced.txt"
        file.write_text(
            f" Ann@Example.org \n\n{sha256('bob@example.org').upper()}\n{sha256('x')}\n"
        )
        told = {"identifier": "email", "reason": "hard_bounce", "recorded_on": APRIL}
        assert stage.suppress(lake, file, **told) == 3
        assert stage.suppress(lake, file, **told) == 0
        assert "@" not in json.dumps(
            [row.asDict() for row in lake.read(SUPPRESSION).collect()], default=str
        )
        activate(lake, config, MAY)
        assert hook.held == {"top": set()}
    removed = lines(tmp_path, "tool/2026-05-01")
    assert {(line["operation"], line["email"]) for line in removed} == {
        ("remove", name) for name in EVERYONE
    }
    counted = {
        row["destination_id"]: row
        for row in lake.read(DELIVERY).where(f"as_of_date = DATE'{MAY}'").collect()
    }
    assert {(row["suppressed"], row["without_consent"]) for row in counted.values()} == {(2, 0)}


def test_every_purpose_of_a_destination_must_be_consented_to(
    lake: Lakehouse, tmp_path: Path
) -> None:
    write(lake)
    consent(lake, "ann", "y", "2026-03-02 00:00:00", "share")
    with webhook() as hook:
        config = configure(tmp_path, hook_of(hook.url, purposes=["marketing", "share"]))
        activate(lake, config, APRIL)
        assert hook.held == {"top": {"ann@example.org"}}
        assert {line["email"] for line in lines(tmp_path, "tool/2026-04-01")} == EVERYONE
        consent(lake, "ann", "n", "2026-05-01 00:00:00", "share")
        activate(lake, config, MAY)
        assert hook.held == {"top": set()}
        assert not (tmp_path / "exports/tool/2026-05-01/top.jsonl").exists()


def test_an_erasure_reaches_log_dead_letters_and_snapshot(lake: Lakehouse, tmp_path: Path) -> None:
    write(lake)
    with webhook(poison={"ann@example.org"}) as hook:
        config = configure(tmp_path, hook_of(hook.url))
        activate(lake, config, APRIL)
        erase_persons(lake, ["s:ann"], requested_on=MAY)
        for table in (OUTBOX, SYNC_LOG, DEAD_LETTER, SNAPSHOT):
            kept = [row.asDict() for row in lake.read(table).collect()]
            assert all(row["person_id"] in ("bob", None) for row in kept), table.name
            if table is not OUTBOX:
                assert "@" not in json.dumps(kept, default=str), table.name
    assert not (tmp_path / "exports/tool/2026-05-01").exists()
