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
