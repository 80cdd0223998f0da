"""Two persons on a list: what the stage of activation is tested with."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import functions as F

from clvspark.activation import stage
from clvspark.activation.config import ActivationConfig
from clvspark.activation.tables import OUTBOX
from clvspark.audiences.tables import DECILE, DEFINITION, ESTIMATE, MEMBERSHIP
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.sources.tables import CONSENT

APRIL, MAY = date(2026, 4, 1), date(2026, 5, 1)
PEOPLE = ["ann", "bob"]


def configure(
    folder: Path, *also: dict[str, Any], hashed: bool = False, percent: float = 0
) -> ActivationConfig:
    """A file for `tool`, one of hashes for `ads` where asked, and others, by what is not usual of them."""
    tool: dict[str, Any] = {
        "id": "tool",
        "format": "jsonl",
        "channel": "email",
        "identifier": "email",
    }
    ads = {**tool, "id": "ads", "hashed": True, "audiences": ["top"]}
    plain = {"channel": "email", "identifier": "email", "hashed": False, "audiences": ["top"]}
    destinations = [{**tool, "hashed": False, "audiences": ["top"]}, *([ads] if hashed else [])]
    destinations += [{**plain, **other} for other in also]
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
    link = {"source_system": "s", "valid_from": APRIL, "recorded_at": "2026-04-01 06:00:00"}
    link |= {"reason": "single", "probability": 1}
    links = [{**link, "source_record_id": name, "person_id": name} for name in PEOPLE]
    lake.overwrite(PERSON_LINK, PERSON_LINK.rows(spark, links))
    lake.overwrite(CUSTOMER_VALUE, CUSTOMER_VALUE.rows(spark, []))
    lake.overwrite(DECILE, DECILE.rows(spark, []))
    for name in PEOPLE:
        consent(lake, name, "y", "2026-03-01 00:00:00")


def write_persons(lake: Lakehouse, addresses: dict[str, str]) -> None:
    persons = [
        {
            "person_id": n,
            "given_name": n,
            "email": addresses.get(n, f"{n}@example.org"),
            "records": 1,
        }
        for n in PEOPLE
    ]
    lake.overwrite(PERSON, PERSON.rows(lake.spark, persons))


def evaluate(lake: Lakehouse, day: date) -> None:
    """Note that audiences were evaluated for the day."""
    known = lake.read_or_empty(ESTIMATE).where(F.col("as_of_date") == F.lit(day))
    if known.isEmpty():
        row = {"audience_id": "top", "as_of_date": day, "profiles_matched": len(PEOPLE)}
        lake.append(ESTIMATE, ESTIMATE.rows(lake.spark, [row]))


def activate(
    lake: Lakehouse, config: ActivationConfig, day: date, *, force: bool = False
) -> RunReport:
    evaluate(lake, day)
    with lake.writing("activate"):
        lake.log.forget_everything()
        lake.log.force = force
        return stage.run(lake, config, day)


def lines(folder: Path, delivery: str) -> list[dict[str, Any]]:
    """Lines of the list ``top`` in a delivery, e.g. ``tool/2026-04-01``."""
    text = (folder / "exports" / delivery / "top.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def consent(lake: Lakehouse, person: str, val: str, at: str, purpose: str = "marketing") -> None:
    row = {
        "consent_id": f"{person}{at}{purpose}", "source_system": "s", "source_record_id": person, "channel": "email",
        "purpose": purpose, "val": val, "recorded_at": at,
    }  # fmt: skip
    lake.append(CONSENT, CONSENT.rows(lake.spark, [row]))


def told(lake: Lakehouse) -> list[tuple[str, str, str, str]]:
    rows = lake.read(OUTBOX).orderBy("person_id", "sequence").collect()
    return [
        (row["person_id"], row["operation"], row["status"], str(row["delivered_on"]))
        for row in rows
    ]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
