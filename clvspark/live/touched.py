"""About whom tables have changed since they were last looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import DataFrame

from clvspark.audiences.moments.look import add_absorbed
from clvspark.identity.tables import ALIAS, resolve_aliases
from clvspark.lakehouse import Lakehouse, Table
from clvspark.lakehouse.side_by_side import side_by_side

_PERSON = "person_id string"


def list_touched(
    lake: Lakehouse,
    tables: Sequence[Table],
    since: Mapping[str, int],
    until: Mapping[str, int | None],
    also: DataFrame | None,
) -> DataFrame:
    """``person_id`` of everybody whose rows have changed between versions, and of whom they have absorbed, in memory.

    In: versions by the name of the table; `also`: ``person_id`` of others.
    """

    def feed(table: Table) -> DataFrame:
        first, last = since.get(table.name), until[table.name]
        rows = lake.changes(table, since=first, until=last) if first != last else None
        if rows is None and first != last:
            rows = lake.read(table)  # the feed does not reach back so far
        nobody = lake.spark.createDataFrame([], _PERSON)
        return nobody if rows is None else rows.select("person_id")

    found = side_by_side(feed, tables)
    every = reduce(DataFrame.unionByName, found if also is None else [*found, also])
    aliases = lake.read_or_empty(ALIAS)
    today = resolve_aliases(every.where("person_id IS NOT NULL"), aliases).distinct()
    return add_absorbed(today.localCheckpoint(), aliases)
