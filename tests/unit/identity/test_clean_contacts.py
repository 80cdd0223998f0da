"""E-mails and phones: the way over whole arrays agrees with the libraries, value by value."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clvspark.identity.cleaning import contacts as clean_contacts
from clvspark.identity.cleaning import phones as clean_phones


def emails(*values: str | None) -> list[str | None]:
    return clean_contacts.clean_emails(pa.array(values, pa.string())).to_pylist()


def phones(country: str, *values: str | None) -> list[str | None]:
    return clean_phones.clean_phones(pa.array(values, pa.string()), country).to_pylist()


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (" Ann.Lee@Example.COM ", "ann.lee@example.com"),
        ("ann+shop@example.com", "ann+shop@example.com"),
        ("ann@EXAMPLE.com\x00", "ann@example.com"),
        ("jürgen@bücher.example.de", "jürgen@bücher.example.de"),
        ("ann@xn--bcher-kva.de", "ann@bücher.de"),
        ("not an address", None),
        ("a@b", None),
        ("a@@example.com", None),
        (".a@example.com", None),
        ("a..b@example.com", None),
        ("a@example.invalid", None),
        ("a@-example.com", None),
        (f"{'a' * 300}@example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_emails(value: str | None, clean: str | None) -> None:
    assert emails(value) == [clean]


# Every piece of an address that has a rule of its own.
_LOCALS = st.text(st.sampled_from("aZ09.._-+'\"@ ü<>,"), max_size=8) | st.sampled_from(
    ["info", "a" * 64, "a" * 65, "a" * 240]
)
_LABELS = st.text(st.sampled_from("aZ0-üß。"), max_size=6) | st.sampled_from(
    ["xn--bcher-kva", "local", "test", "example", "com", "a" * 63, "a" * 64]
)
_DOMAINS = st.lists(_LABELS, max_size=4).map(".".join)
_ENDS = st.text(st.sampled_from(" \t\n\x00\x1f\u00a0"), max_size=2)
ADDRESSES = st.builds("{}{}@{}{}".format, _ENDS, _LOCALS, _DOMAINS, _ENDS) | st.text(max_size=12)


@settings(max_examples=300)
@given(st.lists(ADDRESSES | st.none(), max_size=20))
def test_addresses_are_what_the_library_makes_of_them(values: list[str | None]) -> None:
    assert emails(*values) == [v and clean_contacts.clean_email(v) for v in map(_none, values)]


def _none(value: str | None) -> str | None:
    return value or None


@pytest.mark.parametrize(
    ("value", "country", "clean"),
    [
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 (0)20 7946 0958", "GB", "+442079460958"),
        ("0044 20 7946 0958", "GB", "+442079460958"),
        ("(01865) 862-666", "GB", "+441865862666"),
        ("+1 212 555 0123", "GB", "+12125550123"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("1-212-555-0123", "US", "+12125550123"),
        ("(02) 9374 4000", "AU", "+61293744000"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("02 1234 5678", "IT", "+390212345678"),
        ("+44 7700 900123 ext. 4", "GB", "+447700900123"),
        ("12", "GB", None),
        ("call me", "GB", None),
        ("", "GB", None),
        (None, "GB", None),
    ],
)
def test_phones(value: str | None, country: str, clean: str | None) -> None:
    assert phones(country, value) == [clean]


COUNTRIES = [
    "GB",
    "US",
    "CA",
    "DE",
    "FR",
    "AU",
    "IN",
    "IT",
    "ES",
    "NL",
    "SE",
    "BR",
    "JP",
    "NZ",
    "HU",
    "RU",
    "SM",
]
_STARTS = st.sampled_from(
    ["", "+", "0", "00", "1", "01", "011", "+44", "0044", "44", "+1", "+49", "0049", "+61", "180020",
     "0180020", "0011", "+4401", "39", "+39", "+3902", "01044", "06", "036", "8", "810", "(0", "+44(0)"]
)  # fmt: skip
_GROUPS = st.lists(st.text(st.sampled_from("0123456789"), min_size=1, max_size=6), max_size=4)
_JOINTS = st.sampled_from(["", " ", "-", ".", ") ", " (", "--", "x", "/", "+", "#", "\u00a0", ","])
NUMBERS = st.builds(
    lambda start, joint, groups, end: start + joint.join(groups) + end,
    _STARTS, _JOINTS, _GROUPS, st.sampled_from(["", " ", "-", ")", "x12", "a"]),
)  # fmt: skip


@settings(max_examples=2000)
@given(st.sampled_from(COUNTRIES), st.lists(NUMBERS, min_size=1, max_size=20))
@example("GB", ["01800201234", "1800201234567", "08001111", "0500123456"])
def test_numbers_are_what_the_library_makes_of_them(country: str, values: list[str]) -> None:
    assert phones(country, *values) == [clean_phones.clean_phone(v, country) for v in values]


@pytest.mark.parametrize("country", ["GB", "US", "DE", "FR", "AU", "IN", "ES", "NL"])
def test_the_usual_shapes_do_without_the_library(
    country: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import phonenumbers

    number = phonenumbers.example_number(country)
    form = phonenumbers.PhoneNumberFormat
    written = [
        phonenumbers.format_number(number, f)
        for f in (form.E164, form.INTERNATIONAL, form.NATIONAL)
    ]

    def refuse(*_: str) -> None:
        raise AssertionError("a usual number went to the library")

    monkeypatch.setattr(clean_phones, "clean_phone", refuse)
    monkeypatch.setattr(clean_contacts, "clean_email", refuse)
    assert set(phones(country, *written)) == {written[0]}
