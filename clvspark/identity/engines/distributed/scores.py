"""Third and fourth step: records learn how common their values are and visit those they are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clvspark.identity.engines.distributed.parcels import Mail, Parcel, Step, address
from clvspark.identity.engines.distributed.plan import Plan, open_duckdb, view_by_handle
from clvspark.identity.engines.distributed.records import home_of
from clvspark.identity.model.scoring import score_candidates
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

PAIR_SCHEMA = pa.schema(
    [
        ("unique_id_l", pa.string()),
        ("unique_id_r", pa.string()),
        ("match_weight", pa.float64()),
        ("match_probability", pa.float64()),
    ]
)


def complete_records(plan: Plan, known: dict[str, int]) -> Step:
    """Records with ``tf_`` columns, here and where they are wanted; links know the handle of their left end.

    `known`: how many records know each term-adjusted column, where shares are not frozen.
    """

    def complete(mail: Mail) -> Iterator[Parcel]:
        yield from mail.forward("pair", "edge")
        if (records := mail["record"]) is None:
            return
        records = _add_shares(records, mail["share"], plan, known)
        yield Parcel("record", mail.shard, records)
        if (wants := mail["want"]) is not None:
            wants = wants.group_by(["handle", "asker"], use_threads=False).aggregate([])
            guests = records.take(pc.index_in(wants["handle"], value_set=records["_handle"]))
            yield from address("guest", guests, np.asarray(wants["asker"]), plan.shards)
        if (links := mail["link"]) is not None:
            half = _name_end(links, records, "l")
            yield from address("link", half, home_of(half, "r", plan), plan.shards)

    return complete


def score_pairs(plan: Plan) -> Step:
    """Scored pairs: by id (``scored``), as edges of the link graph (``edge``), with all their bits (``bits``)."""

    def score(mail: Mail) -> Iterator[Parcel]:
        yield from mail.forward("edge")
        records = mail["record"]
        if records is None:
            return
        if (half := mail["link"]) is not None:
            ends = _name_end(half, records, "r").select(["_handle_l", "_handle_r", "match_weight"])
            edges = ends.rename_columns(["unique_id_l", "unique_id_r", "match_weight"])
            yield Parcel("edge", mail.shard, edges)
        if (pairs := mail["pair"]) is not None and plan.model is not None:
            guests = mail["guest"]
            everybody = records if guests is None else pa.concat_tables([records, guests])
            yield from _score(pairs, everybody, plan.settings, plan.model, mail.shard)

    return score


def _add_shares(
    records: pa.Table, shares: pa.Table | None, plan: Plan, known: dict[str, int]
) -> pa.Table:
    """Records with ``tf_`` columns in place of the hashes."""
    for number, name in enumerate(plan.adjusted):
        column = pa.nulls(len(records), pa.float64())
        if shares is not None:
            own = shares.filter(pc.equal(shares["name"], number))
            place = pc.index_in(records[f"_hash_{name}"], value_set=own["term"], skip_nulls=True)
            column = own["share"].take(place)
            if not plan.is_frozen:
                column = pc.divide(column, float(known[name]))
        records = records.drop_columns(f"_hash_{name}").append_column(f"tf_{name}", column)
    return records


def _name_end(links: pa.Table, records: pa.Table, side: str) -> pa.Table:
    """Links with the handle of one end (``_handle_l``, ``_handle_r``); what has no record is no link."""
    ids = links[f"unique_id_{side}"]
    place = pc.index_in(ids, value_set=records["unique_id"])
    handle = records["_handle"].take(place)
    return links.append_column(f"_handle_{side}", handle).filter(place.is_valid())


def _score(
    pairs: pa.Table,
    everybody: pa.Table,
    settings: IdentitySettings,
    model: IdentityModel,
    shard: int,
) -> Iterator[Parcel]:
    with open_duckdb(met=pairs, everybody=everybody) as connection:
        view_by_handle(connection, "everybody")
        # Handles are numbers enough; as in Splink, left is who comes first by id.
        connection.execute("""
            CREATE TABLE candidates AS
            SELECT '0' AS match_key, CASE WHEN a._id < b._id THEN l ELSE r END AS join_key_l,
                   CASE WHEN a._id < b._id THEN r ELSE l END AS join_key_r
            FROM (SELECT DISTINCT l, r FROM met) JOIN records a ON a.unique_id = l JOIN records b ON b.unique_id = r
        """)
        score_candidates(
            connection,
            model.settings,
            candidates="candidates",
            into="pair",
            min_weight=settings.link_weight,
            with_bits=True,
        )
        yield Parcel("scored", shard, connection.execute(_SCORED).to_arrow_table())
        yield Parcel("edge", shard, connection.execute(_EDGES).to_arrow_table())
        yield Parcel("bits", shard, connection.execute(_BITS).to_arrow_table())


_SCORED = """
    SELECT least(l._id, r._id) AS unique_id_l, greatest(l._id, r._id) AS unique_id_r, match_weight, match_probability
    FROM pair JOIN records l ON l.unique_id = unique_id_l JOIN records r ON r.unique_id = unique_id_r
"""
_EDGES = "SELECT unique_id_l, unique_id_r, match_weight FROM pair"
_BITS = "SELECT * EXCLUDE (match_weight, match_probability) FROM pair"
