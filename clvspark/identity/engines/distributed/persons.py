"""Last steps: records go to the shard of their component, where components become persons."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from clvspark.identity.engines.distributed.parcels import NOWHERE, Mail, Parcel, Step, address, send
from clvspark.identity.engines.distributed.plan import Plan, open_duckdb
from clvspark.identity.engines.grouping import group_members
from clvspark.identity.model.scoring import number_records

PERSON_SCHEMA = pa.schema(
    [("unique_id", pa.string()), ("person_id", pa.string()), ("raised_cut", pa.bool_())]
)


def send_labels(labels: DataFrame, plan: Plan) -> DataFrame:
    """``unique_id`` (handles), ``component``, ``is_oversized`` to the homes of the records."""
    return send(
        labels,
        lambda table, _: address(
            "label", table, np.asarray(table["unique_id"]) % plan.shards, plan.shards
        ),
    )


def sort_records(plan: Plan) -> Step:
    """Records of components to their shards; those that stay alone are persons already."""

    def sort(mail: Mail) -> Iterator[Parcel]:
        records, labels = mail["record"], mail["label"]
        if records is None:
            return
        component, oversized = (
            pa.nulls(len(records), pa.int64()),
            pa.nulls(len(records), pa.bool_()),
        )
        if labels is not None:
            place = pc.index_in(records["_handle"], value_set=labels["unique_id"])
            component, oversized = (
                labels["component"].take(place),
                labels["is_oversized"].take(place),
            )
        grouped = np.asarray(pc.invert(oversized).fill_null(False))
        shard = np.where(grouped, np.asarray(component.fill_null(0)) % plan.shards, NOWHERE)
        members = records.append_column("_component", component)
        yield from address("member", members, shard, plan.shards)
        alone = pa.array(~grouped)
        ids = records["unique_id"].filter(alone)
        raised = oversized.fill_null(False).filter(alone)
        persons = pa.table({"unique_id": ids, "person_id": ids, "raised_cut": raised})
        yield Parcel("person", mail.shard, persons)

    return sort


def group_records(plan: Plan) -> Callable[[Mail], Iterator[pa.Table]]:
    """Persons of all records that have come."""

    def group(mail: Mail) -> Iterator[pa.Table]:
        if (alone := mail["person"]) is not None:
            yield alone
        if (members := mail["member"]) is not None:
            with open_duckdb(_decisions=plan.decisions) as connection:
                number_records(connection, members)
                yield _group(connection, plan, members.num_rows)

    return group


def _group(connection: duckdb.DuckDBPyConnection, plan: Plan, records: int) -> pa.Table:
    connection.execute(_MEMBERS.format(smallest=plan.smallest))
    if plan.decisions is not None:
        connection.execute(_DECISIONS)
    grouping = group_members(
        connection,
        plan.settings,
        plan.model,
        records=records,
        decided=plan.decisions is not None,
    )
    grouping.create_table(connection, "grouped")
    return connection.execute(_PERSONS).to_arrow_table()


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
