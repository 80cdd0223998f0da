"""Fault 37: what a run prints, the page and the model registry hold no personal data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def canaries(finished):
    """Names, e-mail addresses, telephone numbers and streets of the landing files."""
    found: set[str | None] = set()
    for row in rows_of_csv(finished.landing / "crm/contacts.csv"):
        found |= {f"{row['first_name']} {row['last_name']}", row["email"], row["mobile"]}
        found |= {row["street"], row["phone"]}
    for row in rows_of_csv(finished.landing / "loyalty/members.csv"):
        found |= {row["full_name"], row["email"], row["phone"], row["address_line_1"]}
    for name in ("accounts", "guest_orders"):
        text = (finished.landing / f"web/{name}.jsonl").read_text(errors="replace")
        found |= {json.loads(line).get("email") for line in text.splitlines() if line.endswith("}")}
    return {value.strip() for value in found if value and len(value) > 7}


def test_the_canaries_are_many_and_are_in_the_lists_that_must_hold_them(finished, canaries):
    exported = "".join(path.read_text() for path in finished.exports.glob("email_tool/*/*.csv"))

    assert len(canaries) > 1_000
    assert any(canary in exported for canary in canaries)


def test_nothing_printed_holds_personal_data(finished, canaries):
    printed = finished.printed.read_text()

    assert printed.count("(equal)") == 2
    assert found_in(printed, canaries) == []


def test_the_page_holds_no_personal_data(finished, canaries):
    assert found_in(finished.page.read_text(), canaries) == []


def test_the_model_registry_holds_no_personal_data(finished, canaries):
    files = [path for path in (finished.lakehouse / "_mlflow").rglob("*") if path.is_file()]

    assert {"mlflow.db", "model.json"} <= {path.name for path in files}
    for path in files:
        assert found_in(path.read_bytes().decode("utf-8", errors="replace"), canaries) == []


def found_in(text: str, canaries: set[str]) -> list[str]:
    return sorted(canary for canary in canaries if canary in text)


def rows_of_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return list(csv.DictReader(file))
