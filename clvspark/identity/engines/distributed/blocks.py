"""Second step: shards of keys, terms and identifiers find out which records meet, and how common values are."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa

from clvspark.identity.blocking.candidates import COOL, create_blocks, met_pairs, refined_keys
from clvspark.identity.clustering.components import CERTAIN
from clvspark.identity.engines.distributed.parcels import Mail, Parcel, Step, address
from clvspark.identity.engines.distributed.plan import Plan, open_duckdb, view_by_handle


def meet_records(plan: Plan) -> Step:
    """Pairs of records that share a key, and who must see whom; shares of terms; edges of trusted identifiers."""

    def meet(mail: Mail) -> Iterator[Parcel]:
        if (terms := mail["term"]) is not None:
            yield from _answer(terms, mail["frozen"], plan)
        if (trusted := mail["trusted"]) is not None:
            yield from _bind(trusted, mail.shard)
        if (keys := mail["key"]) is not None:
            with open_duckdb(block_key=keys) as connection:
                create_blocks(connection, plan.settings)
                yield from _introduce(connection, plan)
                yield from _ask_to_refine(connection, plan)

    return meet


def refine_keys(plan: Plan) -> Step:
    """Keys of records in blocks that are too large: the block and one more value."""

    def refine(mail: Mail) -> Iterator[Parcel]:
        records, hot = mail["record"], mail["hot"]
        if records is None or hot is None:
            return
        with open_duckdb(received=records, block_key=hot) as connection:
            view_by_handle(connection, "received")
            connection.execute(
                "CREATE TEMP TABLE block AS SELECT DISTINCT key, true AS is_hot FROM block_key"
            )
            query = refined_keys(plan.settings, only_touched=plan.only_touched)
            keys = connection.execute(query).to_arrow_table()
        yield from address("key", keys, plan.shard_of(keys["key"]), plan.shards)

    return refine


def meet_refined(plan: Plan) -> Step:
    """Pairs of records that share a refined key; blocks that are still too large are not compared."""

    def meet(mail: Mail) -> Iterator[Parcel]:
        with open_duckdb(block_key=mail["key"]) as connection:
            create_blocks(connection, plan.settings)
            yield from _introduce(connection, plan)

    return meet


def _introduce(connection: duckdb.DuckDBPyConnection, plan: Plan) -> Iterator[Parcel]:
    """Each pair goes home with its left record; to the home of the right one goes who wants to see it."""
    pairs = connection.execute(
        f"SELECT DISTINCT l, r FROM ({met_pairs(COOL, only_touched=plan.only_touched)})"
    ).to_arrow_table()
    yield from address("pair", pairs, plan.shard_of(pairs["l"]), plan.shards)
    connection.register("met", pairs)
    wanted = connection.execute(f"""
        SELECT DISTINCT r AS handle, CAST(l % {plan.shards} AS INT) AS asker FROM met
        WHERE l % {plan.shards} <> r % {plan.shards}
    """).to_arrow_table()
    yield from address("want", wanted, plan.shard_of(wanted["handle"]), plan.shards)


def _ask_to_refine(connection: duckdb.DuckDBPyConnection, plan: Plan) -> Iterator[Parcel]:
    hot = connection.execute("""
        SELECT unique_id, key FROM block_key WHERE key IN (SELECT key FROM block WHERE is_hot)
    """).to_arrow_table()
    yield from address("hot", hot, plan.shard_of(hot["unique_id"]), plan.shards)


def _answer(terms: pa.Table, frozen: pa.Table | None, plan: Plan) -> Iterator[Parcel]:
    """Share of each term that a home has asked for, or how many records know it where shares are not frozen."""
    if plan.is_frozen and frozen is None:
        return
    counted = f"""
        SELECT DISTINCT name, term, home % {plan.shards} AS home,
               CAST(sum(count_all) OVER (PARTITION BY term) AS DOUBLE) AS share
        FROM terms
    """
    given = f"""
        SELECT DISTINCT name, term, home % {plan.shards} AS home, share FROM terms JOIN frozen USING (term)
    """
    with open_duckdb(terms=terms, frozen=frozen) as connection:
        shares = connection.execute(given if plan.is_frozen else counted).to_arrow_table()
    home = np.asarray(shares["home"])
    yield from address("share", shares.drop_columns("home"), home, plan.shards)


def _bind(trusted: pa.Table, shard: int) -> Iterator[Parcel]:
    with open_duckdb(trusted=trusted) as connection:
        edges = connection.execute(f"""
            SELECT * FROM (
                SELECT min(handle) OVER (PARTITION BY name, value) AS unique_id_l, handle AS unique_id_r,
                       CAST({CERTAIN} AS DOUBLE) AS match_weight
                FROM trusted
            ) WHERE unique_id_l < unique_id_r
        """).to_arrow_table()
    yield Parcel("edge", shard, edges)
