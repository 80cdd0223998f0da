"""First step: records get handles, and everything about them goes where it is needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.candidates import block_key_query
from clvspark.identity.engines.distributed.parcels import Mail, Parcel, Step, address, pack
from clvspark.identity.engines.distributed.plan import Plan, open_duckdb
from clvspark.identity.engines.evidence import Evidence, used_columns
from clvspark.identity.model.term_frequency import adjusted_columns, value_hash
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

# What shards of keys, terms and identifiers are asked with, and what homes are told.
ASKED = ("key", "term", "frozen", "trusted")
TOLD = ("record", "link")
KNOWN_SCHEMA = pa.schema([("name", pa.string()), ("records", pa.int64())])
_HOME = "_home"
_RECORDS_A_TASK = 2**31


def pack_records(
    evidence: Evidence, settings: IdentitySettings, model: IdentityModel | None, *, linked: bool
) -> DataFrame:
    """Parcels ``record``: used columns, and hashes of what they are sent by; `linked`: what they are blocked by."""
    adjusted = adjusted_columns(model) if model is not None else []
    rows = evidence.records.select(
        "unique_id",
        *used_columns(settings, model, blocking=linked),
        *evidence.flags,
        F.xxhash64("unique_id").alias(_HOME),
        *(value_hash(name).alias(f"hash_{name}") for name in adjusted),
        *(
            F.xxhash64(F.lit(name), name).alias(f"trusted_{name}")
            for name in settings.trusted_identifiers
        ),
    )
    return pack(rows, "record")


def pack_links(links: DataFrame) -> DataFrame:
    """Parcels ``link`` of ``unique_id_l, unique_id_r, match_weight``, known by their ids."""
    homes = [F.xxhash64(f"unique_id_{side}").alias(f"{_HOME}_{side}") for side in "lr"]
    return pack(links.select("unique_id_l", "unique_id_r", "match_weight", *homes), "link")


def pack_frequencies(frequencies: DataFrame) -> DataFrame:
    """Parcels ``frozen`` of ``term, share``."""
    return pack(frequencies.select(F.col("value_hash").alias("term"), "share"), "frozen")


def send_records(plan: Plan) -> Step:
    """Records, their keys, terms and trusted identifiers, links and frequencies: each to its shard."""

    def send(mail: Mail) -> Iterator[Parcel]:
        if (links := mail["link"]) is not None:
            yield from address("link", links, home_of(links, "l", plan), plan.shards)
        if (frozen := mail["frozen"]) is not None:
            yield from address("frozen", frozen, _shard(frozen, "term", plan), plan.shards)
        if (records := mail["record"]) is not None:
            yield from _send(records, plan)

    return send


def home_of(links: pa.Table, side: str, plan: Plan) -> np.ndarray:
    """Shard of the records at one end of links."""
    return _shard(links, f"{_HOME}_{side}", plan)


def _send(records: pa.Table, plan: Plan) -> Iterator[Parcel]:
    home = _shard(records, _HOME, plan)
    task = TaskContext.get()
    first = (task.partitionId() if task else 0) * _RECORDS_A_TASK
    handle = (first + np.arange(records.num_rows)) * plan.shards + home
    records = records.append_column("_handle", pa.array(handle))
    if plan.is_linked:
        yield from _send_keys(records, plan)
    for number, name in enumerate(plan.adjusted):
        yield from _send_terms(records, name, number, home, plan)
    for name in plan.settings.trusted_identifiers:
        yield from _send_trusted(records, name, handle, plan)
    kept = used_columns(plan.settings, plan.model)
    flags = ["touched"] if plan.only_touched else []
    hashes = [f"hash_{name}" for name in plan.adjusted]
    sent = records.select(["_handle", "unique_id", *kept, *flags, *hashes])
    yield from address("record", sent, home, plan.shards)


def _send_keys(records: pa.Table, plan: Plan) -> Iterator[Parcel]:
    with open_duckdb(received=records) as connection:
        connection.execute(
            "CREATE VIEW records AS SELECT _handle AS unique_id, * EXCLUDE (_handle, unique_id) FROM received"
        )
        query = block_key_query(plan.settings, only_touched=plan.only_touched)
        keys = connection.execute(query).to_arrow_table()
    yield from address("key", keys, _shard(keys, "key", plan), plan.shards)


def _send_terms(
    records: pa.Table, name: str, number: int, home: np.ndarray, plan: Plan
) -> Iterator[Parcel]:
    """How many records of each home know each value: the question for its share."""
    known = pa.array(np.asarray(records[f"hash_{name}"].is_valid()))
    terms = pa.table({"term": records[f"hash_{name}"], "home": home.astype(np.int32)}).filter(known)
    counted = terms.group_by(["term", "home"], use_threads=False).aggregate([([], "count_all")])
    counted = counted.append_column("name", pa.array(np.full(len(counted), number, np.int8)))
    yield from address("term", counted, _shard(counted, "term", plan), plan.shards)
    if not plan.is_frozen:
        count = pa.table([[name], [terms.num_rows]], schema=KNOWN_SCHEMA)
        yield Parcel("known", 0, count)


def _send_trusted(records: pa.Table, name: str, handle: np.ndarray, plan: Plan) -> Iterator[Parcel]:
    known = pa.array(np.asarray(records[name].is_valid()))
    names = pa.array([name] * len(handle))
    values = pa.table({"name": names, "value": records[name], "handle": handle}).filter(known)
    shard = _shard(records.filter(known), f"trusted_{name}", plan)
    yield from address("trusted", values, shard, plan.shards)


def _shard(table: pa.Table, column: str, plan: Plan) -> np.ndarray:
    return np.asarray(table[column].fill_null(0)) % plan.shards
