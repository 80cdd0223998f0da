"""Numbers as people read them."""

from __future__ import annotations

import pytest

from clvspark.reporting import formats


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (formats.whole(1234567.8), "1,234,568"),
        (formats.whole(None), "\N{EN DASH}"),
        (formats.decimal(-0.004), "0.00"),
        (formats.decimal(-0.006), "-0.01"),
        (formats.percent(-0.0001), "0.0 %"),
        (formats.whole(-0.4), "0"),
        (formats.significant(0.000123456), "0.00012346"),
    ],
)
def test_numbers_are_rounded_and_nothing_is_less_than_zero_by_rounding(
    told: str, text: str
) -> None:
    assert told == text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("residual_value", "residual value"),
        ("bad_value:net_revenue", "bad value: net revenue"),
        ("margin", "margin"),
        ("sources.customer_record", "sources.customer_record"),
        ("till:till/sales_*.csv: 3 rows", "till:till/sales_*.csv: 3 rows"),
        ("BetaGeoModel_2", "BetaGeoModel_2"),
        ("10:30", "10:30"),
    ],
)
def test_codes_are_spelt_in_words_and_names_stay(code: str, words: str) -> None:
    assert formats.spell_code(code) == words
