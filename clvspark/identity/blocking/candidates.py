"""Candidate pairs: records that agree on all columns of a blocking rule.

Each record carries one key for each rule, several where a column of the rule is an array. Records with equal keys
form a block. A block of more than `max_block_records` records is divided by the refining columns; what is still
too large is not compared, but reported.
"""

from __future__ import annotations

from functools import reduce

import duckdb
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.elements import known_elements, map_elements


def block_keys(settings: IdentitySettings) -> Column:
    """Distinct keys of a standardised record, array<bigint>; a rule with a missing value gives none."""
    if not settings.blocking_rules:
        return F.array().cast("array<bigint>")
    keys = [
        rule_keys(rule, number, settings.columns)
        for number, rule in enumerate(settings.blocking_rules)
    ]
    return known_elements(F.concat(*keys), "bigint")


def rule_keys(rule: list[str], number: int, types: dict[str, str]) -> Column:
    """Keys of a standardised record under one rule, array<bigint>, with NULLs, or empty where a value is missing."""
    lists = [name for name in rule if types[name].startswith("array")]
    plain = [F.col(name) for name in rule if name not in lists]
    known = reduce(Column.__and__, (F.col(name).isNotNull() for name in rule))
    if not lists:
        return F.array(F.when(known, F.xxhash64(F.lit(number), *plain)))
    # Settings allow one array a rule.
    words = map_elements(
        F.col(lists[0]), lambda word: F.xxhash64(F.lit(number), word, *plain), "bigint"
    )
    return F.when(known, words).otherwise(F.array().cast("array<bigint>"))


def count_blocks(keyed: DataFrame) -> DataFrame:
    """Records of each block: one row a key, ``key, records``. In: `keys` of each record."""
    exploded = keyed.select(F.explode("keys").alias("key"))
    return exploded.groupBy("key").agg(F.count(F.lit(1)).alias("records"))


def create_candidates(
    connection: duckdb.DuckDBPyConnection,
    settings: IdentitySettings,
    *,
    shard: int = 0,
    shards: int = 1,
    only_touched: bool = False,
) -> int:
    """Create the table ``candidates`` (join_key_l < join_key_r) of a shard; return the number of pairs.

    In: tables ``records`` (unique_id, columns, and ``touched`` where `only_touched`); with several shards also
    ``keys`` of each record, see `block_keys`, and ``hot_key`` (key), the blocks too large in all of them. A shard
    makes the pairs of the keys it owns. It leaves a pair to the owner of the smallest key, not hot, that both
    records have, so that each pair is made once; only pairs that nothing but refined blocks bring together can
    come from two shards.
    """
    touched = "AND (l.touched OR r.touched)" if only_touched else ""
    flag = ", touched" if only_touched else ""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE block_key AS {_block_keys(settings, shard, shards, flag)};
        CREATE OR REPLACE TEMP TABLE block AS
        SELECT key, count(*) > {settings.max_block_records} AS is_hot FROM block_key GROUP BY key HAVING count(*) > 1;
        CREATE OR REPLACE TEMP TABLE refined_key AS {_refined(settings, flag)};
        CREATE OR REPLACE TABLE candidates AS
        WITH cool AS (
            SELECT b.* FROM block_key b JOIN block ON block.key = b.key WHERE NOT is_hot
        ),
        refined AS (
            SELECT * FROM refined_key
            QUALIFY count(*) OVER (PARTITION BY key) <= {settings.max_block_records}
        ),
        met AS (
            SELECT l.unique_id AS l, r.unique_id AS r, l.key AS key
            FROM cool l JOIN cool r ON l.key = r.key AND l.unique_id < r.unique_id {touched}
            UNION ALL
            SELECT l.unique_id, r.unique_id, NULL
            FROM refined l JOIN refined r ON l.key = r.key AND l.unique_id < r.unique_id {touched}
        )
        SELECT '0' AS match_key, l AS join_key_l, r AS join_key_r FROM ({_once(shards)})
    """)
    return int(connection.execute("SELECT count(*) FROM candidates").fetchall()[0][0])


def _block_keys(settings: IdentitySettings, shard: int, shards: int, flag: str) -> str:
    """``unique_id, key`` of a shard; alone it makes the keys itself, which moves less than lists of keys do."""
    if shards > 1:
        owned = f"((key % {shards}) + {shards}) % {shards} = {shard}"
        keys = f"SELECT unique_id, unnest(keys) AS key{flag} FROM records"
        return f"SELECT * FROM ({keys}) WHERE {owned}"
    rules = []
    for number, rule in enumerate(settings.blocking_rules):
        lists = [name for name in rule if settings.columns[name].startswith("array")]
        values = ", ".join("word" if name in lists else _quoted(name) for name in rule)
        known = " AND ".join(f"{_quoted(name)} IS NOT NULL" for name in rule)
        words = f", unnest({_quoted(lists[0])}) AS word" if lists else ""
        rules.append(
            f"SELECT unique_id, hash({number}, {values}) AS key{flag} "
            f"FROM (SELECT *{words} FROM records WHERE {known})"
        )
    return " UNION ALL ".join(rules)


def _refined(settings: IdentitySettings, flag: str) -> str:
    """Keys of records in hot blocks: the block's key and the value of one refining column."""
    parts = ", ".join(
        f"CASE WHEN {_quoted(name)} IS NOT NULL THEN hash(b.key, '{name}', {_quoted(name)}) END"
        for name in settings.refiners
    )
    flags = flag.replace("touched", "r.touched")
    hot = f"""
        SELECT r.unique_id, unnest([{parts}]) AS key{flags}
        FROM block_key b JOIN block ON block.key = b.key AND is_hot JOIN records r ON r.unique_id = b.unique_id
    """
    if not parts:
        return f"SELECT unique_id, key{flag} FROM block_key WHERE false"
    return f"SELECT * FROM ({hot}) WHERE key IS NOT NULL"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _once(shards: int) -> str:
    if shards == 1:
        return "SELECT DISTINCT l, r FROM met"
    return """
        WITH keys_of AS (
            SELECT unique_id, list_filter(keys, key -> NOT list_contains(hot, key)) AS keys
            FROM records, (SELECT coalesce(list(key), []) AS hot FROM hot_key)
        ),
        found AS (SELECT l, r, min(key) AS key FROM met GROUP BY l, r)
        SELECT l, r FROM found JOIN keys_of a ON a.unique_id = l JOIN keys_of b ON b.unique_id = r
        WHERE key IS NOT DISTINCT FROM list_min(list_intersect(a.keys, b.keys))
    """
