"""Connected components: one task and the distributed star algorithm give the same labels."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from clvspark.identity.components import label_components

Edges = list[tuple[str, str]]


def brute_force(edges: Edges) -> dict[str, str]:
    """Component of each record by union of sets; its label is the smallest id."""
    groups: list[set[str]] = []
    for edge in edges:
        joined = [group for group in groups if group & set(edge)]
        groups = [group for group in groups if not group & set(edge)] + [set(edge).union(*joined)]
    return {record: min(group) for group in groups for record in group}


def label(spark: SparkSession, edges: Edges, *, single: int = 10**6) -> dict[str, str]:
    df = spark.createDataFrame(edges, "unique_id_l string, unique_id_r string")
    rows = label_components(df, single_task_edges=single).collect()
    assert len(rows) == len({row["unique_id"] for row in rows}), "one row a record"
    return {row["unique_id"]: row["component"] for row in rows}


names = st.integers(0, 25).map(lambda n: f"r{n:02}")
graphs = st.lists(
    st.tuples(names, names).filter(lambda edge: edge[0] != edge[1]), min_size=1, max_size=30
)


@settings(max_examples=6)
@given(graphs, st.randoms(use_true_random=False))
def test_one_task_agrees_with_brute_force_in_any_order(
    spark: SparkSession, edges: Edges, chance: random.Random
) -> None:
    shuffled = [(b, a) if chance.random() < 0.5 else (a, b) for a, b in edges]
    chance.shuffle(shuffled)
    assert label(spark, shuffled) == brute_force(edges)


@settings(max_examples=3)
@given(graphs, st.randoms(use_true_random=False))
def test_the_distributed_algorithm_agrees(
    spark: SparkSession, edges: Edges, chance: random.Random
) -> None:
    chance.shuffle(edges)
    assert label(spark, edges, single=0) == brute_force(edges)


def test_a_long_chain_is_one_component(spark: SparkSession) -> None:
    order = list(range(40))
    random.Random(3).shuffle(order)
    chain = [(f"r{a:02}", f"r{b:02}") for a, b in pairwise(order)]
    assert set(label(spark, chain, single=0).values()) == {"r00"}


def test_no_edges_give_no_components(spark: SparkSession) -> None:
    assert label(spark, []) == {}


@pytest.mark.parametrize("single", [0, 10**6])
def test_repeated_edges_change_nothing(spark: SparkSession, single: int) -> None:
    edges = [("a", "b"), ("b", "a"), ("a", "b"), ("c", "d")]
    assert label(spark, edges, single=single) == {"a": "a", "b": "a", "c": "c", "d": "c"}
