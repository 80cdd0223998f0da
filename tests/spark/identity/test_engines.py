"""Pairs and persons are the same wherever they are computed, and pairs are weighed as Splink itself weighs them."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from splink import DuckDBAPI, Linker

from bench.identity.febrl import read_febrl
from bench.identity.generate import simulate_records
from clvspark.identity import (
    IdentityModel,
    IdentityResolver,
    IdentitySettings,
    evaluate_clusters,
)
from clvspark.identity.blocking.candidates import block_keys
from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.engines import DistributedEngine, Evidence, LocalEngine, ReferenceEngine
from clvspark.identity.engines.distributed import engine as engine_module
from clvspark.identity.model.comparisons import splink_settings
from clvspark.identity.model.term_frequency import add_term_frequencies, count_term_frequencies

ROOT = Path(__file__).parents[3]
Pairs = dict[tuple[str, str], tuple[float, float]]
TRAINING = {"deterministic_rules": [["email"]], "em_rules": [["email"]]}
# Two settings that have every kind between them: a surname and a home are compared as one where both are known.
HOUSEHOLD: dict[str, Any] = {
    "attributes": [
        {"column": "given_name", "kind": "given_name"},
        {"column": "surname", "kind": "surname"},
        {"column": "birth_date", "kind": "birth_date"},
        {"column": "email", "kind": "email"},
        {"column": "phone", "kind": "phone"},
        {"column": "postcode", "kind": "postcode"},
        {"column": "street", "kind": "street"},
        {"column": "city", "kind": "text"},
        {"column": "card", "kind": "identifier"},
    ],
    "blocking_rules": [["surname", "city"], ["given_name_forms", "birth_date_year"], ["card"]],
    "training": TRAINING,
    "link_weight": -6.0,
    "cut_weight": -6.0,
}
WHOLE: dict[str, Any] = {
    "attributes": [
        {"column": "full_name", "kind": "full_name"},
        {"column": "address", "kind": "address"},
        {"column": "postcode", "kind": "postcode"},
        {"column": "birth_date", "kind": "birth_date"},
        {"column": "email", "kind": "email", "term_frequency": False},
    ],
    "blocking_rules": [["full_name_words", "postcode_area"], ["address_words"], ["email_local"]],
    "training": TRAINING,
    "link_weight": -6.0,
    "cut_weight": -6.0,
}


def make_world(spark: SparkSession, records: int = 120) -> DataFrame:
    """Records of a small town where everything is shared with somebody."""
    chance = random.Random(11)
    rows = []
    for n in range(records):
        given = chance.choice(["ann", "anne", "robert", "bob", "elena", "e", "mo"])
        surname = chance.choice(["smith", "smyth", "taylor", "ann"])
        street = f"{chance.randrange(1, 4)} {chance.choice(['high', 'mill'])} street"
        values = [
            given,
            surname,
            f"{given} {surname}",
            f"19{chance.randrange(80, 84)}-0{chance.randrange(1, 4)}-1{chance.randrange(3)}",
            f"{given}.{chance.randrange(4)}@{chance.choice(['example.com', 'example.org'])}",
            f"0163296000{chance.randrange(6)}",
            f"LS{chance.randrange(1, 3)} {chance.randrange(1, 3)}AA",
            street,
            f"{street} leeds",
            chance.choice(["leeds", "york"]),
            f"c{chance.randrange(20)}",
        ]
        rows.append(
            ("s", f"{n:03}", *(None if chance.random() < 0.15 else value for value in values))
        )
    names = ["source_system", "source_record_id", "given_name", "surname", "full_name", "birth_date", "email", "phone",
             "postcode", "street", "address", "city", "card"]  # fmt: skip
    return spark.createDataFrame(rows, ", ".join(f"{name} string" for name in names))


def invent_model(settings: IdentitySettings, seed: int = 2) -> IdentityModel:
    """A model whose m and u are drawn: what is compared is arithmetic, not judgement."""
    chance = random.Random(seed)
    document = splink_settings(settings).create_settings_dict(sql_dialect_str="duckdb")
    for comparison in document["comparisons"]:
        levels = [x for x in comparison["comparison_levels"] if not x.get("is_null_level")]
        for level in levels:
            level["m_probability"] = chance.uniform(0.05, 0.95)
            level["u_probability"] = chance.uniform(0.001, 0.5)
    document["probability_two_random_records_match"] = 0.01
    return IdentityModel(json.loads(json.dumps(document)), records_sampled=0)


@pytest.fixture(scope="module", params=["household", "whole"])
def world(request: pytest.FixtureRequest, spark: SparkSession) -> SimpleNamespace:
    """Records with every kind of attribute, an invented model, and frozen term frequencies."""
    document = {"household": HOUSEHOLD, "whole": WHOLE}[request.param]
    settings = IdentitySettings.model_validate(document)
    records = standardise_records(make_world(spark), settings).repartition(4).localCheckpoint()
    model = invent_model(settings)
    frequencies = count_term_frequencies(records, model).localCheckpoint()
    return SimpleNamespace(
        settings=settings,
        records=records,
        model=model,
        evidence=Evidence(records, frequencies),
        splinks_own=predict_by_splink(records, settings, model),
    )


def predict_by_splink(
    records: DataFrame, settings: IdentitySettings, model: IdentityModel
) -> Pairs:
    """What Splink alone finds and predicts in one DuckDB."""
    with duckdb.connect(":memory:") as connection:
        api = DuckDBAPI(connection=connection)
        table = api.register(records.toArrow(), dataset_display_name="records")
        linker = Linker(table, model.settings)
        found = linker.inference.predict(
            threshold_match_weight=settings.link_weight, warning_mode="never"
        ).as_pandas_dataframe()
    return {
        tuple(sorted((row.unique_id_l, row.unique_id_r))): (row.match_weight, row.match_probability)
        for row in found.itertuples()
    }


def collect(pairs: DataFrame) -> Pairs:
    rows = pairs.collect()
    found = {
        (row["unique_id_l"], row["unique_id_r"]): (row["match_weight"], row["match_probability"])
        for row in rows
    }
    assert len(found) == len(rows), "each pair once"
    assert all(left < right for left, right in found)
    return found


def assert_equal(found: Pairs, expected: Pairs) -> None:
    assert set(found) == set(expected)
    for pair, (weight, probability) in expected.items():
        assert found[pair][0] == pytest.approx(weight, rel=1e-9, abs=1e-9)
        assert found[pair][1] == pytest.approx(probability, rel=1e-9, abs=1e-9)


def persons(clusters: DataFrame) -> set[tuple[str, str, bool]]:
    rows = clusters.collect()
    assert len(rows) == len({row["unique_id"] for row in rows}), "each record once"
    return {(row["unique_id"], row["person_id"], row["raised_cut"]) for row in rows}


def engines(
    spark: SparkSession, settings: IdentitySettings, *shards: int
) -> list[LocalEngine | DistributedEngine]:
    distributed = (DistributedEngine(spark, settings, shards=n) for n in shards or (3,))
    return [LocalEngine(spark, settings), *distributed]


def test_every_engine_gives_the_pairs_and_weights_of_splink(
    spark: SparkSession, world: SimpleNamespace
) -> None:
    assert len(world.splinks_own) > 100
    of_its_own_size = DistributedEngine(spark, world.settings)
    for engine in (*engines(spark, world.settings, 1, 7), of_its_own_size):
        assert_equal(collect(engine.link(world.evidence, world.model)), world.splinks_own)
    counted = Evidence(world.records)
    assert_equal(collect(of_its_own_size.link(counted, world.model)), world.splinks_own)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["febrl4", "demo"])
def test_trained_models_weigh_as_splink_does(spark: SparkSession, name: str) -> None:
    """On FEBRL 4, and on records as the demo has them, with its settings."""
    if name == "febrl4":
        settings = IdentitySettings.from_yaml(ROOT / "bench" / "identity" / "febrl4.yaml")
        raw = spark.createDataFrame(read_febrl("febrl4").drop(columns="cluster"))
    else:
        settings = IdentitySettings.from_yaml(ROOT / "conf" / "identity.yaml")
        raw = simulate_records(spark, 5_000).drop("person_key")
    resolver = IdentityResolver(spark, settings)
    records = resolver.standardise(raw).localCheckpoint()
    model = resolver.train(records)
    expected = predict_by_splink(records, settings, model)
    assert len(expected) > 1000
    for engine in engines(spark, settings):
        assert_equal(collect(engine.link(Evidence(records), model)), expected)


def test_the_reference_engine_agrees(spark: SparkSession, world: SimpleNamespace) -> None:
    engine = ReferenceEngine(spark, world.settings)
    # Other records before leave nothing behind.
    engine.link(Evidence(world.records.limit(30)), world.model).count()
    assert_equal(collect(engine.link(world.evidence, world.model)), world.splinks_own)
    engine.release()


def test_pairs_are_those_that_agree_on_a_rule(world: SimpleNamespace) -> None:
    rows = [row.asDict() for row in world.records.collect()]

    def agree(a: dict[str, Any], b: dict[str, Any], name: str) -> bool:
        if isinstance(a[name], list) and isinstance(b[name], list):
            return bool(set(a[name]) & set(b[name]))
        return a[name] is not None and a[name] == b[name]

    settings = world.settings.model_copy(update={"link_weight": -1e6, "cut_weight": -1e6})
    found = predict_by_splink(world.records, settings, world.model)
    assert set(found) == {
        tuple(sorted((a["unique_id"], b["unique_id"])))
        for a, b in combinations(rows, 2)
        if any(all(agree(a, b, name) for name in rule) for rule in settings.blocking_rules)
    }


def test_only_pairs_with_a_touched_record_are_linked(
    spark: SparkSession, world: SimpleNamespace
) -> None:
    touched = {f"s:{n:03}" for n in range(0, 120, 9)}
    flagged = world.records.withColumn("touched", F.col("unique_id").isin(*touched))
    evidence = Evidence(flagged, world.evidence.term_frequencies)
    expected = {pair: value for pair, value in world.splinks_own.items() if touched & set(pair)}
    assert 0 < len(expected) < len(world.splinks_own)
    for engine in engines(spark, world.settings):
        assert_equal(collect(engine.link(evidence, world.model)), expected)


@pytest.mark.slow
def test_engines_give_the_same_persons(
    spark: SparkSession, world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = world.settings.model_copy(
        update={"link_weight": 0.0, "cut_weight": 0.0, "max_person_records": 6}
    )
    strong = sorted(world.splinks_own, key=lambda pair: world.splinks_own[pair])
    decided = [(*strong[-1], -1), (*strong[0], 1)]
    decisions = spark.createDataFrame(
        decided, "unique_id_l string, unique_id_r string, bond tinyint"
    )
    evidence = Evidence(world.records, world.evidence.term_frequencies, decisions)
    first, *others = (
        persons(engine.resolve(evidence, world.model)[1]) for engine in engines(spark, settings)
    )
    person = {record: who for record, who, _ in first}
    assert len(person) == 120
    # A link graph that is too large for one task, and pairs that are given.
    monkeypatch.setattr(engine_module, "EDGES_IN_ONE_TASK", 0)
    engine = DistributedEngine(spark, settings, shards=4)
    pairs, clusters = engine.resolve(evidence, world.model)
    others.append(persons(clusters))
    others.append(persons(engine.cluster(evidence, pairs, world.model)))
    # As many shards as the cores and records ask for.
    others.append(persons(DistributedEngine(spark, settings).resolve(evidence, world.model)[1]))
    assert person[decided[0][0]] != person[decided[0][1]]
    assert person[decided[1][0]] == person[decided[1][1]]
    assert 1 < len(set(person.values())) < 120
    assert all(other == first for other in others)


def test_the_order_and_partitioning_of_records_play_no_part(
    spark: SparkSession, people: SimpleNamespace
) -> None:
    truth = spark.createDataFrame(
        [(f"{row['source_system']}:{row['source_record_id']}", row["person"]) for row in people.rows],
        "unique_id string, true_id string",
    )  # fmt: skip
    found = people.resolver.resolve(people.standard, people.model).persons.persist()
    quality = evaluate_clusters(found, truth)
    assert quality.records == len(people.rows)
    assert quality.f1 > 0.95
    assert quality.largest_cluster <= 2 * quality.largest_true_cluster
    shuffled = people.standard.orderBy("postcode", "unique_id").repartition(7)
    again = people.resolver.resolve(shuffled, people.model)
    assert persons(again.persons) == persons(found)
    linked = people.resolver.link(shuffled, people.model)
    assert persons(people.resolver.cluster(shuffled, linked, people.model)) == persons(found)


def test_records_that_share_one_email_neither_run_away_nor_merge(
    spark: SparkSession, people: SimpleNamespace
) -> None:
    settings = people.settings.model_copy(
        update={"blocking_rules": [["email"]], "max_block_records": 20}
    )
    rows = [row.asDict() for row in people.standard.limit(300).collect()]
    for row in rows:
        row |= {"email": "shop@example.com", "email_local": "shop"}
    hot = spark.createDataFrame(rows, people.standard.schema)

    def refined(a: dict[str, Any], b: dict[str, Any], name: str) -> bool:
        block = [row for row in rows if row[name] == a[name]]
        return a[name] is not None and a[name] == b[name] and len(block) <= 20

    met = {
        tuple(sorted((a["unique_id"], b["unique_id"])))
        for a, b in combinations(rows, 2)
        if any(refined(a, b, name) for name in settings.refiners)
    }
    everything = settings.model_copy(update={"link_weight": -1e6, "cut_weight": -1e6})
    for engine in engines(spark, everything):
        assert set(collect(engine.link(Evidence(hot), people.model))) == met
    assert len(met) < 300 * 20
    clusters = LocalEngine(spark, settings).resolve(Evidence(hot), people.model)[1]
    sizes = clusters.groupBy("person_id").count().agg(F.max("count")).first()[0]
    assert sizes <= 4, "no more than by their names and birth dates"


def test_a_component_beyond_the_bound_is_divided_and_what_is_certain_is_left_apart(
    spark: SparkSession,
) -> None:
    settings = IdentitySettings.model_validate(
        {
            "attributes": [{"column": "card", "kind": "identifier", "compare": False}],
            "trusted_identifiers": ["card"],
            "max_component_records": 5,
        }
    )
    rows = [(f"s:{n:02}", "lost" if n < 8 else "mine") for n in range(11)]
    records = spark.createDataFrame(rows, "unique_id string, card string")
    for engine in engines(spark, settings):
        found = persons(engine.resolve(Evidence(records), None)[1])
        assert found == {
            *((f"s:{n:02}", f"s:{n:02}", True) for n in range(8)),
            *((f"s:{n:02}", "s:08", False) for n in range(8, 11)),
        }


def test_records_that_meet_by_an_identifier_only_are_persons_without_a_pair(
    spark: SparkSession,
) -> None:
    document = HOUSEHOLD | {"blocking_rules": [["email"]], "trusted_identifiers": ["card"]}
    settings = IdentitySettings.model_validate(document)
    rows = [
        ("s", f"{n}", "ann", "lee", f"ann.{n}@example.com", "c1" if n < 3 else "c2")
        for n in range(4)
    ]
    names = ["source_system", "source_record_id", "given_name", "surname", "email", "card"]
    others = ["birth_date", "phone", "postcode", "street", "city"]
    frame = spark.createDataFrame(rows, ", ".join(f"{name} string" for name in names))
    frame = frame.select("*", *(F.lit(None).cast("string").alias(name) for name in others))
    records = standardise_records(frame, settings)
    for engine in engines(spark, settings):
        pairs, clusters = engine.resolve(Evidence(records), invent_model(settings))
        assert collect(pairs) == {}
        groups = [{"s:0", "s:1", "s:2"}, {"s:3"}]
        found = persons(clusters)
        assert [{r for r, who, _ in found if who == min(group)} for group in groups] == groups


def test_missing_values_block_nothing(spark: SparkSession) -> None:
    document = HOUSEHOLD | {"blocking_rules": [["email"], ["email", "city"], ["city"]]}
    settings = IdentitySettings.model_validate(document)
    records = spark.createDataFrame(
        [("a", None, "x"), ("b", None, "x"), ("c", "e", None)],
        "unique_id string, email string, city string",
    )
    first, second, third = records.select(block_keys(settings).alias("k")).collect()
    assert first["k"] == second["k"]
    assert len(first["k"]) == len(third["k"]) == 1


def test_term_frequencies_are_shares_of_the_known_values(people: SimpleNamespace) -> None:
    frequencies = count_term_frequencies(people.standard, people.model)
    rows = add_term_frequencies(people.standard, frequencies, people.model).collect()
    known = [row["surname"] for row in rows if row["surname"] is not None]
    for row in rows:
        expected = known.count(row["surname"]) / len(known) if row["surname"] else None
        assert row["tf_surname"] == (None if expected is None else pytest.approx(expected))


def test_nothing_is_resolved_into_nothing(spark: SparkSession, world: SimpleNamespace) -> None:
    nobody = Evidence(world.records.limit(0))
    for engine in engines(spark, world.settings):
        pairs, clusters = engine.resolve(nobody, world.model)
        assert collect(pairs) == {}
        assert persons(clusters) == set()


def test_columns_of_any_name_are_compared(spark: SparkSession) -> None:
    """Letters of any alphabet; names that look like those of two records; names that a step might use itself."""
    names = {
        "given_name": "имя",
        "birth_date": "né_le",
        "surname": "word",
        "email": "courriel_l",
        "city": "key",
        "card": "hash_email",
    }
    document = json.loads(json.dumps(HOUSEHOLD))
    for attribute in document["attributes"]:
        attribute["column"] = names.get(attribute["column"], attribute["column"])
    document |= {
        "blocking_rules": [["word", "key"], ["имя_forms", "word"], ["hash_email"]],
        "refining_columns": ["key", "né_le"],
        "training": {"deterministic_rules": [["courriel_l"]], "em_rules": [["courriel_l"]]},
        "max_block_records": 30,
    }
    settings = IdentitySettings.model_validate(document)
    raw = make_world(spark).withColumnsRenamed(names)
    records = standardise_records(raw, settings).localCheckpoint()
    model = invent_model(settings)
    first, *others = (
        collect(engine.link(Evidence(records), model)) for engine in engines(spark, settings, 2)
    )
    assert len(first) > 100
    for other in others:
        assert_equal(other, first)


@pytest.mark.parametrize("name", ["_id", "touched", "tf_surname", "match_weight", "unique_id"])
def test_names_that_resolution_uses_itself_are_refused(name: str) -> None:
    document = json.loads(json.dumps(HOUSEHOLD))
    document["attributes"][-1]["column"] = name
    document["blocking_rules"] = [["surname", "city"]]
    with pytest.raises(ValueError, match="rename the column"):
        IdentitySettings.model_validate(document)
