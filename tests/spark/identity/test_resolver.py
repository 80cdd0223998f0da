"""Trusted and shared identifiers, guards, golden records, and the measure of quality."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clvspark.config import shipped_config
from clvspark.identity import IdentityResolver, IdentitySettings, evaluate_clusters
from clvspark.identity import resolver as resolving
from clvspark.identity.cleaning.shared_identifiers import (
    count_identifiers,
    describe_identifiers,
    drop_shared_identifiers,
    list_identifiers,
)
from clvspark.identity.persons.golden_record import build_golden_records
from clvspark.sources.tables import CUSTOMER_RECORD

CARDS = IdentitySettings.model_validate(
    {
        "attributes": [
            {"column": "loyalty_card", "kind": "identifier", "compare": False},
            {"column": "given_name", "kind": "given_name", "compare": False},
            {"column": "email", "kind": "email", "compare": False, "max_distinct_names": 2},
        ],
        "trusted_identifiers": ["loyalty_card"],
    }
)


def raw(spark: SparkSession, *rows: tuple[str, str | None, str | None, str | None]) -> DataFrame:
    return spark.createDataFrame(
        [("s", *row) for row in rows],
        "source_system string, source_record_id string, loyalty_card string, given_name string, email string",
    )


def persons(clusters: DataFrame) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for row in clusters.collect():
        groups.setdefault(row["person_id"], []).append(row["unique_id"].removeprefix("s:"))
    return sorted(sorted(group) for group in groups.values())


def test_a_trusted_identifier_alone_makes_one_person(spark: SparkSession) -> None:
    records = raw(
        spark,
        ("1", "c-1", None, None),
        ("2", "C1", None, None),
        ("3", "c2", None, None),
        ("4", None, None, None),
    )
    resolver = IdentityResolver(spark, CARDS)
    nothing = spark.createDataFrame(
        [], "unique_id_l string, unique_id_r string, match_weight double"
    )
    assert persons(resolver.cluster(records, nothing)) == [["1", "2"], ["3"], ["4"]]


def test_identifiers_of_too_many_names_are_no_evidence(spark: SparkSession) -> None:
    shop, family = "shop@example.com", "lee@example.com"
    records = raw(
        spark, ("1", None, "ann", shop), ("2", None, "bob", shop), ("3", None, "carl", shop),
        ("4", None, "ann", family), ("5", None, "bob", family), ("6", None, "bobby", family),
    )  # fmt: skip
    resolver = IdentityResolver(spark, CARDS)
    standard = resolving.standardise_records(records, CARDS)
    counted = count_identifiers(list_identifiers(standard, CARDS), CARDS)
    shared = counted.where("is_shared").persist()
    assert [(row["value"], row["distinct_names"], row["records"]) for row in shared.collect()] == [
        (shop, 3, 3)
    ]
    kept = drop_shared_identifiers(standard, CARDS).orderBy("unique_id").collect()
    assert [row["email"] for row in kept] == [None] * 3 + [family] * 3
    assert [row["email_local"] for row in kept] == [None] * 3 + ["lee"] * 3
    (described,) = describe_identifiers(shared).collect()
    assert shop not in str(described)
    assert len(described["identifier_sha256"]) == 64
    assert resolver.standardise(records).where("email IS NULL").count() == 3


@pytest.mark.parametrize(
    ("names", "people"),
    [
        (["john", "jane", "june"], 3),  # one initial is not one name
        (["elizabeth", "liz", "beth"], 1),
        (["bob", "robert", "rob"], 1),
        (["j", "john", "jhon", "jane"], 2),  # an initial is neither of them, and no third one
        (["brian", "brain"], 1),
        (["mary", "mark", "tim", "tom"], 4),
        (["philip", "phillip"], 1),
        (["anne marie", "anne"], 1),
        ([5 * chr(97 + n // 26) + 3 * chr(97 + n % 26) for n in range(250)], 250),
    ],
)
def test_names_that_may_be_one_count_once(
    spark: SparkSession, names: list[str], people: int
) -> None:
    """However few are allowed: the bound only says from where on it is counted."""
    settings = CARDS.model_copy(
        update={
            "attributes": [
                a.model_copy(update={"max_distinct_names": 1}) if a.kind == "email" else a
                for a in CARDS.attributes
            ]
        }
    )
    rows = [
        (str(n), None, name, "a@example.com") for n, name in enumerate([*names, names[0], None])
    ]
    standard = resolving.standardise_records(raw(spark, *rows), settings)
    (counted,) = count_identifiers(list_identifiers(standard, settings), settings).collect()
    assert (counted["distinct_names"], counted["records"]) == (people, len(rows))
    assert counted["is_shared"] == (people > 1)


def test_whole_names_tell_who_shares_an_identifier_where_there_are_no_others(
    spark: SparkSession,
) -> None:
    settings = IdentitySettings.model_validate(
        {
            "unique_id": ["id"],
            "attributes": [
                {"column": "name", "kind": "full_name", "compare": False},
                {"column": "email", "kind": "email", "compare": False, "max_distinct_names": 1},
            ],
            "trusted_identifiers": ["email"],
        }
    )
    rows = [
        ("1", "John Smith", "s@x.org"),
        ("2", "Smith, Jane", "s@x.org"),
        ("3", "Dr Al Ott", "o@x.org"),
        ("4", "Al Ott", "o@x.org"),
    ]
    standard = IdentityResolver(spark, settings).standardise(
        spark.createDataFrame(rows, "id string, name string, email string")
    )
    kept = {row["unique_id"]: row["email"] for row in standard.collect()}
    assert kept == {"1": None, "2": None, "3": "o@x.org", "4": "o@x.org"}


def test_raw_records_that_look_like_standardised_ones_are_standardised(
    spark: SparkSession,
) -> None:
    cards = {"column": "card", "kind": "identifier", "compare": False}
    settings = IdentitySettings.model_validate(
        {"unique_id": ["unique_id"], "attributes": [cards], "trusted_identifiers": ["card"]}
    )
    records = spark.createDataFrame([("1", "c-1"), ("2", "C1")], "unique_id string, card string")
    resolver = IdentityResolver(spark, settings)
    once = resolver.standardise(records)
    cleaned = sorted(map(tuple, once.collect()))
    assert cleaned == [("1", "C1"), ("2", "C1")]
    assert sorted(map(tuple, resolver.standardise(once).collect())) == cleaned
    assert persons(resolver.resolve(records, None).persons) == [["1", "2"]]


def golden(spark: SparkSession, records: list[tuple[object, ...]]) -> dict[str, object]:
    names = [
        "source_system",
        "source_record_id",
        "full_name",
        "given_name",
        "surname",
        "city",
        "created_at",
    ]
    columns = [F.col(n) if n in names else F.lit(None).cast(t).alias(n) for n, t in _TYPES.items()]
    df = spark.createDataFrame(records, ", ".join(f"{name} string" for name in names)).select(
        *columns
    )
    df = df.withColumn("created_at", F.col("created_at").cast("timestamp"))
    unique_id = F.concat_ws(":", "source_system", "source_record_id").alias("unique_id")
    clean = df.select(
        unique_id, F.lit("a@example.com").alias("email"), F.lit(None).cast("string").alias("phone")
    )
    links = df.select(unique_id, F.lit("p1").alias("person_id"))
    (row,) = build_golden_records(df, clean, links).collect()
    return row.asDict()


_TYPES = {column.name: column.type for column in CUSTOMER_RECORD.columns}
_OLD, _NEW = "2020-01-01", "2025-01-01"


def test_the_newest_record_gives_each_attribute_and_a_whole_name_beats_an_initial(
    spark: SparkSession,
) -> None:
    row = golden(
        spark,
        [
            ("crm", "1", None, "Jane", "Smith", "Leeds", _OLD),
            ("app", "2", None, "J", None, "York", _NEW),
            ("web", "3", "Jones, Janet", None, None, None, None),
        ],
    )
    assert (row["given_name"], row["surname"], row["city"]) == ("Jane", "Smith", "York")
    assert row["records"] == 3
    assert row["source_systems"] == ["app", "crm", "web"]
    assert row["provenance"]["given_name"] == "crm:1"
    assert row["provenance"]["city"] == "app:2"
    assert "phone" not in row["provenance"]
    assert row["email"] == "a@example.com"


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("Jane Ann Smith", ("Jane Ann", "Smith")),
        ("Smith, Jane", ("Jane", "Smith")),
        ("Jane", ("Jane", None)),
    ],
)
def test_whole_names_are_split_where_the_parts_are_missing(
    spark: SparkSession, full: str, parts
) -> None:
    row = golden(spark, [("web", "3", full, None, None, None, None)])
    assert (row["given_name"], row["surname"]) == parts


def test_ties_do_not_depend_on_the_order_of_rows(spark: SparkSession) -> None:
    rows = [("crm", str(n), None, "Jane", "Smith", f"City{n}", _OLD) for n in range(5)]
    assert golden(spark, rows) == golden(spark, rows[::-1])


labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20)


@settings(max_examples=8)
@given(labels)
def test_quality_agrees_with_brute_force_over_all_pairs(
    spark: SparkSession, pairs: list[tuple[int, int]]
) -> None:
    clusters = spark.createDataFrame(
        [(f"r{n}", f"p{a}") for n, (a, _) in enumerate(pairs)], "unique_id string, person_id string"
    )
    truth = spark.createDataFrame(
        [(f"r{n}", f"t{b}") for n, (_, b) in enumerate(pairs)], "unique_id string, true_id string"
    )
    found = {(i, j) for i, j in combinations(range(len(pairs)), 2) if pairs[i][0] == pairs[j][0]}
    true = {(i, j) for i, j in combinations(range(len(pairs)), 2) if pairs[i][1] == pairs[j][1]}
    quality = evaluate_clusters(clusters, truth)
    assert quality.precision == pytest.approx(len(found & true) / len(found) if found else 1.0)
    assert quality.recall == pytest.approx(len(found & true) / len(true) if true else 1.0)
    assert quality.records == len(pairs)
    assert quality.largest_cluster == max(sum(a == p for a, _ in pairs) for p in range(5))


def test_a_small_shop_links_by_equal_identifiers_unless_several_names_share_them(
    spark: SparkSession,
) -> None:
    exact = IdentitySettings.from_yaml(shipped_config("identity_exact.yaml"))
    rows = [
        ("1", "ann", "lee", "home@example.com", "07700 900123", None),
        ("2", "ann", "lee", None, "+44 7700 900123", "c1"),
        ("3", None, None, None, None, "C-1"),
        ("4", "bob", "lee", "home@example.com", None, None),
        ("5", "carl", "fox", "fox@example.com", None, None),
        ("6", None, None, "Fox@Example.com ", None, None),
    ]
    columns = ["given_name", "surname", "email", "mobile", "loyalty_card"]
    known = [name for name in CUSTOMER_RECORD.names if name not in ("source_system", *columns)]
    given = spark.createDataFrame(
        [("s", *row) for row in rows],
        ", ".join(f"{name} string" for name in ("source_system", "source_record_id", *columns)),
    )
    absent = {n: F.lit(None).cast(CUSTOMER_RECORD.column(n).type) for n in known[1:]}
    resolution = IdentityResolver(spark, exact).resolve(given.withColumns(absent), None)
    assert persons(resolution.persons) == [["1", "2", "3"], ["4"], ["5", "6"]]
