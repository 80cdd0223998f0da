"""Score candidate pairs in DuckDB with Splink's own SQL.

Records are known by numbers here, which DuckDB joins faster than texts.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clvspark.identity.model.sql import scoring_query
from clvspark.identity.settings import IdentitySettings


def connect(
    *, threads: int, memory: str | None = None, spill: str | None = None
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB in memory that may spill to the folder `spill`."""
    config: dict[str, Any] = {"threads": threads}
    if memory:
        config["memory_limit"] = memory
    if spill:
        config["temp_directory"] = spill
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET enable_progress_bar = false; SET preserve_insertion_order = false")
    return connection


def number_records(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> None:
    """Create the views ``record_id`` (unique_id text, number) and ``records`` of a table.

    Records are numbered from 0 in the order of their ids; ``unique_id`` of ``records`` is the number. An id must
    not occur twice.
    """
    order = pc.sort_indices(table["unique_id"]).to_numpy()
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    connection.register("numbered", table.append_column("_number", pa.array(number)))
    connection.execute("""
        CREATE VIEW record_id AS SELECT unique_id, _number AS number FROM numbered;
        CREATE VIEW records AS SELECT _number AS unique_id, * EXCLUDE (_number, unique_id) FROM numbered
    """)


def score_candidates(
    connection: duckdb.DuckDBPyConnection,
    model: dict[str, Any],
    *,
    candidates: str,
    into: str,
    min_weight: float | None = None,
    with_bits: bool = False,
) -> None:
    """Create the table `into` of the scored pairs of the table `candidates` (match_key, join_key_l, join_key_r).

    Columns: unique_id_l < unique_id_r (numbers), match_weight, match_probability; with `with_bits` also
    ``bits_<comparison>``, the weight of each comparison with its term frequencies. `model` is Splink's JSON; term
    frequencies are the ``tf_`` columns of ``records``.
    """
    query = scoring_query(model, candidates=candidates, min_weight=min_weight, with_bits=with_bits)
    connection.execute(f"""
        CREATE OR REPLACE TABLE {into} AS
        SELECT least(unique_id_l, unique_id_r) AS unique_id_l, greatest(unique_id_l, unique_id_r) AS unique_id_r,
               match_weight, match_probability{_bits(model) if with_bits else ""}
        FROM ({query})
    """)


def comparison_names(model: dict[str, Any]) -> list[str]:
    """Names of the comparisons of a model, in its order."""
    return [comparison["output_column_name"] for comparison in model["comparisons"]]


def _bits(model: dict[str, Any]) -> str:
    parts = []
    for comparison in model["comparisons"]:
        name = comparison["output_column_name"]
        adjusted = any(
            level.get("tf_adjustment_column") for level in comparison["comparison_levels"]
        )
        terms = f' + "mw_tf_adj_{name}"' if adjusted else ""
        parts.append(f', "mw_{name}"{terms} AS "bits_{name}"')
    return "".join(parts)


def count_term_frequencies(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    """Make ``records`` a table with a ``tf_`` column for each column: the share of its value among them all."""
    tables = ", ".join(
        f"""t{i} AS (SELECT "{n}" AS value, count(*) / sum(count(*)) OVER () AS share
                     FROM records WHERE "{n}" IS NOT NULL GROUP BY 1)"""
        for i, n in enumerate(names)
    )
    shares = "".join(f', t{i}.share AS "tf_{n}"' for i, n in enumerate(names))
    joins = " ".join(f'LEFT JOIN t{i} ON t{i}.value = r."{n}"' for i, n in enumerate(names))
    connection.execute(f"""
        CREATE TABLE with_frequencies AS {f"WITH {tables}" if names else ""} SELECT r.*{shares} FROM records r {joins};
        DROP VIEW records;
        ALTER TABLE with_frequencies RENAME TO records
    """)


def create_inside_pairs(
    connection: duckdb.DuckDBPyConnection, settings: IdentitySettings, *, decided: bool
) -> None:
    """Create ``inside`` (candidates) and ``bond``: all pairs inside each component, and which are decided.

    In: ``member`` (unique_id, component), ``records``; with `decided`, ``decision`` (unique_id_l, unique_id_r,
    bond). A bond is 1 for one person whatever the evidence, -1 for two: what people decided goes before unique
    identifiers that differ, these before trusted identifiers that agree.
    """
    names = [*settings.unique_identifiers, *settings.trusted_identifiers]
    columns = "".join(
        f', {side}."{n}" AS "{n}_{side}"' for n in dict.fromkeys(names) for side in "lr"
    )
    cases = [
        *(["WHEN bond IS NOT NULL THEN bond"] if decided else []),
        *(f'WHEN "{name}_l" <> "{name}_r" THEN -1' for name in settings.unique_identifiers),
        *(f'WHEN "{name}_l" = "{name}_r" THEN 1' for name in settings.trusted_identifiers),
    ]
    bond = f"CASE {' '.join(cases)} ELSE 0 END" if cases else "0"
    decision = "LEFT JOIN decision d ON d.unique_id_l = l.unique_id AND d.unique_id_r = r.unique_id"
    connection.execute(f"""
        CREATE OR REPLACE TABLE inside AS
        SELECT '0' AS match_key, join_key_l, join_key_r, component, CAST({bond} AS TINYINT) AS bond
        FROM (
            SELECT a.unique_id AS join_key_l, b.unique_id AS join_key_r, a.component{columns}
                   {", d.bond" if decided else ""}
            FROM member a JOIN member b ON a.component = b.component AND a.unique_id < b.unique_id
            JOIN records l ON l.unique_id = a.unique_id JOIN records r ON r.unique_id = b.unique_id
            {decision if decided else ""}
        )
    """)
