"""Resolve: `sources.customer_record` -> `identity.*`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.champion import basis, crown, find_champion
from clvspark.identity.cleaning.shared_identifiers import blank_shared
from clvspark.identity.config import IdentityConfig
from clvspark.identity.evaluate.clusters import PairwiseQuality, evaluate_clusters
from clvspark.identity.incremental.changes import (
    Renewal,
    renew_everything,
    renew_evidence,
)
from clvspark.identity.incremental.resolve import (
    Knowledge,
    Update,
    resolve_changes,
    resolve_everything,
)
from clvspark.identity.model.registry import NAME, register_model
from clvspark.identity.model.term_frequency import count_term_frequencies
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.publish import Work, publish
from clvspark.identity.record_ids import unique_id
from clvspark.identity.resolver import IdentityResolver
from clvspark.identity.review.decisions import (
    hash_decisions,
    keep_known,
    list_bonds,
    refuse_contradictions,
)
from clvspark.identity.tables import (
    DECISION,
    EVIDENCE,
    MODEL,
    PAIR,
    PERSON,
    PERSON_LINK,
    RESOLVED,
    TERM_FREQUENCY,
    current_links,
    evidence_table,
)
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.compare import BROADCAST_ROWS
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.side_by_side import all_of, by_key
from clvspark.lakehouse.texts import hash_columns
from clvspark.lakehouse.tracking import open_tracker
from clvspark.sources.tables import CUSTOMER_RECORD

STAGE = "resolve"


def run(lake: Lakehouse, config: IdentityConfig, as_of: date) -> RunReport:
    """Bring identity.* up to the customer records and decisions; only what a change can reach is computed.

    A champion model, once trained, links until other settings or `retrain`. Everything is computed anew where
    settings, model or code have changed, and after an erasure.
    """
    reads = (CUSTOMER_RECORD, DECISION)
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=RESOLVED) as run:
        if not run.is_current:
            _resolve(Work(run, lake, config, as_of))
    return run.report


def _resolve(work: Work) -> None:
    lake, settings = work.lake, work.settings
    truth = _read_truth(work)
    resolver = IdentityResolver(
        lake.spark, settings, engine=work.config.engine, local_memory=work.config.local_memory
    )
    records = _hash_records(lake.read(CUSTOMER_RECORD))
    decisions = lake.read_or_empty(DECISION)
    bonds = list_bonds(decisions)
    decided = None if bonds is None else hash_decisions(bonds).localCheckpoint(eager=False)
    if bonds is not None:
        bonds = keep_known(bonds, records)
        refuse_contradictions(bonds, decisions)
    model = None
    if settings.compared and not work.config.retrain:
        model = find_champion(lake.read_or_empty(MODEL), work.config)
    work.run.step("what has changed")
    stored = None
    if not lake.log.force and (model is not None or not settings.compared):
        stored = _read_stored(work, basis(model, work.config))
    if stored is None:
        before = lake.read_or_empty(EVIDENCE).select("basis").first()
        other = before is not None and before["basis"] != basis(model, work.config)
        cause = "model" if other else "records"
        renewal = renew_everything(records, decided, settings, cause=cause)
    else:
        written = _list_written(work)
        renewal = renew_evidence(records, stored, decided, bonds, settings, written=written)
    if settings.compared and model is None:
        model = _train(work, resolver, renewal)
    frequencies = None if model is None else lake.read(TERM_FREQUENCY)
    known = Knowledge(model, frequencies, bonds)
    work.run.step("linking and clustering")
    if stored is None or renewal.everything:
        update = resolve_everything(resolver, renewal, known)
    else:
        update = resolve_changes(resolver, renewal, known, lake.read(PAIR))
    publish(work, records, renewal, update, known)
    _measure(work, update, truth)
    resolver.engine.release()


def _hash_records(records: DataFrame) -> DataFrame:
    """Customer records with ``unique_id`` and ``record_hash``; maps, which nothing here reads, are left out."""
    hashed = [F.col(column.name) for column in CUSTOMER_RECORD.columns if "map" not in column.type]
    return records.withColumns({"unique_id": unique_id(), "record_hash": hash_columns(hashed)})


def _read_truth(work: Work) -> DataFrame | None:
    """``unique_id, true_id`` where the truth is configured; MissingInputError if it is not there."""
    path = work.config.truth
    if path is None:
        return None
    if not Path(path).exists():
        raise MissingInputError(
            f"identity.truth: {path} does not exist; simulate again or drop the key."
        )
    known = work.lake.spark.read.parquet(path)
    return known.select(unique_id(), F.col("person_key").alias("true_id"))


def _read_stored(work: Work, based_on: str) -> DataFrame | None:
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


def _list_written(work: Work) -> DataFrame | None:
    """``unique_id`` of the records that were written since the evidence, by their change feed.

    None where it does not tell, or tells of so many that all are compared, and where code or configuration were
    other ones: a record may then be told by other columns.
    """
    lake, last = work.lake, work.lake.log.newest_success(STAGE)
    if last is None or last.basis != work.run.basis:
        return None
    if last.output_versions.get(EVIDENCE.name) != lake.log.version(EVIDENCE):
        return None
    feed = lake.changes(CUSTOMER_RECORD, since=last.input_versions.get(CUSTOMER_RECORD.name))
    if feed is None or feed.count() > BROADCAST_ROWS:
        return None
    return feed.select(unique_id())


def _train(work: Work, resolver: IdentityResolver, renewal: Renewal) -> IdentityModel:
    """Train on all records, freeze the term frequencies with the model."""
    run, lake, config = work.run, work.lake, work.config
    run.step("training the linkage model")
    evidence = blank_shared(renewal.renewed, work.settings)
    with ThreadPoolExecutor(1) as beside:  # as importing MLflow takes seconds
        opening = beside.submit(
            open_tracker, config.mlflow_uri, config.experiment, lake.storage.local_root
        )
        model = resolver.train(evidence)
        tracker = opening.result()
    run.step("registering the model")
    version, _ = all_of(
        lambda: register_model(tracker, model, as_of=work.as_of),
        lambda: run.overwrite(TERM_FREQUENCY, count_term_frequencies(evidence, model)),
    )
    models = crown(
        lake.read_or_empty(MODEL),
        model,
        config,
        trained_on=work.as_of,
        registry_version=version,
    )
    run.overwrite(MODEL, models.localCheckpoint(eager=False))
    # Last, so that the alias names no model that the table does not have.
    tracker.crown(NAME, version)
    return model


def _measure(work: Work, update: Update, truth: DataFrame | None) -> None:
    run, lake = work.run, work.lake
    counted = {
        "records": lake.read(EVIDENCE),
        "persons": lake.read(PERSON),
        "records_reached": update.evidence,
    }
    counts, quality = all_of(
        lambda: by_key(lambda name: counted[name].count(), counted), lambda: _evaluate(lake, truth)
    )
    for name, count in counts.items():
        run.metric(name, count)
    if quality is not None:
        run.metric("pairwise_precision", quality.precision)
        run.metric("pairwise_recall", quality.recall)
        run.metric("pairwise_f1", quality.f1)
        run.metric("largest_person", quality.largest_cluster)
        run.metric("largest_true_person", quality.largest_true_cluster)


def _evaluate(lake: Lakehouse, truth: DataFrame | None) -> PairwiseQuality | None:
    """Quality of the persons where the truth is known."""
    if truth is None:
        return None
    current = current_links(lake.read(PERSON_LINK))
    return evaluate_clusters(current.select(unique_id(), "person_id"), truth)
