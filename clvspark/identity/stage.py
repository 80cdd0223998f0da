"""Resolve: `sources.customer_record` -> `identity.*`.

Evidence is written last: a run that was interrupted is finished by the next, which finds the same changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.block_sizes import hot_blocks
from clvspark.identity.champion import basis, crown, find_champion
from clvspark.identity.changes import Renewal, hash_values, renew_everything, renew_evidence
from clvspark.identity.config import IdentityConfig
from clvspark.identity.decisions import (
    hash_decisions,
    keep_known,
    list_bonds,
    refuse_contradictions,
)
from clvspark.identity.evaluate import evaluate_clusters
from clvspark.identity.golden_record import build_golden_records
from clvspark.identity.incremental import (
    Before,
    Knowledge,
    Update,
    resolve_changes,
    resolve_everything,
)
from clvspark.identity.ledger import (
    Entry,
    assign_person_ids,
    list_changes,
    update_aliases,
    update_links,
)
from clvspark.identity.link_reasons import explain_links
from clvspark.identity.registry import register_model
from clvspark.identity.resolver import IdentityResolver
from clvspark.identity.review import (
    block_review,
    component_review,
    list_divided,
    list_hot,
    prioritise,
    take_first,
)
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.shared_identifiers import blank_shared, describe_identifiers
from clvspark.identity.stored_evidence import gather_rows, rows_to_write
from clvspark.identity.tables import (
    ALIAS,
    DECISION,
    EVIDENCE,
    MODEL,
    PAIR,
    PERSON,
    PERSON_CHANGE,
    PERSON_LINK,
    RESOLVED,
    REVIEW,
    REVIEW_PAIR,
    SHARED_IDENTIFIER,
    TERM_FREQUENCY,
    evidence_table,
)
from clvspark.identity.term_frequency import count_term_frequencies
from clvspark.identity.train import IdentityModel
from clvspark.identity.trusted import trusted_pairs
from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.tracking import open_tracker
from clvspark.sources.tables import CUSTOMER_RECORD

STAGE = "resolve"
# Rows to insert or update, and rows whose keys go.
Change = tuple[DataFrame, DataFrame | None]
_UNIQUE_ID = ("source_system", "source_record_id")


@dataclass(frozen=True)
class _Work:
    """One run, what it is told, and where it writes."""

    run: Run
    lake: Lakehouse
    config: IdentityConfig
    as_of: date

    @property
    def settings(self) -> IdentitySettings:
        return self.config.settings


def run(lake: Lakehouse, config: IdentityConfig, as_of: date) -> RunReport:
    """Bring identity.* up to the customer records and decisions; only what a change can reach is computed.

    A champion model, once trained, links until other settings or `retrain`. Everything is computed anew where
    settings, model or code have changed, and after an erasure.
    """
    reads = (CUSTOMER_RECORD, DECISION)
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=RESOLVED) as run:
        if not run.is_current:
            _resolve(_Work(run, lake, config, as_of))
    return run.report


def _resolve(work: _Work) -> None:
    lake, settings = work.lake, work.settings
    resolver = IdentityResolver(lake.spark, settings, engine=work.config.engine)
    records = _hash_records(lake.read(CUSTOMER_RECORD))
    bonds = list_bonds(lake.read_or_empty(DECISION))
    decided = None if bonds is None else hash_decisions(bonds).localCheckpoint()
    if bonds is not None:
        bonds = keep_known(bonds, records)
        refuse_contradictions(bonds)
    model = None
    if settings.compared and not work.config.retrain:
        model = find_champion(lake.read_or_empty(MODEL), work.config)
    work.run.step("what has changed")
    stored = None
    if model is not None or not settings.compared:
        stored = _read_stored(work, basis(model, work.config))
    if stored is None:
        before = lake.read_or_empty(EVIDENCE).select("basis").first()
        other = before is not None and before["basis"] != basis(model, work.config)
        cause = "model" if other else "records"
        renewal = renew_everything(records, decided, settings, cause=cause)
    else:
        renewal = renew_evidence(records, stored, decided, settings)
    if settings.compared and model is None:
        model = _train(work, resolver, renewal)
    frequencies = None if model is None else lake.read(TERM_FREQUENCY)
    known = Knowledge(model, frequencies, bonds)
    work.run.step("linking and clustering")
    if stored is None or renewal.everything:
        update = resolve_everything(resolver, renewal, known)
    else:
        update = resolve_changes(resolver, renewal, known, Before(stored, lake.read(PAIR)))
    _publish(work, records, renewal, update, known, stored)
    resolver.engine.release()


def _hash_records(records: DataFrame) -> DataFrame:
    """Customer records with ``unique_id`` and ``record_hash``; maps, which nothing here reads, are left out."""
    hashed = [column.name for column in CUSTOMER_RECORD.columns if "map" not in column.type]
    return records.withColumns(
        {"unique_id": F.concat_ws(":", *_UNIQUE_ID), "record_hash": hash_values(hashed)}
    )


def _read_stored(work: _Work, based_on: str) -> DataFrame | None:
    """What the last run left; None where there is nothing, or nothing that this run can build upon.

    After an erasure the table is not what the last run left: what was erased cannot be compared with what is.
    """
    lake = work.lake
    left = lake.log.left_version(STAGE, EVIDENCE)
    if left is None or left != lake.log.version(EVIDENCE):
        return None
    row = lake.read(EVIDENCE).select("basis").first()
    if row is None or row["basis"] != based_on:
        return None
    return lake.read(evidence_table(work.settings))


def _train(work: _Work, resolver: IdentityResolver, renewal: Renewal) -> IdentityModel:
    """Train on all records, freeze the term frequencies with the model."""
    run, lake = work.run, work.lake
    run.step("training the linkage model")
    evidence = blank_shared(renewal.renewed, work.settings)
    model = resolver.train(evidence)
    run.step("registering the model")
    config = work.config
    with open_tracker(config.mlflow_uri, config.experiment, lake.storage.local_root) as tracker:
        version = register_model(tracker, model, as_of=work.as_of)
    run.overwrite(TERM_FREQUENCY, count_term_frequencies(evidence, model))
    models = crown(
        lake.read_or_empty(MODEL), model, config, trained_on=work.as_of, registry_version=version
    )
    run.overwrite(MODEL, models.localCheckpoint())
    return model


def _publish(
    work: _Work,
    records: DataFrame,
    renewal: Renewal,
    update: Update,
    known: Knowledge,
    stored: DataFrame | None,
) -> None:
    """Write what has changed: pairs and ledger, then what is made from them, the evidence last."""
    run, lake, settings = work.run, work.lake, work.settings
    _write(run, update, {PAIR: _list_pairs(update, known)})
    assigned, ended = _enter_ledger(work, renewal, update, known)
    rows = gather_rows(renewal, update.evidence).localCheckpoint()
    reached = records.join(assigned.select("unique_id"), on="unique_id", how="left_semi")
    golden = build_golden_records(
        reached.drop("unique_id", "record_hash"),
        _contacts(rows, settings),
        assigned,
        work.config.survivorship,
    )
    tables = {
        PERSON: (golden, ended),
        REVIEW: _list_reviews(lake, settings, update),
        SHARED_IDENTIFIER: _list_shared(lake, renewal),
    }
    _write(run, update, tables)
    queue = take_first(lake.read(PAIR), limit=work.config.review_pairs)
    run.overwrite(REVIEW_PAIR, queue)
    if known.model is None:
        run.overwrite(MODEL, lake.spark.createDataFrame([], MODEL.schema))
    written = rows_to_write(
        rows,
        update.clusters,
        renewal,
        stored,
        basis=basis(known.model, work.config),
        settings=settings,
    )
    _write(run, update, {evidence_table(settings): (written, renewal.gone)})
    _measure(work, update)


def _write(run: Run, update: Update, tables: Mapping[Table, Change]) -> None:
    """Write rows and delete those that are gone; replace the tables where everything was touched."""
    if update.labels is None:
        run.overwrite_all({table: rows for table, (rows, _) in tables.items()})
    else:
        run.merge_all(tables)


def _enter_ledger(
    work: _Work, renewal: Renewal, update: Update, known: Knowledge
) -> tuple[DataFrame, DataFrame]:
    """Write the ledger; return ``unique_id, person_id`` of the records reached, and ``person_id`` of who is no more."""
    run, lake = work.run, work.lake
    whole = lake.read_or_empty(PERSON_LINK)
    newest, known_records = whole.agg(  # type: ignore[misc]
        F.max("valid_from"), F.count_if(F.col("valid_to").isNull())
    ).first()
    changed_on = max(work.as_of, newest) if newest else work.as_of
    entry = Entry(changed_on, run.started_at, run.run_id)
    links = whole.withColumn("unique_id", F.concat_ws(":", *_UNIQUE_ID))
    if update.labels is not None:
        ids = update.evidence.select("unique_id").unionByName(renewal.gone)
        links = links.join(F.broadcast(ids), on="unique_id", how="left_semi")
    links = links.localCheckpoint()
    assigned = assign_person_ids(update.clusters.select("unique_id", "cluster"), links)
    assigned = assigned.localCheckpoint()
    changes = list_changes(assigned, links, renewal.causes, entry).localCheckpoint()
    trusted = trusted_pairs(update.evidence, work.settings)
    explained = explain_links(assigned, update.inside, trusted, known.bonds)
    _add_changes(work, changes, changed_on)
    run.merge(ALIAS, update_aliases(lake.read_or_empty(ALIAS), changes))
    run.merge(PERSON_LINK, update_links(links.drop("unique_id"), explained, entry))
    before = links.where("valid_to IS NULL").select("unique_id", F.col("person_id").alias("_was"))
    moved = assigned.join(before, on="unique_id", how="inner").where("person_id <> _was").count()
    # Share of the records known before that keep their person id.
    run.metric("id_stability", 1.0 - moved / known_records if known_records else 1.0)
    ended = before.select(F.col("_was").alias("person_id")).distinct()
    ended = ended.join(assigned.select("person_id").distinct(), on="person_id", how="left_anti")
    return assigned.select("unique_id", "person_id"), ended


def _add_changes(work: _Work, changes: DataFrame, changed_on: date) -> None:
    """Add to identity.person_change what it does not have: an interrupted run has written it before."""
    lake = work.lake
    told = lake.read_or_empty(PERSON_CHANGE).where(F.col("changed_on") == F.lit(changed_on))
    new = changes.join(told.select("change_id"), on="change_id", how="left_anti").localCheckpoint()
    if new.limit(1).count() or not lake.exists(PERSON_CHANGE):
        work.run.append(PERSON_CHANGE, new.select(*PERSON_CHANGE.names))


def _contacts(rows: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Standardised e-mail and phone, NULL where the settings do not have them."""
    found = []
    for kind in ("email", "phone"):
        column = settings.column_of(kind)  # type: ignore[arg-type]
        value = F.lit(None).cast("string") if column is None else F.col(column)
        found.append(value.alias(kind))
    return rows.select("unique_id", *found)


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
    ended = known.join(F.broadcast(no_more), on=SHARED_IDENTIFIER.key, how="left_semi")
    return describe_identifiers(shared), ended


