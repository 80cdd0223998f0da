"""From landing files to audiences, files and the page: what went in comes out, to the cent."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.landing import amounts_of
from support.shops import BY_PEOPLE, open_lake, rows_of, run_pipeline, versions

from clvspark.catalogue import TABLES
from clvspark.config import read_config
from clvspark.identity.tables import EVIDENCE, evidence_table
from clvspark.pipeline import STAGES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# What a planted fault is called in sources.quarantine.
REASONS = {
    "bad_date": "bad_value",
    "negative_quantity": "check:quantity",
    "non_numeric_amount": "bad_value:net_revenue",
    "missing_key": "missing",
    "too_many_cells": "malformed_row",
    "truncated_json": "malformed_row",
    "wrong_encoding": "wrong_encoding",
}


@pytest.fixture(scope="module")
def lake(spark, finished):
    return open_lake(spark, finished)


def test_every_stage_succeeds(first_reports):
    assert {stage: report.status for stage, report in first_reports.items()} == dict.fromkeys(
        STAGES, "success"
    )


def test_revenue_of_the_landing_files_is_in_the_history_to_the_cent(lake, finished):
    landed = sum(amounts_of(finished.landing), Decimal(0))
    revenue = {
        name: sum((value for (value,) in rows_of(lake, table, "net_revenue") if value), Decimal(0))
        for name, table in [("events", "sources.event"), ("bad", "sources.quarantine")]
    }
    orders = rows_of(lake, "history.order", "person_id", "net_revenue")
    persons = sum((value for person, value in orders if person), Decimal(0))
    anonymous = sum((value for person, value in orders if not person), Decimal(0))

    assert landed > 30_000
    assert revenue["events"] + revenue["bad"] == landed
    assert persons + anonymous == revenue["events"]
    assert persons > anonymous > 0


def test_planted_rows_are_in_quarantine_by_reason(lake, finished):
    planted = json.loads((finished.truth / "planted.json").read_text())
    expected: Counter[tuple[str, str]] = Counter()
    for entry in planted["by_file"]:
        expected[entry["file"], REASONS[entry["kind"]]] += entry["rows"]

    found: Counter[tuple[str, str]] = Counter()
    for file, reason in rows_of(lake, "sources.quarantine", "file_name", "reason"):
        known = [name for name in REASONS.values() if reason.startswith(name)]
        found[file, max(known, key=len, default=reason)] += 1

    assert found == expected
    readable = [value for (value,) in rows_of(lake, "sources.quarantine", "net_revenue") if value]
    assert sum(readable) == Decimal(planted["readable_cents"]) / 100


def test_customer_records_are_those_of_the_truth(lake, finished):
    true = pq.read_table(finished.truth / "record_person.parquet")
    expected = zip(
        true["source_system"].to_pylist(), true["source_record_id"].to_pylist(), strict=True
    )

    found = rows_of(lake, "sources.customer_record", "source_system", "source_record_id")
    assert set(found) == set(expected)


def test_identities_are_found_again(first_reports):
    metrics = first_reports["resolve"].metrics

    assert metrics["pairwise_f1"] >= 0.9
    assert metrics["largest_person"] <= 2 * metrics["largest_true_person"]
    assert metrics["records"] > 1.5 * metrics["persons"]


@pytest.mark.parametrize("name", sorted(set(TABLES) - BY_PEOPLE))
def test_every_table_is_there_as_its_contract_says(lake, finished, name):
    table = TABLES[name]
    if table is EVIDENCE:  # has a column for each standardised one of the settings
        table = evidence_table(read_config(finished.config_file).identity.settings)
    fields = lake.storage.read(name).schema.fields

    assert {f.name: f.dataType.simpleString() for f in fields} == {
        f.name: f.dataType.simpleString() for f in table.schema.fields
    }


def test_files_are_those_of_the_manifest(finished):
    manifests = sorted(finished.exports.glob("*/*/manifest.json"))
    assert [path.parent.parent.name for path in manifests] == ["ad_platform", "email_tool"]
    for path in manifests:
        manifest = json.loads(path.read_text())
        assert manifest["files"]
        assert {file["name"] for file in manifest["files"]} == {
            entry.name for entry in path.parent.iterdir() if entry != path
        }
        for file in manifest["files"]:
            data = (path.parent / file["name"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == file["sha256"]
            assert len(exported_rows(path.parent / file["name"])) == file["rows"] > 0


def test_only_consenting_persons_outside_the_holdout_are_in_files(lake, finished):
    exported = {
        row["outbox_id"]: row
        for file in finished.exports.glob("*/*/*")
        if file.name != "manifest.json"
        for row in exported_rows(file)
    }
    person_of = dict(rows_of(lake, "activation.outbox", "outbox_id", "person_id"))
    group_of = dict(rows_of(lake, "activation.holdout", "person_id", "split_group"))
    email_of = dict(rows_of(lake, "identity.person", "person_id", "email"))
    consenting = consenting_persons(lake, finished.landing)

    assert set(exported) == set(person_of)
    assert "holdout" in group_of.values()
    for outbox_id, row in exported.items():
        person = person_of[outbox_id]
        assert group_of[person] == "treatment"
        assert person in consenting
        digest = hashlib.sha256(email_of[person].encode()).hexdigest()
        assert row.get("email", email_of[person]) == email_of[person]
        assert row.get("email_sha256", digest) == digest


def test_no_exported_address_was_refused_by_anybody_or_is_of_somebody_held_out(lake, finished):
    exported = {
        row["email"].strip().lower()
        for file in finished.exports.glob("email_tool/*/*.csv")
        for row in exported_rows(file)
    }
    record = ("source_system", "source_record_id")
    links = rows_of(lake, "identity.person_link", *record, "person_id")
    person_of = {(system, name): person for system, name, person in links}
    group_of = dict(rows_of(lake, "activation.holdout", "person_id", "split_group"))
    consenting = consenting_persons(lake, finished.landing)
    said = rows_of(lake, "sources.consent", *record, "purpose", "channel", "recorded_at")
    asked = {
        person_of.get((system, name))
        for system, name, purpose, channel, at in said
        if purpose == "marketing" and channel in {"email", "any"} and at.date() <= date(2026, 4, 1)
    }
    shared: dict[str, set[str]] = {}
    for system, name, email in rows_of(lake, "sources.customer_record", *record, "email"):
        if email:
            shared.setdefault(email.strip().lower(), set()).add(person_of[system, name])
    assert exported
    for address in exported:
        assert "holdout" not in {group_of.get(person) for person in shared[address]}
        assert shared[address] & asked <= consenting, (
            "whoever has the address and was asked said yes"
        )


def test_the_page_needs_no_network(finished):
    html = finished.page.read_text(encoding="utf-8")
    links = Links()
    links.feed(html)

    assert "default-src 'none'" in html
    assert len(html) > 100_000
    assert links.tags["script"] > 1
    assert [value for value in links.values if "//" in value] == []


def test_a_second_run_changes_nothing_and_takes_less_than_half(
    spark, lake, finished, first_reports
):
    before = versions(lake)
    started = time.monotonic()
    reports = run_pipeline(spark, finished)
    seconds = time.monotonic() - started

    assert {report.stage: report.status for report in reports} == dict.fromkeys(STAGES, "unchanged")
    assert versions(open_lake(spark, finished)) == before
    assert seconds < sum(report.seconds for report in first_reports.values()) / 2


def exported_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return list(csv.DictReader(file))
        return [json.loads(line) for line in file]


def consenting_persons(lake, landing: Path) -> set[str]:
    """Persons who may get marketing by e-mail, found from the landing file without the product's code.

    Of a record's statements the newest counts, and no record of the person may say otherwise than yes.
    """
    until = datetime(2026, 4, 2, tzinfo=UTC)
    newest: dict[tuple[str, str, str], tuple[datetime, str]] = {}
    for path in landing.glob("consent/*.jsonl"):
        for said in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            at = datetime.fromisoformat(said["recorded_at"])
            if said["purpose"] == "marketing" and at < until:
                key = (said["source_system"], said["source_record_id"], said["channel"])
                # Of two at the same instant the stricter counts, and "y" is last of the alphabet.
                newest[key] = max(newest.get(key, (at, "y")), (at, said["val"]), key=by_age)
    columns = ("source_system", "source_record_id", "person_id")
    person_of = {(s, r): p for s, r, p in rows_of(lake, "identity.person_link", *columns)}
    answers: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (system, record, channel), (_, answer) in newest.items():
        if (system, record) in person_of:
            answers[person_of[system, record]][channel].add(answer)
    return {
        person
        for person, by_channel in answers.items()
        if (by_channel.get("email") or by_channel.get("any")) == {"y"}
        and "n" not in by_channel.get("any", set())
    }


def by_age(statement: tuple[datetime, str]) -> tuple[datetime, bool]:
    at, answer = statement
    return at, answer != "y"


class Links(HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        loading = ("src", "href", "srcset", "data", "action", "poster", "style")
        self.values += [value or "" for name, value in attrs if name in loading]
