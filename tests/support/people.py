"""Four hundred records of people with typos and shared homes, and settings to find them."""

from __future__ import annotations

import random
from typing import Any

from pyspark.sql import DataFrame, SparkSession

SETTINGS: dict[str, Any] = {
    "attributes": [
        {"column": "given_name", "kind": "given_name"},
        {"column": "surname", "kind": "surname"},
        {"column": "birth_date", "kind": "birth_date"},
        {"column": "email", "kind": "email", "max_distinct_names": 3},
        {"column": "postcode", "kind": "postcode"},
        {"column": "loyalty_card", "kind": "identifier", "compare": False},
    ],
    "trusted_identifiers": ["loyalty_card"],
    "blocking_rules": [
        ["email"],
        ["surname", "birth_date"],
        ["given_name", "birth_date"],
        ["surname", "postcode"],
    ],
    "training": {
        "sample_records": 1000,
        "u_max_pairs": 20000,
        "deterministic_rules": [["email", "given_name"], ["given_name", "surname", "birth_date"]],
        "deterministic_recall": 0.8,
        "em_rules": [["email"], ["given_name", "birth_date"], ["given_name", "surname"]],
    },
}
_GIVEN = [
    "ann",
    "bob",
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
    "mona",
    "noah",
    "olive",
    "peter",
]
_SURNAMES = [
    "smith",
    "jones",
    "taylor",
    "brown",
    "wilson",
    "evans",
    "thomas",
    "roberts",
    "walker",
    "wright",
    "green",
    "hall",
    "wood",
    "clarke",
]


def _typo(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return word[:at] + chance.choice("aeiorst") + word[at + 1 :]


def make_people(persons: int = 200, seed: int = 5) -> list[dict[str, Any]]:
    """Two records a person, with the truth in ``person``."""
    chance, rows = random.Random(seed), []
    for person in range(persons):
        whole = {
            "given_name": chance.choice(_GIVEN),
            "surname": chance.choice(_SURNAMES),
            "birth_date": f"{chance.randrange(1950, 2005)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            "email": f"{person}.{chance.choice(_SURNAMES)}@example.com",
            "postcode": f"AB{chance.randrange(1, 20)} {chance.randrange(1, 10)}CD",
        }
        for copy in ("a", "b"):
            row = {
                "source_system": copy,
                "source_record_id": f"{person:04}",
                "person": str(person),
                **whole,
            }
            if copy == "b":
                for name in ("given_name", "surname"):
                    if chance.random() < 0.2:
                        row[name] = _typo(row[name], chance)
                for name in ("email", "postcode", "birth_date"):
                    if chance.random() < 0.25:
                        row[name] = None
            rows.append(row)
    return rows


def make_records(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """Raw records as texts."""
    names = ["source_system", "source_record_id", "given_name", "surname", "birth_date", "email", "postcode",
             "loyalty_card"]  # fmt: skip
    schema = ", ".join(f"{name} string" for name in names)
    return spark.createDataFrame([tuple(row.get(name) for name in names) for row in rows], schema)
