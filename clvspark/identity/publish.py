"""Publish: what a run of `resolve` has found -> `identity.*`.

Everything is worked out before it is written. A run that was interrupted is finished by the next, which finds the same
changes: of persons as long as the links are the old ones, so they come after all that is told of such changes; of
records as long as the evidence is the old one, which comes last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.sizes import hot_blocks
from clvspark.identity.champion import basis
from clvspark.identity.cleaning.shared_identifiers import describe_identifiers
from clvspark.identity.clustering.link_reasons import explain_links
from clvspark.identity.clustering.trusted import trusted_pairs
from clvspark.identity.config import IdentityConfig
from clvspark.identity.incremental.changes import Renewal
from clvspark.identity.incremental.resolve import Knowledge, Update
from clvspark.identity.incremental.stored_evidence import rows_to_write
from clvspark.identity.persons.contacts import gather_contacts
from clvspark.identity.persons.golden_record import build_golden_records
from clvspark.identity.persons.ledger import (
    Entry,
    assign_person_ids,
    list_changes,
    update_aliases,
    update_links,
)
from clvspark.identity.record_ids import unique_id
from clvspark.identity.review.cases import (
    block_review,
    component_review,
    list_divided,
    list_hot,
    prioritise,
    take_first,
)
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import (
    ALIAS,
    MODEL,
    PAIR,
    PERSON,
    PERSON_CHANGE,
    PERSON_LINK,
    REVIEW,
    REVIEW_PAIR,
    SHARED_IDENTIFIER,
    evidence_table,
)
from clvspark.lakehouse import Lakehouse, Run, Table
from clvspark.lakehouse.side_by_side import all_of
from clvspark.lakehouse.subsets import rows_among

# Rows to insert or update, and rows whose keys go.
Change = tuple[DataFrame, DataFrame | None]


@dataclass(frozen=True)
class Work:
    """One run, what it is told, and where it writes."""

    run: Run
    lake: Lakehouse
    config: IdentityConfig
    as_of: date

    @property
    def settings(self) -> IdentitySettings:
        """Settings of matching."""
        return self.config.settings


@dataclass(frozen=True)
class Ledger:
    """What a run enters into the ledger, and what follows for persons.

    Parameters
    ----------
    changed_on : the day of its changes.
    last_change : the last day on which a link began or ended, before this run.
    links : rows of identity.person_link to insert or update.
    changes : rows of identity.person_change.
    aliases : rows of identity.alias to insert or update.
    assigned : ``unique_id, person_id`` of the records reached.
    ended : ``person_id`` of who is no more.
    """

    changed_on: date
    last_change: date | None
    links: DataFrame
    changes: DataFrame
    aliases: DataFrame
    assigned: DataFrame
    ended: DataFrame


def publish(
    work: Work,
    records: DataFrame,
    renewal: Renewal,
    update: Update,
    known: Knowledge,
) -> None:
    """Write what has changed, side by side, but the links at the last and the evidence after them."""
    run, lake, settings = work.run, work.lake, work.settings
    ledger = _draw_up_ledger(work, renewal, update, known)
    reached = records if update.labels is None else rows_among(records, ledger.assigned)
    golden = build_golden_records(
        reached.drop("unique_id", "record_hash"),
        gather_contacts(reached, update.rows, settings),
        ledger.assigned,
        work.config.survivorship,
    )
    tables = {
        PERSON: (golden, ledger.ended),
        REVIEW: _list_reviews(lake, settings, update),
        SHARED_IDENTIFIER: _list_shared(lake, renewal),
    }
    written = rows_to_write(update, basis=basis(known.model, work.config), settings=settings)
    kept, *_ = all_of(
        written.localCheckpoint,
        lambda: _write(run, update, tables),
        lambda: _write(run, update, {PAIR: _list_pairs(update, known)}),
        lambda: run.merge(ALIAS, ledger.aliases),
        lambda: _add_changes(work, ledger),
    )
    if known.model is None:
        run.overwrite(MODEL, lake.spark.createDataFrame([], MODEL.schema))
    asked = take_first(lake.read(PAIR), limit=work.config.review_pairs)
    all_of(lambda: run.merge(PERSON_LINK, ledger.links), lambda: run.overwrite(REVIEW_PAIR, asked))
    _write(run, update, {evidence_table(settings): (kept, renewal.gone)}, cached=True)


def _write(
    run: Run, update: Update, tables: Mapping[Table, Change], *, cached: bool = False
) -> None:
    """Write rows and delete those that are gone; replace the tables where everything was touched."""
    if update.labels is None:
        run.overwrite_all({table: rows for table, (rows, _) in tables.items()}, cached=cached)
    else:
        run.merge_all(tables)


def _draw_up_ledger(work: Work, renewal: Renewal, update: Update, known: Knowledge) -> Ledger:
    run, lake = work.run, work.lake
    whole = lake.read_or_empty(PERSON_LINK)
    last, known_records = whole.agg(  # type: ignore[misc]
        F.max(F.greatest("valid_from", "valid_to")), F.count_if(F.col("valid_to").isNull())
    ).first()
    # Never before a link began or ended: a record would be two persons in between.
    changed_on = max(work.as_of, last) if last else work.as_of
    entry = Entry(changed_on, run.started_at, run.run_id)
    links = whole.withColumn("unique_id", unique_id())
    if update.labels is not None:
        ids = update.evidence.select("unique_id").unionByName(renewal.gone)
        links = rows_among(links, ids)
    links = links.localCheckpoint(eager=False)
    assigned = assign_person_ids(update.clusters.select("unique_id", "cluster"), links)
    assigned = assigned.localCheckpoint(eager=False)
    changes = list_changes(assigned, links, renewal.causes, entry).localCheckpoint()
    trusted = trusted_pairs(update.evidence, work.settings)
    explained = explain_links(assigned, update.inside, trusted, known.bonds)
    before = links.where("valid_to IS NULL").select("unique_id", F.col("person_id").alias("_was"))
    moved = assigned.join(before, on="unique_id", how="inner").where("person_id <> _was").count()
    # Share of the records known before that keep their person id.
    if known_records:
        run.metric("id_stability", 1.0 - moved / known_records)
    was = before.select(F.col("_was").alias("person_id")).distinct()
    return Ledger(
        changed_on,
        last,
        update_links(links.drop("unique_id"), explained, entry),
        changes,
        update_aliases(
            lake.read_or_empty(ALIAS), changes, links, assigned, lake.read_or_empty(PERSON_CHANGE)
        ),
        assigned.select("unique_id", "person_id"),
        was.join(assigned.select("person_id").distinct(), on="person_id", how="left_anti"),
    )


def _add_changes(work: Work, ledger: Ledger) -> None:
    """Add to identity.person_change what it does not have, in place of what an interrupted run has left there.

    Such a run has told of changes, but not made them: they are later than any link.
    """
    run, lake, last = work.run, work.lake, ledger.last_change
    told, day = lake.read_or_empty(PERSON_CHANGE), F.col("changed_on")
    is_left = F.lit(True) if last is None else day > F.lit(last)
    left = told.where(is_left).select("change_id").localCheckpoint()
    known = told.where(~is_left & (day == F.lit(ledger.changed_on))).select("change_id")
    new = ledger.changes.join(known, on="change_id", how="left_anti")
    new = new.select(*PERSON_CHANGE.names).localCheckpoint(eager=False)
    if not left.isEmpty():
        run.merge(PERSON_CHANGE, new, gone=left)
    elif new.limit(1).count() or not lake.exists(PERSON_CHANGE):
        run.append(PERSON_CHANGE, new)


def _list_reviews(lake: Lakehouse, settings: IdentitySettings, update: Update) -> Change:
    """identity.review of the components and blocks that the run has looked at, and what of it is settled."""
    rows = list_divided(update.clusters, settings)
    asked = [update.clusters.select(component_review())]
    if update.labels is not None:
        asked.append(update.labels.select(component_review()))
    if update.sizes is not None:
        rows = rows.unionByName(list_hot(hot_blocks(update.sizes, settings), settings))
        asked.append(update.sizes.select(block_review()))
    ids = reduce(DataFrame.unionByName, asked).distinct()
    settled = lake.read_or_empty(REVIEW).join(ids, on="review_id", how="left_semi")
    return rows, settled


def _list_shared(lake: Lakehouse, renewal: Renewal) -> Change:
    """identity.shared_identifier of the values that the run has counted, and those that are shared no more."""
    if renewal.identifiers is None:
        nothing = lake.spark.createDataFrame([], SHARED_IDENTIFIER.schema)
        return nothing, nothing
    counted = renewal.identifiers
    shared, others = counted.where("is_shared"), counted.where("NOT is_shared")
    no_more = describe_identifiers(others).select(*SHARED_IDENTIFIER.key)
    known = lake.read_or_empty(SHARED_IDENTIFIER)
    ended = rows_among(known, no_more, *SHARED_IDENTIFIER.key)
    return describe_identifiers(shared), ended


def _list_pairs(update: Update, known: Knowledge) -> Change:
    """identity.pair of the records reached: rows that are new or differ, and those that are no more."""
    rows = prioritise(update.inside, update.clusters, known.bonds)
    if update.before is None:
        return rows, None
    rows = rows.localCheckpoint(eager=False)
    lost = update.before.join(rows, on=["unique_id_l", "unique_id_r"], how="left_anti")
    return rows.exceptAll(update.before.select(*PAIR.names)), lost
