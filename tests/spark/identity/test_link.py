"""Pairs: each once, wherever it is scored, with the weights that Splink itself gives."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import duckdb
import pytest
from pyspark.sql import SparkSession
from splink import DuckDBAPI, Linker

from clvspark.identity import IdentityResolver, evaluate_clusters
from clvspark.identity.link import (
    add_term_frequencies,
    block_keys,
    count_blocks,
    drop_hot_keys,
    score_pairs,
)

Pairs = dict[tuple[str, str], tuple[float, float]]


@pytest.fixture(scope="module")
def splinks_own(people: SimpleNamespace) -> Pairs:
    """All blocked pairs as Splink's own predict scores them in one DuckDB."""
    with duckdb.connect(":memory:") as connection:
        api = DuckDBAPI(connection=connection)
        records = people.standard.toArrow()
        linker = Linker(
            api.register(records, dataset_display_name="records"), people.model.settings
        )
        found = linker.inference.predict(warning_mode="never").as_pandas_dataframe()
    return {
        tuple(sorted((row.unique_id_l, row.unique_id_r))): (row.match_weight, row.match_probability)
        for row in found.itertuples()
    }


@pytest.mark.parametrize("shards", [1, 3, 7])
def test_every_pair_is_scored_once_as_splink_scores_it(
    people: SimpleNamespace, splinks_own: Pairs, shards: int
) -> None:
    keyed = add_term_frequencies(people.standard, people.model).withColumn(
        "keys", block_keys(people.settings.blocking_rules)
    )
    rows = score_pairs(keyed.repartition(2), people.model, min_weight=None, shards=shards).collect()
    pairs = {(row["unique_id_l"], row["unique_id_r"]): row for row in rows}
    assert len(pairs) == len(rows)
    assert set(pairs) == set(splinks_own)
    assert all(left < right for left, right in pairs)
    for key, (weight, probability) in splinks_own.items():
        assert pairs[key]["match_weight"] == pytest.approx(weight, rel=1e-9, abs=1e-9)
        assert pairs[key]["match_probability"] == pytest.approx(probability, rel=1e-9, abs=1e-9)


def test_blocked_pairs_are_those_that_share_a_key(
    people: SimpleNamespace, splinks_own: Pairs
) -> None:
    rows = [row.asDict() for row in people.standard.collect()]
    expected = {
        tuple(sorted((a["unique_id"], b["unique_id"])))
        for a, b in combinations(rows, 2)
        for rule in people.settings.blocking_rules
        if all(a[name] is not None and a[name] == b[name] for name in rule)
    }
    assert set(splinks_own) == expected


def test_hot_blocks_are_dropped_and_counted(spark: SparkSession) -> None:
    rows = [(f"r{n}", "shop@example.org" if n < 5 else None, f"name{n % 3}") for n in range(9)]
    records = spark.createDataFrame(rows, "unique_id string, email string, surname string")
    keyed = records.withColumn(
        "keys", block_keys([["email"], ["surname"], ["email", "surname"]])
    ).persist()
    blocks = count_blocks(keyed).persist()
    assert sorted(row["records"] for row in blocks.collect()) == [1, 2, 2, 3, 3, 3, 5]
    hot = blocks.where("records > 4")
    kept = drop_hot_keys(keyed, hot).collect()
    assert all(row["keys"][0] is None and row["keys"][1] is not None for row in kept)
    assert sum(row["keys"][2] is not None for row in kept) == 5
    untouched = drop_hot_keys(keyed, hot.limit(0)).collect()
    assert [row["keys"] for row in untouched] == [row["keys"] for row in keyed.collect()]


def test_missing_values_block_nothing(spark: SparkSession) -> None:
    records = spark.createDataFrame(
        [("a", None, "x"), ("b", None, "x")], "unique_id string, e string, s string"
    )
    (first, second) = records.select(block_keys([["e"], ["e", "s"], ["s"]]).alias("k")).collect()
    assert first["k"][:2] == second["k"][:2] == [None, None]
    assert first["k"][2] == second["k"][2] is not None


def test_term_frequencies_are_shares_of_the_known_values(people: SimpleNamespace) -> None:
    rows = add_term_frequencies(people.standard, people.model).collect()
    known = [row["surname"] for row in rows if row["surname"] is not None]
    for row in rows:
        expected = known.count(row["surname"]) / len(known) if row["surname"] else None
        assert row["tf_surname"] == (None if expected is None else pytest.approx(expected))


def test_resolution_finds_the_people_in_any_order_and_partitioning(
    spark: SparkSession, people: SimpleNamespace
) -> None:
    truth = spark.createDataFrame(
        [
            (f"{row['source_system']}:{row['source_record_id']}", row["person"])
            for row in people.rows
        ],
        "unique_id string, true_id string",
    )

    def resolve(standard) -> set[tuple[str, str]]:
        resolver = IdentityResolver(spark, people.settings)
        clusters = resolver.cluster(
            standard, resolver.link(standard, people.model), people.model
        ).persist()
        quality = evaluate_clusters(clusters, truth)
        assert quality.records == len(people.rows)
        assert quality.f1 > 0.95
        assert quality.largest_cluster <= 2 * quality.largest_true_cluster
        return {(row["unique_id"], row["person_id"]) for row in clusters.collect()}

    assert resolve(people.standard) == resolve(
        people.standard.orderBy("postcode", "unique_id").repartition(7)
    )
