"""First step: records get handles, and everything about them goes where it is needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.candidates import block_key_query
from clvspark.identity.engines.distributed.parcels import Parcel, address, send
from clvspark.identity.engines.distributed.plan import Plan, open_duckdb, view_by_handle
from clvspark.identity.engines.evidence import Evidence, used_columns
from clvspark.identity.model.term_frequency import value_hash

# What shards of keys, terms and identifiers are asked with, and what homes are told.
ASKED = ("key", "term", "frozen", "trusted")
TOLD = ("record", "link")
KNOWN_SCHEMA = pa.schema([("name", pa.string()), ("records", pa.int64())])
_HOME = "_home"


def send_records(evidence: Evidence, plan: Plan) -> DataFrame:
    """Records, their keys of blocks, terms and trusted identifiers: each to its shard."""
    rows = evidence.records.select(
        "unique_id",
        *used_columns(plan.settings, plan.model, blocking=plan.is_linked),
        *evidence.flags,
        F.xxhash64("unique_id").alias(_HOME),
        *(value_hash(name).alias(f"_hash_{name}") for name in plan.adjusted),
        *(
            F.xxhash64(F.lit(name), name).alias(f"_trusted_{name}")
            for name in plan.settings.trusted_identifiers
        ),
    )

    def step(records: pa.Table, first: int) -> Iterator[Parcel]:
        home = plan.shard_of(records[_HOME])
        handle = (first + np.arange(records.num_rows)) * plan.shards + home
        records = records.append_column("_handle", pa.array(handle))
        if plan.is_linked:
            yield from _send_keys(records, plan)
        if plan.adjusted:
            yield from _send_terms(records, home, plan)
        for name in plan.settings.trusted_identifiers:
            yield from _send_trusted(records, name, plan)
        kept = used_columns(plan.settings, plan.model)
        flags = ["touched"] if plan.only_touched else []
        hashes = [f"_hash_{name}" for name in plan.adjusted]
        sent = records.select(["_handle", "unique_id", *kept, *flags, *hashes])
        yield from address("record", sent, home, plan.shards)

    return send(rows, step)


def send_links(links: DataFrame, plan: Plan) -> DataFrame:
    """``unique_id_l, unique_id_r, match_weight``, known by their ids, to the home of the left record."""
    homes = [F.xxhash64(f"unique_id_{side}").alias(f"{_HOME}_{side}") for side in "lr"]
    rows = links.select("unique_id_l", "unique_id_r", "match_weight", *homes)
    return send(
        rows, lambda table, _: address("link", table, home_of(table, "l", plan), plan.shards)
    )


def send_frequencies(frequencies: DataFrame, plan: Plan) -> DataFrame:
    """Frozen shares of terms to the shards of the terms."""
    rows = frequencies.select(F.col("value_hash").alias("term"), "share")
    return send(
        rows, lambda table, _: address("frozen", table, plan.shard_of(table["term"]), plan.shards)
    )


def home_of(links: pa.Table, side: str, plan: Plan) -> np.ndarray:
    """Shard of the records at one end of links."""
    return plan.shard_of(links[f"{_HOME}_{side}"])


def _send_keys(records: pa.Table, plan: Plan) -> Iterator[Parcel]:
    with open_duckdb(received=records) as connection:
        view_by_handle(connection, "received")
        query = block_key_query(plan.settings, only_touched=plan.only_touched)
        keys = connection.execute(query).to_arrow_table()
    yield from address("key", keys, plan.shard_of(keys["key"]), plan.shards)


def _send_terms(records: pa.Table, home: np.ndarray, plan: Plan) -> Iterator[Parcel]:
    """How many records of each home know each value: the question for its share."""
    asked = []
    for number, name in enumerate(plan.adjusted):
        terms = pa.table({"term": records[f"_hash_{name}"], "home": home.astype(np.int32)})
        known = terms.filter(terms["term"].is_valid())
        counted = known.group_by(["term", "home"], use_threads=False).aggregate([([], "count_all")])
        names = pa.array(np.full(len(counted), number, np.int8))
        asked.append(counted.append_column("name", names))
        yield Parcel("known", 0, pa.table([[name], [known.num_rows]], schema=KNOWN_SCHEMA))
    terms = pa.concat_tables(asked)
    yield from address("term", terms, plan.shard_of(terms["term"]), plan.shards)


def _send_trusted(records: pa.Table, name: str, plan: Plan) -> Iterator[Parcel]:
    known = records.filter(records[name].is_valid())
    columns = [pa.array([name] * len(known)), known[name], known["_handle"]]
    values = pa.table(columns, names=["name", "value", "handle"])
    yield from address("trusted", values, plan.shard_of(known[f"_trusted_{name}"]), plan.shards)
