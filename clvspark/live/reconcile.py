"""What the stream left, held against a batch over the same landing files, in a lakehouse of its own.

Ids of persons depend on when their records met, so a person is named by the smallest of their records on either side.
"""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.tables import DEFINITION, ESTIMATE, MEMBERSHIP, MEMBERSHIP_EVENT
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.clv.tables import MODEL as CLV_MODEL
from clvspark.config import Config
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY, SESSION
from clvspark.identity.tables import (
    DECISION,
    MODEL,
    PERSON,
    PERSON_LINK,
    TERM_FREQUENCY,
    current_links,
)
from clvspark.lakehouse import Lakehouse, LakehouseConfig, RunReport, Table
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.side_by_side import side_by_side
from clvspark.lakehouse.texts import hash_columns
from clvspark.pipeline import STAGES
from clvspark.privacy.tables import TOMBSTONE
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, SURVEY_RESPONSE

STAGE = "reconcile"
_REBUILT = ("ingest", "resolve", "history", "score", "audiences")
# What a batch does not make of the landing files: models, what people decided, and what was before the date.
_GIVEN = (MODEL, TERM_FREQUENCY, DECISION, TOMBSTONE, CLV_MODEL, DEFINITION)
_OF_EARLIER_DATES = {
    MEMBERSHIP_EVENT: "happened_on",
    ESTIMATE: "as_of_date",
    VALUE_CHANGE: "as_of_date",
}
_OF_THE_DATE = {
    CLV_SUMMARY: "as_of_date",
    CUSTOMER_VALUE: "as_of_date",
    VALUE_CHANGE: "as_of_date",
    MEMBERSHIP_EVENT: "happened_on",
}
_COMPARED = (
    EVENT, CUSTOMER_RECORD, CONSENT, SURVEY_RESPONSE, PERSON_LINK, PERSON, ORDER, INTERACTION, SESSION, PERSON_DAY,
    CLV_SUMMARY, CUSTOMER_VALUE, VALUE_CHANGE, MEMBERSHIP, MEMBERSHIP_EVENT,
)  # fmt: skip
# When a link was written, when something landed, the id of a person within another id, and the chance of the top
# decile, which the batch learns from another sample of persons.
_LEFT_OUT = {
    PERSON_LINK: {"valid_from", "valid_to", "recorded_at", "closed_at"},
    MEMBERSHIP_EVENT: {"event_id"},
    CUSTOMER_VALUE: {"p_top_decile"},
    EVENT: {"known_as_of"},
    SURVEY_RESPONSE: {"known_as_of"},
}


def reconcile(
    lake: Lakehouse, config: Config, as_of: date, *, into: Path | None = None
) -> RunReport:
    """Run the batch over the landing files into the folder `into` (one that is removed, if None), and compare.

    Metrics of the run: ``<table>.only_stream`` and ``<table>.only_batch``, rows that one of them has alone, and
    ``differences``, their sum. The models are those that there are, so that nothing is told twice which differs anyway.
    """
    with tempfile.TemporaryDirectory(prefix="clvspark_reconcile_") as folder:
        place = into or Path(folder)
        other = Lakehouse(
            lake.spark, LakehouseConfig(root=str(place), currency=lake.config.currency), lake.tables
        )
        with lake.run(STAGE, as_of=as_of, config=config.sources, reads=(), writes=()) as run:
            run.is_current = False
            run.step("running the batch")
            with other.writing(STAGE):
                _lend(lake, other, as_of)
                for name in _REBUILT:
                    STAGES[name](other, config, as_of)
            run.step("comparing")
            sides = side_by_side(_name_persons, (lake, other))
            found = side_by_side(
                lambda table: _count(table, (lake, other), sides, as_of), _COMPARED
            )
            for table, counts in zip(_COMPARED, found, strict=True):
                for side, number in zip(("only_stream", "only_batch"), counts, strict=True):
                    run.metric(f"{table.name}.{side}", number)
            run.metric("differences", sum(number for counts in found for number in counts))
        return run.report


def _lend(lake: Lakehouse, other: Lakehouse, as_of: date) -> None:
    """Give the other lakehouse what the batch builds upon."""
    for table in _GIVEN:
        if lake.exists(table):
            other.overwrite(table, lake.read(table))
    for table, column in _OF_EARLIER_DATES.items():
        if lake.exists(table):
            other.overwrite(table, lake.read(table).where(F.col(column) < F.lit(as_of)))


def _name_persons(lake: Lakehouse) -> DataFrame:
    """``person_id, _name``: the smallest record of each person."""
    links = current_links(lake.read(PERSON_LINK))
    record = F.concat_ws(":", "source_system", "source_record_id")
    return links.groupBy("person_id").agg(F.min(record).alias("_name")).localCheckpoint()


def _count(
    table: Table, lakes: tuple[Lakehouse, Lakehouse], names: list[DataFrame], as_of: date
) -> tuple[int, int]:
    """Rows that one of two lakehouses has alone."""
    left, right = (
        _digest(table, lake.read_or_empty(table), named, as_of)
        for lake, named in zip(lakes, names, strict=True)
    )
    both = left.withColumn("_n", F.lit(1)).unionByName(right.withColumn("_n", F.lit(-1)))
    sums = both.groupBy("_digest").agg(F.sum("_n").alias("_n"))
    row = sums.agg(
        F.sum(F.greatest("_n", F.lit(0))), F.sum(F.greatest(-F.col("_n"), F.lit(0)))
    ).collect()[0]
    return int(row[0] or 0), int(row[1] or 0)


def _digest(table: Table, rows: DataFrame, named: DataFrame, as_of: date) -> DataFrame:
    """``_digest`` of what both sides must agree on in each row."""
    if table in _OF_THE_DATE:
        rows = rows.where(rows_of(as_of, _OF_THE_DATE[table]))
    if table is PERSON_LINK:
        rows = current_links(rows)
    if table is MEMBERSHIP:
        rows = rows.where("status = 'realized'")
    if "person_id" in table.names:
        rows = rows.join(named, on="person_id", how="left").withColumn(
            "person_id", F.coalesce("_name", "person_id")
        )
    told = [c for c in table.columns if c.name not in _LEFT_OUT.get(table, set())]
    return rows.select(hash_columns([_comparable(c.name, c.type) for c in told]).alias("_digest"))


def _comparable(name: str, kind: str) -> Column:
    """A column as it can be compared: fractions to nine digits, maps as texts."""
    if kind == "double":
        return F.format_string("%.9g", name)
    return F.to_json(F.array_sort(F.map_entries(name))) if kind.startswith("map") else F.col(name)
