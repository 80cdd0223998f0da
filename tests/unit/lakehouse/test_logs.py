"""Nothing personal and nothing secret leaves through the log."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.lakehouse.logs import RedactingFilter, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail to ann.lee+x@mail.example.org failed", "mail to <email> failed"),
        ("call +44 20 7946 0958 now", "call <number> now"),
        ("call 07700900123", "call <number>"),
        ("till:07700900123 is unknown", "till:<number> is unknown"),
        ("shop24:+44 7700 900123: no consent", "shop24:<number>: no consent"),
        ("token=abc123 was used", "token=<redacted> was used"),
        ("PASSWORD: hunter2", "PASSWORD: <redacted>"),
        ("api_key = xyz", "api_key = <redacted>"),
    ],
)
def test_personal_data_and_secrets_are_replaced_by_their_kind(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "clv.model has no champion as of 2026-04-01. Run first: clvspark fit --as-of 2026-04-01",
        "held by process 12345 (history) since 2026-04-01 10:20:30",
        "12 rows of 1,234,567",
        "at 10:20:30 12345678 rows",
        "at 10:20:30 2026-04-01",
        "as of 20260401 10:20:30",
        "spark://127.0.0.1:7077",
        "/data/2026-04-01/part-00000.parquet",
        "rows outside (as_of_date = DATE'2026-04-01')",
    ],
)
def test_dates_counts_and_paths_stay_readable(text: str) -> None:
    assert redact(text) == text


@given(
    st.from_regex(r"[a-z0-9]{1,12}@[a-z]{1,10}\.(org|com)", fullmatch=True), st.text(max_size=10)
)
def test_no_address_survives(address: str, around: str) -> None:
    assert address not in redact(f"{around} {address} {around}")


def test_the_filter_rewrites_arguments_and_tracebacks() -> None:
    try:
        int("ann@example.org")
    except ValueError:
        record = logging.LogRecord(
            "clvspark.x",
            logging.ERROR,
            __file__,
            1,
            "lost %s",
            ("bob@example.org",),
            sys.exc_info(),
        )
    assert RedactingFilter().filter(record)
    shown = logging.Formatter("%(message)s").format(record)
    assert "lost <email>" in shown
    assert "example.org" not in shown
    assert "ValueError" in shown
