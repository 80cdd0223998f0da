"""First step: records get handles, and everything about them goes where it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.candidates import block_keys
from clvspark.identity.engines.distributed.parcels import Mail, Parcel, Step, address, pack
from clvspark.identity.engines.distributed.plan import Plan
from clvspark.identity.engines.evidence import Evidence, used_columns
from clvspark.identity.model.term_frequency import adjusted_columns, value_hash
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.settings import IdentitySettings

KNOWN_SCHEMA = pa.schema([("name", pa.string()), ("records", pa.int64())])
_HOME = "_home"
_RECORDS_A_TASK = 2**31


def pack_records(
    evidence: Evidence, settings: IdentitySettings, model: IdentityModel | None, *, linked: bool
) -> DataFrame:
    """Parcels ``record``: used columns, and hashes of what they are sent by; `linked`: with keys of blocks."""
    adjusted = adjusted_columns(model) if model is not None else []
    rows = evidence.records.select(
        "unique_id",
        *used_columns(settings, model),
        *evidence.flags,
        F.xxhash64("unique_id").alias(_HOME),
        *(value_hash(name).alias(f"hash_{name}") for name in adjusted),
        *(
            F.xxhash64(F.lit(name), name).alias(f"trusted_{name}")
            for name in settings.trusted_identifiers
        ),
        *([block_keys(settings).alias("keys")] if linked else []),
    )
    return pack(rows, "record")


def pack_links(links: DataFrame) -> DataFrame:
    """Parcels ``link`` of ``unique_id_l, unique_id_r, match_weight``, known by their ids."""
    homes = [F.xxhash64(f"unique_id_{side}").alias(f"{_HOME}_{side}") for side in "lr"]
    return pack(links.select("unique_id_l", "unique_id_r", "match_weight", *homes), "link")


def pack_frequencies(frequencies: DataFrame) -> DataFrame:
    """Parcels ``frozen`` of ``term, share``."""
    return pack(frequencies.select(F.col("value_hash").alias("term"), "share"), "frozen")


def count_known(mail: Mail) -> Iterator[pa.Table]:
    """``name, records``: how many records of one partition know each term-adjusted column."""
    records = mail["record"]
    if records is not None:
        names = [name for name in records.column_names if name.startswith("hash_")]
        known = [records.num_rows - records[name].null_count for name in names]
        columns = [[name.removeprefix("hash_") for name in names], known]
        yield pa.table(dict(zip(KNOWN_SCHEMA.names, columns, strict=True)), schema=KNOWN_SCHEMA)


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
    if "keys" in records.column_names:
        yield from _send_keys(records, handle, plan)
    if plan.adjusted:
        yield from _send_terms(records, home, plan)
    for name in plan.settings.trusted_identifiers:
        yield from _send_trusted(records, name, handle, plan)
    sent = [n for n in records.column_names if n not in (_HOME, "keys") and n[:8] != "trusted_"]
    kept = records.select(sent).append_column("_handle", pa.array(handle))
    yield from address("record", kept, home, plan.shards)


def _send_keys(records: pa.Table, handle: np.ndarray, plan: Plan) -> Iterator[Parcel]:
    keys = records["keys"].combine_chunks()
    owner = np.repeat(np.arange(len(handle)), np.asarray(pc.list_value_length(keys)))
    key = np.asarray(keys.flatten())
    columns = {"unique_id": handle[owner], "key": key}
    if plan.only_touched:
        columns["touched"] = np.asarray(records["touched"])[owner]
    yield from address("key", pa.table(columns), key % plan.shards, plan.shards)


def _send_terms(records: pa.Table, home: np.ndarray, plan: Plan) -> Iterator[Parcel]:
    """How many records of each home know each value: the question for its share."""
    for number, name in zip(count(), plan.adjusted, strict=False):
        known = np.asarray(records[f"hash_{name}"].is_valid())
        terms = pa.table(
            {"term": records[f"hash_{name}"], "home": pa.array(home.astype(np.int32))}
        ).filter(pa.array(known))
        counted = terms.group_by(["term", "home"], use_threads=False).aggregate([([], "count_all")])
        counted = counted.append_column("name", pa.array(np.full(len(counted), number, np.int8)))
        yield from address("term", counted, _shard(counted, "term", plan), plan.shards)


def _send_trusted(records: pa.Table, name: str, handle: np.ndarray, plan: Plan) -> Iterator[Parcel]:
    known = pa.array(np.asarray(records[name].is_valid()))
    names = pa.array([name] * len(handle))
    values = pa.table({"name": names, "value": records[name], "handle": handle}).filter(known)
    shard = _shard(records.filter(known), f"trusted_{name}", plan)
    yield from address("trusted", values, shard, plan.shards)


def _shard(table: pa.Table, column: str, plan: Plan) -> np.ndarray:
    return np.asarray(table[column].fill_null(0)) % plan.shards
