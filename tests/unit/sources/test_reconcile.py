"""A mapping that sends most of its rows to quarantine is told, with the commonest reason."""

from __future__ import annotations

import pytest
from pyspark.sql import Row

from clvspark.sources.reconcile import warn_of_mappings


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
        ]
    )
    assert warning.startswith(
        "till:sales.csv to sources.event: 3 of 4 rows are in quarantine, 2 of them with the reason "
        "check:event_type. Next step: look at such rows in sources.quarantine"
    )


@pytest.mark.parametrize(
    "rows", [[], [counted("kept", 1)], [counted("kept", 1), counted("quarantined", 1, "x")]]
)
def test_up_to_half_is_no_warning(rows: list[Row]) -> None:
    assert warn_of_mappings(rows) == []
