"""Candidate pairs: records that agree on all columns of a blocking rule.

Each record carries one key for each rule, several where a column of the rule is an array. Records with equal keys
form a block. A block of more than `max_block_records` records is divided by the refining columns; what is still
too large is not compared, but reported.
"""

from __future__ import annotations

from functools import reduce

import duckdb
from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.elements import known_elements, map_elements

# The keys of ``block_key`` whose blocks are not too large.
COOL = "(SELECT b.* FROM block_key b JOIN block ON block.key = b.key WHERE NOT is_hot)"


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


def create_candidates(
    connection: duckdb.DuckDBPyConnection, settings: IdentitySettings, *, only_touched: bool = False
) -> int:
    """Create the table ``candidates`` (match_key, join_key_l < join_key_r); return the number of pairs.

    In: table ``records`` (unique_id, columns, and ``touched`` where `only_touched`).
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE block_key AS "
        + block_key_query(settings, only_touched=only_touched)
    )
    create_blocks(connection, settings)
    refined = refined_keys(settings, only_touched=only_touched)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE refined_key AS {refined};
        CREATE OR REPLACE TABLE candidates AS
        WITH refined AS (
            SELECT * FROM refined_key
            QUALIFY count(*) OVER (PARTITION BY key) <= {settings.max_block_records}
        )
        SELECT DISTINCT '0' AS match_key, l AS join_key_l, r AS join_key_r
        FROM ({met_pairs(COOL, only_touched=only_touched)}
              UNION ALL {met_pairs("refined", only_touched=only_touched)})
    """)
    return int(connection.execute("SELECT count(*) FROM candidates").fetchall()[0][0])


def create_blocks(connection: duckdb.DuckDBPyConnection, settings: IdentitySettings) -> None:
    """Create ``block`` (key, is_hot) of the blocks of two records and more. In: ``block_key`` (unique_id, key)."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE block AS
        SELECT key, count(*) > {settings.max_block_records} AS is_hot FROM block_key GROUP BY key HAVING count(*) > 1
    """)


def met_pairs(keys: str, *, only_touched: bool) -> str:
    """Query of the pairs l < r that share a key of a relation (unique_id, key, and ``touched`` where asked)."""
    touched = "AND (l.touched OR r.touched)" if only_touched else ""
    return f"""
        SELECT l.unique_id AS l, r.unique_id AS r
        FROM {keys} l JOIN {keys} r ON l.key = r.key AND l.unique_id < r.unique_id {touched}
    """


def refined_keys(settings: IdentitySettings, *, only_touched: bool) -> str:
    """Query of ``unique_id, key`` of records in hot blocks: the block's key and the value of one refining column.

    In: ``block_key``, ``block``, ``records``.
    """
    flag = ", r.touched" if only_touched else ""
    hashes = {
        name: _signed(f"hash(b.key, '{name}', r.{_quoted(name)})") for name in settings.refiners
    }
    parts = ", ".join(
        f"CASE WHEN r.{_quoted(name)} IS NOT NULL THEN {key} END" for name, key in hashes.items()
    )
    if not parts:
        return "SELECT * FROM block_key WHERE false"
    return f"""
        SELECT * FROM (
            SELECT r.unique_id, unnest([{parts}]) AS key{flag}
            FROM block_key b JOIN block ON block.key = b.key AND is_hot JOIN records r ON r.unique_id = b.unique_id
        ) WHERE key IS NOT NULL
    """


def block_key_query(settings: IdentitySettings, *, only_touched: bool) -> str:
    """Query of ``unique_id, key``, one key for each rule; several where a column is an array. In: ``records``."""
    flag = ", touched" if only_touched else ""
    rules = []
    for number, rule in enumerate(settings.blocking_rules):
        lists = [name for name in rule if settings.columns[name].startswith("array")]
        values = ", ".join("_word" if name in lists else _quoted(name) for name in rule)
        known = " AND ".join(f"{_quoted(name)} IS NOT NULL" for name in rule)
        words = f", unnest({_quoted(lists[0])}) AS _word" if lists else ""
        rules.append(
            f"SELECT unique_id, {_signed(f'hash({number}, {values})')} AS key{flag} "
            f"FROM (SELECT *{words} FROM records WHERE {known})"
        )
    return " UNION ALL ".join(rules)


def _signed(value: str) -> str:
    """A hash as BIGINT, as Arrow tables of which DuckDB filters a column need it."""
    return f"CAST({value} >> 1 AS BIGINT)"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