def _list_pairs(update: Update, known: Knowledge) -> Change:
    """identity.pair of the records reached: rows that are new or differ, and those that are no more."""
    rows = prioritise(update.inside, update.clusters, known.bonds)
    if update.before is None:
        return rows, None
    rows = rows.localCheckpoint()
    lost = update.before.join(rows, on=["unique_id_l", "unique_id_r"], how="left_anti")
    return rows.exceptAll(update.before.select(*PAIR.names)), lost


def _measure(work: _Work, update: Update) -> None:
    run, lake, config = work.run, work.lake, work.config
    run.metric("records", lake.read(EVIDENCE).count())
    run.metric("persons", lake.read(PERSON).count())
    run.metric("records_reached", update.evidence.count())
    if config.truth is None:
        return
    if not Path(config.truth).exists():
        raise MissingInputError(
            f"identity.truth: {config.truth} does not exist; simulate again or drop the key."
        )
    truth = lake.spark.read.parquet(config.truth).select(
        F.concat_ws(":", *_UNIQUE_ID).alias("unique_id"), F.col("person_key").alias("true_id")
    )
    current = lake.read(PERSON_LINK).where("valid_to IS NULL")
    found = current.select(F.concat_ws(":", *_UNIQUE_ID).alias("unique_id"), "person_id")
    quality = evaluate_clusters(found, truth)
    run.metric("pairwise_precision", quality.precision)
    run.metric("pairwise_recall", quality.recall)
    run.metric("pairwise_f1", quality.f1)
    run.metric("largest_person", quality.largest_cluster)
    run.metric("largest_true_person", quality.largest_true_cluster)
