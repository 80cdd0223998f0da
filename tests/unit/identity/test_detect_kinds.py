"""Kinds of columns: told by names in several languages, always tested on the values."""

from __future__ import annotations

import pyarrow as pa
import pytest

from clvspark.identity.propose.column_names import kind_of_name
from clvspark.identity.propose.kinds import Finding, detect_kind, given_names


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("given_name", "given_name"),
        ("firstName", "given_name"),
        ("Vorname", "given_name"),
        ("prénom", "given_name"),
        ("FAMILY NAME", "surname"),
        ("Nachname", "surname"),
        ("first_and_surname", "full_name"),
        ("customer_name", "full_name"),
        ("date_of_birth", "birth_date"),
        ("geburtsdatum", "birth_date"),
        ("customerEmail", "email"),
        ("e-mail", "email"),
        ("home_phone_2", "phone"),
        ("Telefon", "phone"),
        ("PLZ", "postcode"),
        ("zipcode", "postcode"),
        ("address_1", "street"),
        ("Straße", "street"),
        ("address_2", "address"),
        ("soc_sec_id", "identifier"),
        ("birth_place", "text"),
        ("suburb", "text"),
        ("street_number", "number"),
        ("cluster", "truth"),
        ("person_key", "truth"),
        ("colour", None),
        ("filename_hash", None),
    ],
)
def test_names_tell_kinds(column: str, kind: str | None) -> None:
    assert kind_of_name(column) == kind


GIVEN = sorted(given_names())[::40]


def detect(column: str, *values: str | None) -> Finding:
    return detect_kind(column, pa.array(values, pa.string()), country="GB")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["ann@example.com", "bob@example.org", " "], "email"),
        (["SW1A 1AA", "ls1 4ap", "YO1 7HH"], "postcode"),
        (["020 7946 0958", "+44 7700 900123", "01632 960001"], "phone"),
        ([f"{name.title()} Lee" for name in GIVEN], "full_name"),
        ([*GIVEN, "zoltan"], "given_name"),
        (["vic", "nsw", "vic", "sa"], None),
        (["1 High St, York", "Mill Lane 7", "12b Kings Road"], "address"),
        (["c-1001", "c-1002", "x9-777"], "identifier"),
        ([f"trade {n}" for n in "abcdefghijklmnopqrstuvwxyz"], "text"),
        (["1980-01-02", "1990-03-04"], None),
        (["1", "2", "3", "1", "2"], None),
        (["red", "green", "red"], None),
        ([f"sa{n}" for n in "abcdefghijklmnopqrstuvwxyz"] + ["nsw"] * 200, None),
        (["same", "same"], None),
        ([None, " ", ""], None),
    ],
)
def test_values_tell_kinds_where_the_name_does_not(
    values: list[str | None], kind: str | None
) -> None:
    found = detect("column", *values)
    assert found.kind == kind, found.reason
    assert found.reason


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("email", ["ann", "bob", "ann@example.com"]),
        ("dob", ["02/03/1980", "31/12/1970"]),
        ("phone", ["none", "unknown"]),
        ("full_name", ["jsmith12", "bob"]),
        ("truth", ["ann@example.com", "bob@example.com"]),
    ],
)
def test_a_name_that_the_values_belie_is_left_out(column: str, values: list[str]) -> None:
    assert detect(column, *values).kind is None


def test_reasons_tell_shares_and_what_to_do_but_no_value() -> None:
    found = detect("dob", "02/03/1980", "31/12/1970", "1980-02-03", None)
    assert "birth_date" in found.reason
    assert "33%" in found.reason
    assert "yyyy-mm-dd" in found.reason
    assert "1980-02" not in found.reason
    assert found.filled == 0.75
    assert found.distinct == 3
