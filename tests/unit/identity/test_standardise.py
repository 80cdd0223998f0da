"""A batch of records gets every column of the settings."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from clvspark.identity.cleaning.standardise import input_columns, standardise_batch
from clvspark.identity.settings import DERIVED, IdentitySettings

KINDS = {
    "given": "given_name",
    "surname": "surname",
    "name": "full_name",
    "born": "birth_date",
    "mail": "email",
    "mobile": "phone",
    "postcode": "postcode",
    "street": "street",
    "home": "address",
    "card": "identifier",
    "job": "text",
}


def settings(**fallbacks: list[str]) -> IdentitySettings:
    attributes = [
        {"column": name, "kind": kind, "compare": False, "fallbacks": fallbacks.get(name, [])}
        for name, kind in KINDS.items()
    ]
    return IdentitySettings.model_validate(
        {"unique_id": ["id"], "attributes": attributes, "trusted_identifiers": ["card"]}
    )


def standardise(*rows: dict[str, str], **fallbacks: list[str]) -> list[dict[str, Any]]:
    chosen = settings(**fallbacks)
    names = ["unique_id", *input_columns(chosen)]
    columns = [pa.array([row.get(name) for row in rows], pa.string()) for name in names]
    return standardise_batch(pa.RecordBatch.from_arrays(columns, names), chosen).to_pylist()


def test_every_kind_gets_its_columns() -> None:
    (row,) = standardise(
        {
            "unique_id": "a:1", "given": "Liz", "surname": "O'Neill", "name": "O'Neill, Liz", "born": "1980-02-03",
            "mail": "Liz@Example.com", "mobile": "020 7946 0958", "postcode": "sw1a 1aa", "street": "1 High St",
            "home": "1 High St, London", "card": "c-17", "job": "Poet & novelist",
        }
    )  # fmt: skip
    assert "elizabeth" in row.pop("given_forms")
    assert row == {
        "unique_id": "a:1", "given": "liz", "given_initial": "l", "surname": "oneill", "surname_start": "one",
        "name": "liz oneill", "name_words": ["liz", "oneill"], "born": "1980-02-03", "born_year": "1980",
        "mail": "liz@example.com", "mail_local": "liz", "mobile": "+442079460958", "postcode": "SW1A1AA",
        "postcode_area": "SW1A", "street": "1 high st", "home": "1 high st london",
        "home_words": ["1", "high", "london", "st"], "card": "C17", "job": "poet novelist",
        "job_words": ["novelist", "poet"],
    }  # fmt: skip


def test_columns_and_types_are_those_of_the_settings() -> None:
    chosen = settings()
    names = ["unique_id", *input_columns(chosen)]
    for rows in (0, 2):
        batch = pa.RecordBatch.from_arrays([pa.nulls(rows, pa.string()) for _ in names], names)
        out = standardise_batch(batch, chosen)
        assert out.schema.names == ["unique_id", *chosen.columns]
        assert {name: str(out.schema.field(name).type) for name in chosen.columns} == {
            name: "list<item: string>" if type_ == "array<string>" else type_
            for name, type_ in chosen.columns.items()
        }
        assert all(value is None for row in out.to_pylist() for value in row.values())
    assert {a.kind for a in chosen.attributes} >= set(DERIVED)


def test_a_missing_part_of_a_name_comes_from_the_whole() -> None:
    rows = standardise(
        {"name": "Bob Jones", "given": "Robert"},
        {"name": "Jane S"},
        {"name": "Jane Smith", "surname": "S"},
        {"given": "Jane", "surname": "S"},
    )
    assert [(row["given"], row["surname"]) for row in rows] == [
        ("robert", "jones"),
        ("jane", None),
        ("jane", "smith"),
        ("jane", None),
    ]
    assert rows[0]["given_initial"] == "r"
    assert rows[0]["surname_start"] == "jon"
    assert rows[3]["name"] is None


@pytest.mark.parametrize(
    ("mobile", "phone", "clean"),
    [
        ("07700 900123", "020 7946 0958", "+447700900123"),
        ("", "020 7946 0958", "+442079460958"),
        (" ", "020 7946 0958", "+442079460958"),
        ("none", "020 7946 0958", "+442079460958"),
        (None, "020 7946 0958", "+442079460958"),
        (None, "none", None),
    ],
)
def test_the_next_column_gives_what_the_first_does_not(
    mobile: str | None, phone: str, clean: str | None
) -> None:
    raw = {"phone": phone} | ({} if mobile is None else {"mobile": mobile})
    assert standardise(raw, mobile=["phone"])[0]["mobile"] == clean


@pytest.mark.parametrize(
    ("given", "surname", "moved"),
    [
        ("Voltaire", None, (None, "voltaire")),
        ("Liz", None, ("liz", None)),
        ("Elizabeth", None, ("elizabeth", None)),
        ("Voltaire", "Arouet", ("voltaire", "arouet")),
        ("Jean Voltaire", None, ("jean voltaire", None)),
        (None, None, (None, None)),
    ],
)
def test_a_lone_word_that_is_no_given_name_may_be_a_surname(
    given: str | None, surname: str | None, moved: tuple[str | None, str | None]
) -> None:
    names = ["unique_id", "given", "surname"]
    raw = pa.RecordBatch.from_arrays(
        [pa.array([value], pa.string()) for value in ("a:1", given, surname)], names
    )
    kinds = {"given": "given_name", "surname": "surname"}
    plain = IdentitySettings.model_validate(
        {"attributes": [{"column": c, "kind": k, "compare": False} for c, k in kinds.items()]}
    )
    lone = plain.model_copy(update={"lone_names_may_be_surnames": True})
    (row,) = standardise_batch(raw, lone).to_pylist()
    assert (row["given"], row["surname"]) == moved
    (kept,) = standardise_batch(raw, plain).to_pylist()
    assert kept["given"] == (given.lower() if given else None)
