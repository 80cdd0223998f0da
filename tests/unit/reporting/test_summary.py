"""Sums of the summary are decimals, and a cent too few is seen."""

from __future__ import annotations

from decimal import Decimal

from clvspark.findings import reconcile

SUMS = {
    "events": Decimal("2500340.31"),
    "orders": Decimal("2500340.31"),
    "quarantine": Decimal("1234.00"),
    "persons": Decimal("2368568.46"),
    "anonymous": Decimal("131771.85"),
}


def test_equal_sums_are_equal_to_the_cent() -> None:
    rows = reconcile(Decimal("2501574.31"), SUMS)
    assert [left == right for _, left, right in rows] == [True, True]


def test_a_missing_cent_is_a_difference() -> None:
    (_, landing, kept), (_, events, history) = reconcile(
        Decimal("2501574.31"), {**SUMS, "anonymous": Decimal("131771.84")}
    )
    assert landing == kept
    assert events is not None
    assert history is not None
    assert events - history == Decimal("0.01")


def test_without_a_run_log_the_landing_sum_is_unknown() -> None:
    assert reconcile(None, SUMS)[0][1] is None
