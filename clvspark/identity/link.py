"""Candidate generation and scoring, distributed by Spark, computed by Splink in DuckDB on every worker.

Each record travels once to every shard that owns one of its block keys. A shard joins only the keys it owns
and leaves out pairs that an earlier rule finds, so that each pair is scored exactly once, anywhere.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.identity.train import IdentityModel

PAIR_SCHEMA = "unique_id_l string, unique_id_r string, match_weight double, match_probability double, conflicts int"
_SCHEMA = pa.schema(
    [
        ("unique_id_l", pa.string()),
        ("unique_id_r", pa.string()),
        ("match_weight", pa.float64()),
        ("match_probability", pa.float64()),
        ("conflicts", pa.int32()),
    ]
)

# A comparison with less than this many bits speaks against a match.
_CONTRADICTION = -1.0


def block_keys(rules: list[list[str]]) -> Column:
    """Array with one key for each rule: digest of the rule's values, NULL where one of them is missing."""
    keys = []
    for number, rule in enumerate(rules):
        complete = ~F.array_contains(F.array(*(F.col(name).isNull() for name in rule)), True)
        keys.append(F.when(complete, F.xxhash64(F.lit(number), *(F.col(name) for name in rule))))
    return F.array(*keys)


def count_blocks(keyed: DataFrame) -> DataFrame:
    """Records of each block: one row a key, with ``records``."""
    return (
        keyed.select(F.explode("keys").alias("key"))
        .where("key IS NOT NULL")
        .groupBy("key")
        .agg(F.count(F.lit(1)).alias("records"))
    )


def drop_hot_keys(keyed: DataFrame, hot: DataFrame) -> DataFrame:
    """Set the keys of too large blocks to NULL; `hot` is small by construction and is broadcast."""
    found = F.broadcast(hot.agg(F.collect_set("key").alias("_hot")))
    kept = F.transform("keys", lambda key: F.when(~F.array_contains("_hot", key), key))
    return keyed.crossJoin(found).withColumn("keys", kept).drop("_hot")


def add_term_frequencies(standard: DataFrame, model: IdentityModel) -> DataFrame:
    """Add ``tf_`` columns: share of the records with a value that have this value, as Splink defines it.

    All columns are counted in one pass over narrow rows (column, value), not by one join for each.
    """
    wanted = sorted(
        {
            level["tf_adjustment_column"]
            for comparison in model.settings["comparisons"]
            for level in comparison["comparison_levels"]
            if level.get("tf_adjustment_column")
        }
    )
    if not wanted or f"tf_{wanted[0]}" in standard.columns:
        return standard
    cells = F.array(
        *(F.struct(F.lit(name).alias("name"), F.col(name).alias("value")) for name in wanted)
    )
    long = standard.select("unique_id", F.inline(cells)).where("value IS NOT NULL")
    known = {
        row["name"]: row["n"]
        for row in long.groupBy("name").agg(F.count(F.lit(1)).alias("n")).collect()
    }
    same = F.count(F.lit(1)).over(Window.partitionBy("name", "value")).alias("n")
    counted = long.select("unique_id", "name", same)
    shares = [
        F.max(F.when(F.col("name") == name, F.col("n") / F.lit(known.get(name, 1)))).alias(
            f"tf_{name}"
        )
        for name in wanted
    ]
    return standard.join(counted.groupBy("unique_id").agg(*shares), on="unique_id", how="left")


def score_pairs(
    keyed: DataFrame,
    model: IdentityModel,
    *,
    min_weight: float | None,
    shards: int,
    conflicting: Sequence[str] = (),
) -> DataFrame:
    """Score every pair of records that share a block key.

    In: standardised records with ``tf_`` columns and ``keys`` (array of bigint, see `block_keys`).
    Out: ``unique_id_l < unique_id_r``, match_weight, match_probability, ``conflicts`` (how many of the comparisons
    `conflicting` speak against the pair); each pair once; pairs below `min_weight` left out.
    """
    owned = F.transform("keys", lambda key: F.pmod(key, F.lit(shards)).cast("int"))
    spread = keyed.withColumn("_shard", F.explode(F.array_distinct(F.array_compact(owned))))
    settings = json.dumps(
        {**model.settings, "retain_intermediate_calculation_columns": bool(conflicting)}
    )
    contradicts = (
        " + ".join(f'CAST("mw_{name}" < {_CONTRADICTION} AS INT)' for name in conflicting) or "0"
    )

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        received = list(batches)
        if received:
            table = pa.Table.from_batches(received)
            yield from _score_shard(table, json.loads(settings), min_weight, shards, contradicts)

    return spread.repartition(shards, "_shard").mapInArrow(score, PAIR_SCHEMA)


def _score_shard(
    received: pa.Table,
    settings: dict[str, Any],
    min_weight: float | None,
    shards: int,
    contradicts: str,
) -> Iterator[pa.RecordBatch]:
    from splink import DuckDBAPI, Linker

    logging.disable(logging.WARNING)
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.register("received", received)
        connection.execute(_RECORDS)
        connection.execute(_BLOCKED_PAIRS.format(shards=shards))
        if connection.execute("SELECT count(*) FROM blocked").fetchall()[0][0] == 0:
            return
        api = DuckDBAPI(connection=connection)
        linker = Linker(api.register("records", dataset_display_name="records"), settings)
        pairs = api.register("blocked", dataset_display_name="blocked")
        linker.table_management.register_blocked_pairs_for_predict(pairs)
        scored = linker.inference.predict(threshold_match_weight=min_weight, warning_mode="never")
        result = connection.sql(
            _RESULT.format(table=scored.physical_name, contradicts=contradicts)
        ).to_arrow_table()
    yield from result.cast(_SCHEMA).to_batches(max_chunksize=50_000)


_RECORDS = """
    CREATE TABLE records AS
    SELECT * EXCLUDE (keys, _shard) FROM received
    QUALIFY row_number() OVER (PARTITION BY unique_id ORDER BY _shard) = 1
"""
# A pair belongs to the first position at which the two key arrays agree: that is the earliest rule that
# finds it, and only the shard that owns this key makes the pair.
_BLOCKED_PAIRS = """
    CREATE TABLE blocked AS
    WITH owned AS (
        SELECT unique_id, keys, _shard, unnest(keys) AS key, generate_subscripts(keys, 1) AS rule FROM received
    ),
    mine AS (
        SELECT * FROM owned WHERE key IS NOT NULL AND ((key % {shards}) + {shards}) % {shards} = _shard
    ),
    met AS (
        SELECT l.unique_id AS join_key_l, r.unique_id AS join_key_r, l.rule AS rule, l.keys AS kl, r.keys AS kr
        FROM mine l JOIN mine r ON l.key = r.key AND l.rule = r.rule AND l.unique_id < r.unique_id
    )
    SELECT CAST(rule - 1 AS VARCHAR) AS match_key, join_key_l, join_key_r
    FROM met
    WHERE NOT list_contains(
        [CASE WHEN i < rule THEN kl[i] = kr[i] END FOR i IN range(1, len(kl) + 1)], true
    )
"""
_RESULT = """
    SELECT least(unique_id_l, unique_id_r) AS unique_id_l, greatest(unique_id_l, unique_id_r) AS unique_id_r,
           match_weight, match_probability, {contradicts} AS conflicts
    FROM {table}
"""
