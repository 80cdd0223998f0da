"""Third and fourth step: records learn how common their values are and visit those they are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa

from clvspark.identity.engines.distributed.parcels import Mail, Parcel, Step, address
from clvspark.identity.engines.distributed.plan import Plan, open_duckdb
from clvspark.identity.model.scoring import number_records, score_candidates
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

_NO_SHARES = pa.table({"term": pa.array([], pa.int64()), "share": pa.array([], pa.float64())})


def complete_records(plan: Plan) -> Step:
    """Records with ``tf_`` columns, here and where they are wanted; links know the handle of their left end."""

    def complete(mail: Mail) -> Iterator[Parcel]:
        yield from mail.forward("pair", "edge")
        records = mail["record"]
        if records is None:
            return
        with open_duckdb(record=records, share=mail["share"] or _NO_SHARES) as connection:
            _add_shares(connection, plan)
            yield Parcel("record", mail.shard, connection.table("complete").to_arrow_table())
            if (wants := mail["want"]) is not None:
                connection.register("want", wants)
                guests = connection.execute("""
                    SELECT complete.*, asker
                    FROM complete JOIN (SELECT DISTINCT handle, asker FROM want) USING (handle)
                """).to_arrow_table()
                asker = np.asarray(guests["asker"])
                yield from address("guest", guests.drop_columns("asker"), asker, plan.shards)
            if (links := mail["link"]) is not None:
                connection.register("link", links)
                half = connection.execute("""
                    SELECT handle AS l, unique_id_r, match_weight AS weight, _home_r
                    FROM link JOIN complete ON unique_id = unique_id_l
                """).to_arrow_table()
                home = np.asarray(half["_home_r"]) % plan.shards
                yield from address("half", half.drop_columns("_home_r"), home, plan.shards)

    return complete


def score_pairs(plan: Plan) -> Step:
    """Scored pairs by id (``scored``) and, as edges of the link graph, by handle (``edge``)."""

    def score(mail: Mail) -> Iterator[Parcel]:
        yield from mail.forward("record", "edge")
        records = mail["record"]
        if records is None:
            return
        if (half := mail["half"]) is not None:
            with open_duckdb(half=half, record=records) as connection:
                edges = connection.execute(
                    "SELECT l, handle AS r, weight FROM half JOIN record ON unique_id = unique_id_r"
                ).to_arrow_table()
            yield Parcel("edge", mail.shard, edges)
        if (pairs := mail["pair"]) is not None and plan.model is not None:
            with open_duckdb(pair_met=pairs, record=records, guest=mail["guest"]) as connection:
                yield from _score(connection, mail, plan.settings, plan.model)

    return score


def _add_shares(connection: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    hashes = ", ".join(f'"hash_{name}"' for name in plan.adjusted)
    without = f" EXCLUDE ({hashes})" if hashes else ""
    shares = "".join(f', s{i}.share AS "tf_{name}"' for i, name in enumerate(plan.adjusted))
    joins = " ".join(
        f'LEFT JOIN share s{i} ON s{i}.term = record."hash_{name}"'
        for i, name in enumerate(plan.adjusted)
    )
    connection.execute(
        f"CREATE TABLE complete AS SELECT record.*{without}{shares} FROM record {joins}"
    )


def _score(
    connection: duckdb.DuckDBPyConnection,
    mail: Mail,
    settings: IdentitySettings,
    model: IdentityModel,
) -> Iterator[Parcel]:
    guests = "UNION ALL BY NAME FROM guest" if mail["guest"] is not None else ""
    connection.execute(f"""
        CREATE TABLE met AS SELECT DISTINCT l, r FROM pair_met;
        CREATE VIEW source AS
        SELECT * FROM (FROM record {guests}) WHERE handle IN (SELECT l FROM met UNION ALL SELECT r FROM met)
    """)
    number_records(connection, "source")
    connection.execute("""
        CREATE TABLE candidates AS
        SELECT '0' AS match_key, least(a.unique_id, b.unique_id) AS join_key_l,
               greatest(a.unique_id, b.unique_id) AS join_key_r
        FROM met JOIN records a ON a.handle = l JOIN records b ON b.handle = r
    """)
    score_candidates(
        connection,
        model.settings,
        candidates="candidates",
        into="pair",
        min_weight=settings.link_weight,
    )
    yield Parcel("scored", mail.shard, connection.execute(_SCORED).to_arrow_table())
    yield Parcel("edge", mail.shard, connection.execute(_EDGES).to_arrow_table())


_SCORED = """
    SELECT l.unique_id AS unique_id_l, r.unique_id AS unique_id_r, match_weight, match_probability
    FROM pair JOIN record_id l ON l.number = unique_id_l JOIN record_id r ON r.number = unique_id_r
"""
_EDGES = """
    SELECT a.handle AS l, b.handle AS r, match_weight AS weight
    FROM pair JOIN records a ON a.unique_id = unique_id_l JOIN records b ON b.unique_id = unique_id_r
"""
