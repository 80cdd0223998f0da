"""Connected components within a bound: one task and the rounds of shuffles give the same labels."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from clvspark.identity.clustering.components import label_components

Edge = tuple[str, str, float]
Labels = dict[str, tuple[str, bool]]


def brute_force(edges: list[Edge], nodes: set[str], bar: float, most: int) -> Labels:
    """Components by union of sets; one that is too large is divided by its links of two bits more, and so on."""
    groups: list[set[str]] = [{node} for node in nodes]
    for left, right, weight in edges:
        if weight >= bar and {left, right} <= nodes:
            joined = [group for group in groups if group & {left, right}]
            groups = [group for group in groups if not group & {left, right}]
            groups.append(set().union(*joined))
    found: Labels = {}
    for group in groups:
        if len(group) > most and bar < 60:
            found |= brute_force(edges, group, bar + 2, most)
        else:
            found |= dict.fromkeys(group, (min(group), len(group) > most))
    return found


def expected(edges: list[Edge], most: int) -> Labels:
    return brute_force(edges, {end for left, right, _ in edges for end in (left, right)}, 0.0, most)


def label(
    spark: SparkSession, edges: list[Edge], *, most: int = 1000, single: int = 10**6
) -> Labels:
    schema = "unique_id_l string, unique_id_r string, match_weight double"
    labelled = label_components(
        spark.createDataFrame(edges, schema),
        link_weight=0.0,
        max_records=most,
        single_task_edges=single,
    )
    rows = labelled.collect()
    assert len(rows) == len({row["unique_id"] for row in rows}), "one row a record"
    return {row["unique_id"]: (row["component"], row["is_oversized"]) for row in rows}


names = st.integers(0, 15).map(lambda n: f"r{n:02}")
edges_ = st.tuples(names, names, st.sampled_from([0.0, 1.0, 3.0, 5.5, 9.0, 1000.0]))
graphs = st.lists(edges_.filter(lambda edge: edge[0] != edge[1]), min_size=1, max_size=30)


@settings(max_examples=8)
@given(graphs, st.integers(2, 12), st.randoms(use_true_random=False))
def test_one_task_agrees_with_brute_force_in_any_order(
    spark: SparkSession, edges: list[Edge], most: int, chance: random.Random
) -> None:
    shuffled = [(b, a, w) if chance.random() < 0.5 else (a, b, w) for a, b, w in edges]
    chance.shuffle(shuffled)
    assert label(spark, shuffled, most=most) == expected(edges, most)


@settings(max_examples=3)
@given(graphs, st.randoms(use_true_random=False))
def test_the_rounds_agree(spark: SparkSession, edges: list[Edge], chance: random.Random) -> None:
    chance.shuffle(edges)
    assert label(spark, edges, single=0) == expected(edges, 1000)


@pytest.mark.parametrize("single", [0, 10**6])
def test_too_large_a_component_keeps_its_stronger_links_only(
    spark: SparkSession, single: int
) -> None:
    chain = [("a", "b", 20.0), ("b", "c", 1.0), ("c", "d", 20.0), ("x", "y", 1.0)]
    assert label(spark, chain, most=3, single=single) == {
        "a": ("a", False), "b": ("a", False), "c": ("c", False), "d": ("c", False),
        "x": ("x", False), "y": ("x", False),
    }  # fmt: skip


def test_what_is_certain_is_not_divided_but_marked(spark: SparkSession) -> None:
    certain = [("a", "b", 1000.0), ("a", "c", 1000.0), ("c", "d", 1000.0), ("d", "e", 30.0)]
    found = label(spark, certain, most=3)
    assert found == {**dict.fromkeys("abcd", ("a", True)), "e": ("e", False)}


def test_a_long_chain_is_one_component(spark: SparkSession) -> None:
    order = list(range(40))
    random.Random(3).shuffle(order)
    chain = [(f"r{a:02}", f"r{b:02}", 5.0) for a, b in pairwise(order)]
    assert set(label(spark, chain, single=0).values()) == {("r00", False)}


def test_no_edges_give_no_components(spark: SparkSession) -> None:
    assert label(spark, []) == {}
