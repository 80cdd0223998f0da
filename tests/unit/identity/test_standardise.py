"""One spelling of names, dates, e-mails, phones and addresses."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.identity.settings import IdentitySettings
from clvspark.identity.standardise import (
    clean_code,
    clean_email,
    clean_name,
    clean_phone,
    clean_street,
    name_forms,
    split_name,
    standard_columns,
    standardise_batch,
)


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("  José ", "jose"),
        ("O'Brien", "obrien"),
        ("Anne-Marie", "anne marie"),
        ("MÜLLER", "muller"),
        ("İpek", "ipek"),
        ("Jane\x00", "jane"),
        ("Łukasz  Jan", "lukasz jan"),
        ("12345", None),
        ("", None),
    ],
)
def test_names(value: str, clean: str | None) -> None:
    assert clean_name(value) == clean


@given(st.sampled_from(["José", "Ångström", "Zoë", "Núñez", "Dvořák"]))
def test_composed_and_decomposed_letters_are_one_name(name: str) -> None:
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")}
    assert len(forms) == 2
    assert len({clean_name(form) for form in forms}) == 1


@given(st.text(max_size=30))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    for clean in (clean_name, clean_code, clean_street):
        once = clean(text)
        assert once is None or clean(once) == once


def test_nicknames_and_their_name_share_a_form() -> None:
    assert set(name_forms("liz")) & set(name_forms("elizabeth"))
    assert set(name_forms("bill")) & set(name_forms("william"))
    assert not set(name_forms("bill")) & set(name_forms("elizabeth"))
    assert "anne" in name_forms("anne marie")


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("Jane Smith", ("Jane", "Smith")),
        ("Smith, Jane", ("Jane", "Smith")),
        ("Dr. Jane Ann Smith", ("Jane Ann", "Smith")),
        ("Jane", ("Jane", None)),
        ("Mr", (None, None)),
        (", Jane", ("Jane", None)),
        ("", (None, None)),
        (None, (None, None)),
        (float("nan"), (None, None)),
    ],
)
def test_whole_names_are_split(full: str | None, parts: tuple[str | None, str | None]) -> None:
    assert split_name(full) == parts


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        (" Ann.Lee@Example.COM ", "ann.lee@example.com"),
        ("not an address", None),
        ("a@b", None),
        ("a@@example.com", None),
    ],
)
def test_emails(value: str, clean: str | None) -> None:
    assert clean_email(value) == clean


@pytest.mark.parametrize(
    ("value", "country", "clean"),
    [
        ("020 7946 0958", "GB", "+442079460958"),
        ("+44 (0)20 7946 0958", "GB", "+442079460958"),
        ("0044 20 7946 0958", "GB", "+442079460958"),
        ("(212) 555-0123", "US", "+12125550123"),
        ("12", "GB", None),
        ("call me", "GB", None),
    ],
)
def test_phones(value: str, country: str, clean: str | None) -> None:
    assert clean_phone(value, country) == clean


def test_codes_and_streets() -> None:
    assert clean_code(" sw1a 1aa ") == "SW1A1AA"
    assert clean_code("--") is None
    assert clean_street("Flat 2,  10-12 High St.") == "flat 2 10 12 high st"


SETTINGS = IdentitySettings.model_validate(
    {
        "full_name": "full_name",
        "attributes": [
            {"column": "given_name", "kind": "given_name"},
            {"column": "surname", "kind": "surname"},
            {"column": "birth_date", "kind": "birth_date"},
            {"column": "postcode", "kind": "postcode"},
        ],
        "blocking_rules": [["surname"]],
        "training": {"deterministic_rules": [["surname"]], "em_rules": [["surname"]]},
    }
)


def test_a_batch_gets_every_column_of_the_settings() -> None:
    rows = [
        {
            "unique_id": "a:1",
            "_full_name": "Smith, Liz",
            "birth_date": "1980-02-03",
            "postcode": "SW1A 1AA",
        },
        {"unique_id": "a:2", "_full_name": "Bob Jones", "given_name": "Robert", "surname": "Jones"},
        {"unique_id": "a:3", "given_name": "Jane", "surname": "S"},
    ]
    names = ["unique_id", "_full_name", "given_name", "surname", "birth_date", "postcode"]
    batch = pd.DataFrame(rows, columns=names).astype(object)
    out = standardise_batch(batch.where(batch.notna(), None), SETTINGS).set_index("unique_id")
    assert list(out.columns) == standard_columns(SETTINGS)
    assert out.loc["a:1", ["given_name", "surname"]].tolist() == ["liz", "smith"]
    assert out.loc["a:1", ["birth_date_year", "postcode_area", "given_name_initial"]].tolist() == [
        "1980", "SW1A", "l"
    ]  # fmt: skip
    assert out.loc["a:2", "given_name"] == "robert", (
        "the part that is given goes before the whole name"
    )
    assert out.loc["a:3", "surname"] is None, "an initial is no surname"
