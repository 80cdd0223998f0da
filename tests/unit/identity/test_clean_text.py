# ruff: noqa: RUF001  (letters that look like others are what is tested)
"""Plain words, codes and dates, whatever the script, form or case of the text."""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.identity.cleaning import text as clean
from clvspark.identity.cleaning.names import clean_names

Cleaner = Callable[[pa.Array], pa.Array]


def one(cleaner: Cleaner, value: str | None) -> object:
    return cleaner(pa.array([value], pa.string())).to_pylist()[0]


@pytest.mark.parametrize(
    ("cleaner", "value", "clean_value"),
    [
        (clean.clean_codes, " sw1a 1aa ", "SW1A1AA"),
        (clean.clean_codes, "--", None),
        (clean.clean_codes, None, None),
        (clean.clean_codes, "n/a", None),
        (clean.clean_codes, "0000-00", None),
        (clean.clean_codes, "Unknown", None),
        (clean.clean_codes, "NA-1", "NA1"),
        (clean.clean_codes, "100", "100"),
        (clean.clean_texts, "Flat 2,  10-12 High St.", "flat 2 10 12 high st"),
        (clean.clean_texts, "Straße\t9\x00", "strasse 9"),
        (clean.clean_texts, " \t ", None),
        (clean.postcode_areas, "SW1A1AA", "SW1A"),
        (clean.postcode_areas, "K1A0B1", "K1A"),
        (clean.postcode_areas, "90210", "902"),
        (clean.postcode_areas, "2000", "20"),
        (clean.postcode_areas, "1AA", None),
        (clean.postcode_areas, None, None),
        (clean.distinct_words, "high st high", ["high", "st"]),
        (clean.distinct_words, None, None),
    ],
)
def test_texts_and_codes(cleaner: Cleaner, value: str | None, clean_value: object) -> None:
    assert one(cleaner, value) == clean_value


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("1980-02-03", "1980-02-03"),
        ("19800203", "1980-02-03"),
        (" 1980-02-03 00:00:00", "1980-02-03"),
        ("1980-02-03T23:59:59.5Z", "1980-02-03"),
        ("2000-02-29", "2000-02-29"),
        ("1900-02-29", None),
        ("1856-86-18", None),
        ("0000-01-01", None),
        ("1980", None),
        ("1980-2-3", None),
        ("1980-W05-1", None),
        ("1980-02-03x", None),
        ("198002031", None),
        ("03/02/1980", None),
        ("١٩٨٠-٠٢-٠٣", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(value: str | None, day: str | None) -> None:
    assert one(clean.clean_dates, value) == day


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("1856-06-18", "1856-06-18"),
        (" 18560618 ", "1856-06-18"),
        ("1856-86-18", "1856-86-18"),
        ("18568618", "1856-86-18"),
        ("1900-02-29T00:00:00", "1900-02-29"),
        ("0000-01-01", None),
        ("18/06/1856", None),
        ("١٩٨٠-٠٢-٠٣", None),
        ("1856-6-18", None),
        ("", None),
        (None, None),
    ],
)
def test_a_birth_date_that_no_calendar_has_stays_as_typed(
    value: str | None, day: str | None
) -> None:
    assert one(clean.clean_birth_dates, value) == day


@given(st.dates())
def test_every_day_is_read_in_both_iso_forms(day: datetime.date) -> None:
    text = day.isoformat()
    assert one(clean.clean_dates, text) == text
    assert one(clean.clean_dates, text.replace("-", "")) == text


_SAME = [
    ("José", "Jose\u0301"),
    ("İpek", "i\u0307pek"),
    ("Işık", "ışik"),
    ("Йосиф", "И\u0306осиф"),
    ("Jane", "Jane \U0001f642\ufe0f"),
    ("Jane", "\u202eJane\u202c"),
    ("דוד", "\u200fדוד"),
    ("Jane", "Ja\x00ne\x7f"),
    ("Jane Ann", "Jane\u00a0\u3000Ann"),
    ("O\u2019Brien", "O'BRIEN"),
    ("ＪＡＮＥ", "jane"),
]


@pytest.mark.parametrize(("one_form", "other"), _SAME)
def test_equal_identities_give_equal_keys(one_form: str, other: str) -> None:
    for cleaner in (clean_names, clean.clean_texts, clean.clean_codes):
        key = one(cleaner, one_form)
        assert key is not None
        assert key == one(cleaner, other)


@given(st.text(max_size=30))
def test_unicode_forms_are_one_and_cleaning_twice_changes_nothing(text: str) -> None:
    for cleaner in (clean_names, clean.clean_texts, clean.clean_codes):
        key = one(cleaner, text)
        assert key == one(cleaner, unicodedata.normalize("NFD", text))
        assert key is None or one(cleaner, str(key)) == key


@given(st.lists(st.sampled_from(["Ann", "ÄNN", " ", "b-2", None]), max_size=12))
def test_distinct_values_are_cleaned_as_each_by_itself(values: list[str | None]) -> None:
    array = pa.array(values, pa.string())
    cleaned = clean.over_distinct(array, clean.clean_texts).to_pylist()
    assert cleaned == [one(clean.clean_texts, value) for value in values]
