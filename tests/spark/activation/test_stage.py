"""The stage as a whole: consent is read at the moment of sending, and a rerun tells nothing."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from clvspark.activation import stage
from clvspark.activation.config import ActivationConfig
from clvspark.activation.tables import DELIVERY, HOLDOUT, OUTBOX
from clvspark.audiences.tables import DECILE, DEFINITION, MEMBERSHIP
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse
from clvspark.sources.tables import CONSENT

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
PEOPLE = ["ann", "bob"]


def write(lake: Lakehouse) -> None:
    spark = lake.spark
    definition = {"audience_id": "top", "version": 1, "name": "Top", "rule": "{}"}
    lake.overwrite(DEFINITION, DEFINITION.rows(spark, [definition]))
    member = {"audience_id": "top", "status": "realized", "version": 1, "qualified_on": APRIL}
    lake.overwrite(
        MEMBERSHIP, MEMBERSHIP.rows(spark, [{**member, "person_id": name} for name in PEOPLE])
    )
    persons = [
        (n, n, None, None, f"{n}@example.org", None, None, None, None, 1, None, None)
        for n in PEOPLE
    ]
    lake.overwrite(PERSON, spark.createDataFrame(persons, PERSON.schema))
    link = {"source_system": "s", "valid_from": APRIL, "reason": "single", "probability": 1}
    links = [{**link, "source_record_id": name, "person_id": name} for name in PEOPLE]
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, links))
    lake.overwrite(CUSTOMER_VALUE, CUSTOMER_VALUE.rows(spark, []))
    lake.overwrite(DECILE, DECILE.rows(spark, []))


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


def test_lists_follow_consent(lake: Lakehouse, tmp_path: Path, open_lake) -> None:
    config = ActivationConfig.model_validate(
        {
            "exports": str(tmp_path / "exports"),
            "holdout": {"percent": 0},
            "destinations": [
                {
                    "id": "tool", "format": "jsonl", "channel": "email", "identifier": "email", "hashed": False,
                    "audiences": ["top"],
                }
            ],
        }
    )  # fmt: skip
    write(lake)
    for name in PEOPLE:
        consent(lake, name, "y", "2026-03-01 00:00:00")
    with lake.writing("activate"):
        first = stage.run(lake, config, APRIL)
        assert stage.run(lake, config, APRIL).status == "unchanged"
    assert first.metrics["rows_exported"] == 2
    once = [("ann", "add", "delivered", "2026-04-01"), ("bob", "add", "delivered", "2026-04-01")]
    assert told(lake) == once
    assert {row["split_group"] for row in lake.read(HOLDOUT).collect()} == {"treatment"}

    consent(lake, "bob", "n", "2026-05-01 08:00:00")
    later = open_lake(tmp_path)
    with later.writing("activate"):
        stage.run(later, config, MAY)
        later.log.force = True
        stage.run(later, config, MAY)
    assert told(later) == [*once, ("bob", "remove", "delivered", "2026-05-01")], (
        "told once, also by a forced rerun"
    )
    rows = {str(row["as_of_date"]): row for row in later.read(DELIVERY).collect()}
    may = rows["2026-05-01"]
    assert (may["members"], may["without_consent"], may["added"], may["removed"]) == (2, 1, 0, 1)
    lines = (tmp_path / "exports/tool/2026-04-01/top.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["email"] for line in lines) == [
        "ann@example.org",
        "bob@example.org",
    ]
