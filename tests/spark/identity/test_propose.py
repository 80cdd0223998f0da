"""Settings proposed for tables that nobody has described: they read back, keep the budget and can be trained."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from clvspark.identity import IdentityResolver, IdentitySettings
from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.propose.proposal import Proposal, propose_from_file, propose_settings
from clvspark.identity.propose.rules import count_rules
from clvspark.identity.record_files import read_records
from clvspark.lakehouse.errors import ConfigError, MissingInputError

_GIVEN = [
    "ann",
    "robert",
    "carol",
    "david",
    "elena",
    "frank",
    "grace",
    "henry",
    "irene",
    "jack",
    "karen",
    "liam",
]
_SURNAMES = [
    "smith",
    "jones",
    "taylor",
    "brown",
    "wilson",
    "evans",
    "thomas",
    "walker",
    "wright",
    "green",
    "hall",
]
PERSONS = 500


def _people() -> list[dict[str, Any]]:
    """Two records a person, with gaps and typing errors, in columns like those of FEBRL."""
    chance, rows = random.Random(3), []
    for person in range(PERSONS):
        whole = {
            "given_name": chance.choice(_GIVEN),
            "surname": chance.choice(_SURNAMES),
            "street_number": str(chance.randrange(1, 99)),
            "address_1": f"{chance.choice(_SURNAMES)} street",
            "postcode": f"{chance.randrange(2000, 2100)}",
            "state": chance.choice(["nsw", "vic"]),
            "date_of_birth": f"{chance.randrange(1950, 2005)}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}",
            "soc_sec_id": str(1_000_000 + 7 * person),
        }
        for copy in ("org", "dup"):
            row: dict[str, Any] = {
                "rec_id": f"rec-{person}-{copy}",
                "cluster": f"{person}",
                **whole,
            }
            for name in ("given_name", "surname", "postcode", "date_of_birth", "soc_sec_id"):
                if copy == "dup" and chance.random() < 0.15:
                    row[name] = None
            if copy == "dup" and chance.random() < 0.2:
                row["surname"] = f"{whole['surname']}e"
            rows.append(row)
    return rows


ROWS = _people()


def table(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    schema = ", ".join(f"`{name}` string" for name in rows[0])
    return spark.createDataFrame([tuple(row.values()) for row in rows], schema)


@pytest.fixture(scope="module")
def proposal(spark: SparkSession) -> Proposal:
    return propose_settings(table(spark, ROWS), pair_budget=20_000)


def test_kinds_are_found_and_what_is_unusable_is_left_out_with_its_reason(
    proposal: Proposal,
) -> None:
    settings = proposal.settings
    assert settings.unique_id == ["rec_id"]
    assert {a.column: a.kind for a in settings.attributes} == {
        "given_name": "given_name",
        "surname": "surname",
        "address_1": "street",
        "postcode": "postcode",
        "date_of_birth": "birth_date",
        "soc_sec_id": "identifier",
    }
    assert settings.attributes[-1].max_distinct_names == 6
    assert {"cluster", "street_number", "state"} <= set(proposal.left_out)
    assert all(f"#   {name}: " in proposal.text for name in proposal.left_out)


def test_the_text_reads_back_as_the_settings_and_tells_no_value(
    proposal: Proposal, tmp_path: Path
) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text(proposal.text, encoding="utf-8")
    assert IdentitySettings.from_yaml(file) == proposal.settings
    comments = " ".join(line.partition("#")[2] for line in proposal.text.splitlines())
    assert not any(name in comments for name in (*_GIVEN, *_SURNAMES))


def test_the_budget_holds_and_nearly_every_record_is_found(proposal: Proposal) -> None:
    assert sum(cost.pairs for cost in proposal.blocking) <= 20_000
    keys = [[tuple(row.get(c.removesuffix("_start")) for c in cost.rule) for row in ROWS] for cost in proposal.blocking
            if all(c in ROWS[0] for c in cost.rule)]  # fmt: skip
    found = {
        n
        for rule in keys
        for n, key in enumerate(rule)
        if None not in key and Counter(rule)[key] > 1
    }
    assert len(found) > 0.9 * len(ROWS)


def test_the_proposed_model_can_be_trained(spark: SparkSession, proposal: Proposal) -> None:
    model = IdentityResolver(spark, proposal.settings).train(table(spark, ROWS))
    assert len(model.settings["comparisons"]) >= 4


def test_pairs_are_counted_as_brute_force_counts_them(
    spark: SparkSession, proposal: Proposal
) -> None:
    rows = ROWS[:60]
    settings = proposal.settings.model_copy(update={"max_block_records": 8})
    standard = standardise_records(table(spark, rows), settings).localCheckpoint()
    rules = [("surname",), ("given_name", "surname"), ("given_name_forms",), ("postcode",)]
    records = [row.asDict() for row in standard.collect()]
    for cost in count_rules(standard, rules, settings).costs:
        blocks = _blocks(records, cost.rule)
        small = [members for members in blocks.values() if 1 < len(members) <= 8]
        assert cost.pairs == sum(len(members) * (len(members) - 1) // 2 for members in small)
        assert cost.records == len({n for members in small for n in members})
        assert cost.in_large_blocks == sum(len(m) for m in blocks.values() if len(m) > 8)
        assert cost.known["soc_sec_id"] == sum(
            records[i]["soc_sec_id"] is not None and records[j]["soc_sec_id"] is not None
            for members in small
            for i, j in combinations(members, 2)
        )


def _blocks(records: list[dict[str, Any]], rule: tuple[str, ...]) -> dict[Any, list[int]]:
    blocks: dict[Any, list[int]] = {}
    for n, record in enumerate(records):
        values = [record[name] for name in rule]
        if None in values:
            continue
        keys = values[0] if isinstance(values[0], list) else [tuple(values)]
        for key in keys:
            blocks.setdefault(key, []).append(n)
    return blocks


def test_a_source_and_an_id_make_the_id_and_phones_back_each_other_up(spark: SparkSession) -> None:
    rows = [
        {
            "source_system": source,
            "source_record_id": str(person),
            "full_name": f"{row['given_name']} {row['surname']}",
            "email": f"p{person}@example.com",
            "mobile": f"07700 9{person:05}",
            "phone": None if person % 3 else f"020 7946 0{person:03}",
            "created_at": "2020-01-01",
        }
        for person, row in enumerate(ROWS[::2])
        for source in ("crm", "web")
    ]
    rows[0]["created_at"] = "2020-01-02"
    df = table(spark, rows).selectExpr("*", "email AS `e-mail`", "map('a', 1) AS extras")
    found = propose_settings(df)
    assert found.settings.unique_id == ["source_system", "source_record_id"]
    assert "rename" in found.left_out["e-mail"]
    assert "map<string,int>" in found.left_out["extras"]
    mobile = next(a for a in found.settings.attributes if a.column == "mobile")
    assert (mobile.kind, mobile.fallbacks) == ("phone", ["phone"])
    assert "dates of birth" in found.left_out["created_at"]
    assert ["email"] in found.settings.blocking_rules
    assert found.settings.training is not None
    assert ["email", "full_name"] in found.settings.training.deterministic_rules


def test_the_order_of_rows_plays_no_part(spark: SparkSession, proposal: Proposal) -> None:
    again = propose_settings(table(spark, ROWS[::-1]).repartition(3), pair_budget=20_000)
    assert again.text == proposal.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"surname": "lee"}, {"surname": "lee"}], "tells every record apart"),
        (
            [{"id": "1", "surname": "lee"}, {"id": "1", "surname": "ng"}],
            r"\(id\): 1 are given to more than one",
        ),
        (
            [{"id": None, "surname": "lee"}, {"id": "1", "surname": "ng"}],
            r"\(id\): 1 records have none",
        ),
        ([{"id;surname": "1;lee"}, {"id;surname": "2;ng"}], "parted by commas"),
        ([{"id": "1", "colour": "red"}, {"id": "2", "colour": "blue"}], "could be compared"),
        ([{"id": "1", "surname": "lee"}, {"id": "2", "surname": "ng"}], "no blocking rule"),
    ],
)
def test_what_the_records_lack_is_said(
    spark: SparkSession, rows: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        propose_settings(table(spark, rows))


def test_files_are_read_as_texts(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "records.csv"
    lines = [", ".join(ROWS[0]), *(", ".join(v or "" for v in row.values()) for row in ROWS)]
    file.write_text("\n".join(lines), encoding="utf-8")
    assert read_records(spark, file).dtypes == [(name, "string") for name in ROWS[0]]
    assert propose_from_file(spark, file).settings.unique_id == ["rec_id"]
    with pytest.raises(MissingInputError, match="does not exist"):
        propose_from_file(spark, tmp_path / "none.csv")


def test_the_truth_is_left_out_whatever_its_name(spark: SparkSession) -> None:
    rows = [{("who" if name == "cluster" else name): v for name, v in row.items()} for row in ROWS]
    found = propose_settings(table(spark, rows), pair_budget=20_000, truth_column="who")
    assert "who" in found.left_out
    assert "who" not in found.settings.model_dump_json()
    with pytest.raises(ConfigError, match="have no column 'nobody'"):
        propose_settings(table(spark, rows), truth_column="nobody")


def test_names_of_columns_may_be_of_any_alphabet(spark: SparkSession) -> None:
    letters = {"given_name": "имя_given_name", "surname": "φαμιλία_surname"}
    rows = [{letters.get(name, name): value for name, value in row.items()} for row in ROWS]
    found = propose_settings(table(spark, rows), pair_budget=20_000)
    assert set(letters.values()) <= {a.column for a in found.settings.attributes}


def test_a_single_record_is_told_to_be_too_few(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match="there is 1 of them"):
        propose_settings(table(spark, ROWS[:1]))
