"""The commands that look at a lakehouse or change it outside the pipeline, by the real command line."""

from __future__ import annotations

import json
import re

import pytest
from support.commands import run_commands
from support.shops import BY_PEOPLE, copy_shop, environment, open_lake, rows_of

from clvspark.catalogue import TABLES
from clvspark.pipeline import STAGES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NEW_EVENT = "web:NEW-1:1"
RECORD = ("source_system", "source_record_id")


@pytest.fixture(scope="module")
def shop(finished, tmp_path_factory):
    """A copy of the finished shop that may be changed."""
    return copy_shop(finished, tmp_path_factory.mktemp("cli") / "shop")


@pytest.fixture(scope="module")
def records(spark, finished):
    """Records of each person who bought by more than one record."""
    lake = open_lake(spark, finished)
    buyers = {person for (person,) in rows_of(lake, "history.order", "person_id")}
    found: dict[str, set[tuple[str, str]]] = {}
    for person, *record in rows_of(lake, "identity.person_link", "person_id", *RECORD):
        found.setdefault(person, set()).add(tuple(record))
    return {person: known for person, known in found.items() if person in buyers and len(known) > 1}


@pytest.fixture(scope="module")
def forgotten(records):
    """The person who asks to be forgotten, and their records."""
    return min(records.items())


@pytest.fixture(scope="module")
def outcomes(shop, records, forgotten):
    """What the commands say, one after the other in one process; a new file lands in between."""
    accounts = {r for known in records.values() for s, r in known - forgotten[1] if s == "web"}
    order = {
        "order_no": "NEW-1",
        "line_no": 1,
        "ordered_at": "2026-03-30T12:00:00Z",
        "account_id": min(accounts),
        "product": {"id": "P0001", "quantity": 2},
        "amount": "25.50",
        "session_id": "s-new",
    }
    (shop.landing / "web/orders_new.jsonl").write_text(json.dumps(order) + "\n")
    target = ["--config", shop.config_file]
    commands = {
        "status": ["status", *target],
        "forget nobody": ["forget", *target, "--record", "crm:nobody"],
        "forget": ["forget", *target, "--record", ":".join(min(forgotten[1]))],
        # The day after: the models are those of the day before.
        "stream": ["stream", *target, "--available-now", "--as-of", "2026-04-02"],
        "stream again": ["stream", *target, "--available-now", "--as-of", "2026-04-02"],
    }
    seen = run_commands(list(commands.values()), cwd=shop.folder, env=environment())
    return dict(zip(commands, seen, strict=True))


def test_status_shows_tables_and_runs(outcomes):
    assert outcomes["status"].code == 0
    made = set(TABLES) - BY_PEOPLE
    assert [name for name in sorted(made) if name not in outcomes["status"].out] == []
    _, runs = outcomes["status"].out.split("Last runs")
    # The shop may have run twice: a stage's last run did its work or had nothing to do.
    found = re.findall(r"│ (\w+) +│ [\w-]+ +│ (\w+) +│", runs)
    assert len(found) >= len(STAGES)
    assert {stage for stage, _ in found} == set(STAGES)
    assert {status for _, status in found} <= {"success", "unchanged"}


def test_forgetting_somebody_unknown_is_refused(outcomes):
    assert outcomes["forget nobody"].code == 3
    assert "1: not known (records are given as SYSTEM:ID" in outcomes["forget nobody"].message


def test_nothing_of_a_forgotten_person_is_left_or_comes_back(spark, outcomes, shop, forgotten):
    assert outcomes["forget"].code == 0, outcomes["forget"].err
    lake = open_lake(spark, shop)
    person, records = forgotten
    for name, table in TABLES.items():
        if set(RECORD) <= set(table.names):
            assert not records & set(rows_of(lake, name, *RECORD)), name
        if "person_id" in table.names and lake.exists(table):
            assert (person,) not in rows_of(lake, name, "person_id"), name


def test_the_scored_pairs_of_a_forgotten_person_are_gone(spark, outcomes, shop, forgotten):
    pairs = rows_of(open_lake(spark, shop), "identity.pair", "unique_id_l", "unique_id_r")
    named = {unique_id for pair in pairs for unique_id in pair}

    assert len(named) > 100
    assert not named & {":".join(record) for record in forgotten[1]}


def test_sales_of_a_forgotten_person_stay_as_anonymous_sums(spark, outcomes, shop, finished):
    before, after = (
        dict(rows_of(open_lake(spark, s), "history.order", "order_id", "net_revenue"))
        for s in (finished, shop)
    )

    assert {order: after[order] for order in before} == before


def test_the_stream_takes_a_new_file_once(spark, outcomes, shop, finished):
    assert [outcomes[name].code for name in ("stream", "stream again")] == [0, 0]
    before, after = (
        [event for (event,) in rows_of(open_lake(spark, s), "sources.event", "event_id")]
        for s in (finished, shop)
    )

    assert after.count(NEW_EVENT) == 1
    assert set(after) - {NEW_EVENT} <= set(before)
    assert "ingest done" in " ".join(outcomes["stream"].out.split())
    assert outcomes["stream again"].out.strip() == ""
