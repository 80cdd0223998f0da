"""Last steps: records go to the shard of their component, where components become persons."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame

from clvspark.identity.clustering.components import label_table
from clvspark.identity.engines.distributed.parcels import NOWHERE, Mail, Parcel, Step, address, send
from clvspark.identity.engines.distributed.plan import Plan, open_duckdb
from clvspark.identity.engines.grouping import group_members
from clvspark.identity.model.scoring import number_records

PERSON_SCHEMA = pa.schema(
    [("unique_id", pa.string()), ("person_id", pa.string()), ("raised_cut", pa.bool_())]
)


def label_edges(plan: Plan) -> Step:
    """Components of a link graph that is in one place: labels to the homes of the records."""

    def label(mail: Mail) -> Iterator[Parcel]:
        if (edges := mail["edge"]) is not None:
            settings = plan.settings
            labels = label_table(
                edges,
                link_weight=settings.link_weight,
                max_records=settings.max_component_records,
            )
            yield from _address_labels(labels, plan)

    return label


def send_labels(labels: DataFrame, plan: Plan) -> DataFrame:
    """Components of a link graph that is too large for one place: to the homes of the records."""
    return send(labels, lambda table, _: _address_labels(table, plan))


def sort_records(plan: Plan) -> Step:
    """Records of components, and the bits of their pairs, to their shards; who stays alone is a person already."""

    def sort(mail: Mail) -> Iterator[Parcel]:
        records, labels = mail["record"], mail["label"]
        if records is None:
            return
        if labels is None:
            labels = _NO_LABELS
        place = pc.index_in(records["_handle"], value_set=labels["unique_id"])
        component, oversized = labels["component"].take(place), labels["is_oversized"].take(place)
        shard = _shard_of(component, oversized, plan)
        members = records.append_column("_component", component)
        yield from address("member", members, shard, plan.shards)
        if (bits := mail["bits"]) is not None:
            # One end of every pair is at home.
            left, right = np.asarray(bits["unique_id_l"]), np.asarray(bits["unique_id_r"])
            end = pa.array(np.where(left % plan.shards == mail.shard, left, right))
            place = pc.index_in(end, value_set=labels["unique_id"])
            homes = labels["component"].take(place), labels["is_oversized"].take(place)
            yield from address("bits", bits, _shard_of(*homes, plan), plan.shards)
        alone = pa.array(shard == NOWHERE)
        ids = records["unique_id"].filter(alone)
        raised = oversized.fill_null(False).filter(alone)
        persons = pa.table({"unique_id": ids, "person_id": ids, "raised_cut": raised})
        yield Parcel("person", mail.shard, persons)

    return sort


def _address_labels(labels: pa.Table, plan: Plan) -> Iterator[Parcel]:
    yield from address("label", labels, plan.shard_of(labels["unique_id"]), plan.shards)


def _shard_of(
    component: pa.ChunkedArray, oversized: pa.ChunkedArray, plan: Plan
) -> NDArray[np.int64]:
    """Shard of each component; nowhere for none, and for one that is too large."""
    grouped = np.asarray(pc.invert(oversized).fill_null(False))
    return np.where(grouped, plan.shard_of(component.fill_null(0)), NOWHERE)


def group_records(plan: Plan) -> Callable[[Mail], Iterator[pa.Table]]:
    """Persons of all records that have come."""

    def group(mail: Mail) -> Iterator[pa.Table]:
        if (alone := mail["person"]) is not None:
            yield alone
        if (members := mail["member"]) is not None:
            bits = mail["bits"]
            with open_duckdb(_decisions=plan.decisions, _bits=bits) as connection:
                number_records(connection, members)
                if bits is not None:
                    connection.execute(_SCORED)
                scored = "scored" if bits is not None else None
                yield _group(connection, plan, members.num_rows, scored)

    return group


def _group(
    connection: duckdb.DuckDBPyConnection, plan: Plan, records: int, scored: str | None
) -> pa.Table:
    connection.execute(_MEMBERS.format(smallest=plan.smallest))
    if plan.decisions is not None:
        connection.execute(_DECISIONS)
    grouping = group_members(
        connection,
        plan.settings,
        plan.model,
        records=records,
        decided=plan.decisions is not None,
        scored=scored,
    )
    grouping.create_table(connection, "grouped")
    return connection.execute(_PERSONS).to_arrow_table()


_NO_LABELS = pa.schema(
    [("unique_id", pa.int64()), ("component", pa.int64()), ("is_oversized", pa.bool_())]
).empty_table()
_SCORED = """
    CREATE TABLE scored AS
    SELECT least(a.unique_id, b.unique_id) AS unique_id_l, greatest(a.unique_id, b.unique_id) AS unique_id_r,
           p.* EXCLUDE (unique_id_l, unique_id_r)
    FROM _bits p JOIN records a ON a._handle = p.unique_id_l JOIN records b ON b._handle = p.unique_id_r
"""
_MEMBERS = """
    CREATE TABLE labelled AS
    SELECT unique_id, min(unique_id) OVER of_component AS component, count(*) OVER of_component AS size
    FROM records WINDOW of_component AS (PARTITION BY _component);
    CREATE TABLE member AS SELECT unique_id, component FROM labelled WHERE size >= {smallest}
"""
_DECISIONS = """
    CREATE TABLE decision AS
    SELECT least(l.number, r.number) AS unique_id_l, greatest(l.number, r.number) AS unique_id_r, bond
    FROM _decisions d
    JOIN record_id l ON l.unique_id = d.unique_id_l JOIN record_id r ON r.unique_id = d.unique_id_r
"""
_PERSONS = """
    SELECT i.unique_id, p.unique_id AS person_id, coalesce(raised_cut, false) AS raised_cut
    FROM labelled JOIN record_id i ON i.number = labelled.unique_id
    LEFT JOIN grouped ON grouped.unique_id = labelled.unique_id
    JOIN record_id p ON p.number = coalesce(grouped.person, labelled.component)
"""
