"""Names: plain letters, parts of whole names, nicknames."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.identity.cleaning.names import (
    clean_names,
    clean_surnames,
    join_names,
    name_forms,
    split_names,
)


def split(value: str | None) -> tuple[str | None, str | None]:
    given_name, surname = split_names(pa.array([value], pa.string()))
    return given_name.to_pylist()[0], surname.to_pylist()[0]


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("  José ", "jose"),
        ("O'Brien", "obrien"),
        ("Anne-Marie", "anne marie"),
        ("MÜLLER", "muller"),
        ("Łukasz  Jan", "lukasz jan"),
        ("J.", "j"),
        ("12345", None),
        (" ", None),
        ("", None),
        (None, None),
    ],
)
def test_names(value: str | None, clean: str | None) -> None:
    assert clean_names(pa.array([value], pa.string())).to_pylist() == [clean]


def test_an_initial_is_no_surname() -> None:
    assert clean_surnames(pa.array(["S.", "Ng", None])).to_pylist() == [None, "ng", None]


def test_nicknames_and_their_name_share_a_form() -> None:
    assert set(name_forms("liz")) & set(name_forms("elizabeth"))
    assert set(name_forms("bill")) & set(name_forms("william"))
    assert not set(name_forms("bill")) & set(name_forms("elizabeth"))
    assert "anne" in name_forms("anne marie")


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("Jane Smith", ("jane", "smith")),
        ("Smith, Jane", ("jane", "smith")),
        ("Dr. Jane Ann Smith", ("jane ann", "smith")),
        ("Rt. Hon. Lord Smith", ("smith", None)),
        ("Smith, Mrs Jane", ("jane", "smith")),
        ("John Smith Jr.", ("john", "smith")),
        ("John Smith, PhD", ("john", "smith")),
        ("Smith Jr, John", ("john", "smith")),
        ("Smith, John, Jr.", ("john", "smith")),
        ("Sir John Smith, 1st Baronet", ("john", "smith")),
        ("Edward Smith, 14th Earl of Derby", ("edward smith of", "derby")),
        ("Henry Smith IV", ("henry", "smith")),
        ("Earl Warren", ("earl", "warren")),
        ("Jan van der Berg", ("jan", "van der berg")),
        ("van der Berg, Jan", ("jan", "van der berg")),
        ("Le Roy", ("le", "roy")),
        ("Anne-Marie Smith-Jones", ("anne marie", "smith jones")),
        ("Jane", ("jane", None)),
        (", Jane", ("jane", None)),
        ("Mr", (None, None)),
        ("Smith, Mr", (None, "smith")),
        (",", (None, None)),
        ("", (None, None)),
        (None, (None, None)),
    ],
)
def test_whole_names_are_split(full: str | None, parts: tuple[str | None, str | None]) -> None:
    assert split(full) == parts


NAMES = st.lists(st.sampled_from(["jane", "ann", "ó", "lee"]), min_size=1, max_size=2).map(" ".join)
SURNAMES = st.builds(
    lambda particles, name: " ".join([*particles, name]),
    st.lists(st.sampled_from(["van", "de", "der"]), max_size=2),
    st.sampled_from(["smith", "ng", "o'neill", "smith-jones"]),
)


@given(NAMES, SURNAMES, st.sampled_from(["", "Mr ", "Prof. Dr. "]), st.sampled_from(["", " jr", ", PhD"]))  # fmt: skip
def test_both_orders_tell_the_same_name(name: str, surname: str, title: str, suffix: str) -> None:
    in_order = split(f"{title}{name} {surname}{suffix}")
    assert in_order == split(f"{surname}, {title}{name}{suffix}")
    assert None not in in_order


def test_parts_are_joined_in_natural_order() -> None:
    joined = join_names(pa.array(["ann", None, "ann", None]), pa.array(["lee", "lee", None, None]))
    assert joined.to_pylist() == ["ann lee", "lee", "ann", None]
