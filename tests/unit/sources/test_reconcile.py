"""Mappings that do not fit are told: most rows in quarantine, columns that nothing reads or that hold nothing."""

from __future__ import annotations

import pytest
from pyspark.sql import Row

from clvspark.sources.reconcile import warn_of_columns, warn_of_mappings


def counted(fate: str, rows: int, reason: str | None = None, drop: str = "till:sales.csv") -> Row:
    return Row(target="sources.event", drop=drop, fate=fate, reason=reason, rows=rows)


def test_the_commonest_reason_and_the_next_step_are_told() -> None:
    (warning,) = warn_of_mappings(
        [
            counted("kept", 1),
            counted("quarantined", 2, "check:event_type"),
            counted("quarantined", 1, "malformed_row"),
            counted("kept", 9, drop="web:orders.jsonl"),
            counted("quarantined", 9, "duplicate_key", drop="web:orders.jsonl"),
            counted("kept", 9, drop="web:dumps_*.jsonl"),
            counted("quarantined", 18, "copy", drop="web:dumps_*.jsonl"),
        ]
    )
    assert warning.startswith(
        "till:sales.csv to sources.event: 3 of 4 rows are in quarantine, 2 of them with the reason "
        "check:event_type. Next step: look at such rows in sources.quarantine"
    )


def test_older_versions_are_a_fault_of_events_only() -> None:
    versions = counted("quarantined", 9, "superseded")
    records = Row(**{**versions.asDict(), "target": "sources.customer_record"})

    (warning,) = warn_of_mappings([versions, records])

    assert warning.startswith("till:sales.csv to sources.event: 9 of 9 rows are in quarantine")


@pytest.mark.parametrize(
    "rows", [[], [counted("kept", 1)], [counted("kept", 1), counted("quarantined", 1, "x")]]
)
def test_up_to_half_is_no_warning(rows: list[Row]) -> None:
    assert warn_of_mappings(rows) == []


def received(drop: str, rows: int = 5, unknown: str | None = None, *without_value: str) -> Row:
    return Row(
        drop=drop,
        rows=rows,
        unknown_rows=2 if unknown else 0,
        unknown_names=unknown,
        without_value=list(without_value),
    )


def test_columns_that_nothing_reads_or_that_hold_nothing_are_told_once_for_a_file() -> None:
    orders, accounts = "web:orders.jsonl", "web:accounts.jsonl"
    warnings = warn_of_columns(
        [
            received(orders, 5, "gift, note", "emial"),
            received(orders, 5, "gift, note", "emial", "ammount"),
            received(accounts),
            received("web:empty.jsonl", 0, None, "email"),
        ]
    )
    nothing, silent = (text.partition(". Next step: ") for text in warnings)
    assert nothing[0] == f"{orders}: 2 of 5 rows have columns that nothing reads, e.g. gift, note"
    assert nothing[2] == "map them, or name them under 'ignore' of this file."
    assert silent[0] == f"{orders}: no row has a value of ammount, emial"
    assert silent[2].startswith("see whether the mapping of this file spells these columns")
