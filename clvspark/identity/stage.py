"""Resolve: `sources.customer_record` -> `identity.*`."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.config import IdentityConfig
from clvspark.identity.evaluate import evaluate_clusters
from clvspark.identity.golden_record import build_golden_records
from clvspark.identity.ledger import assign_person_ids, list_changes, update_links
from clvspark.identity.registry import register_model
from clvspark.identity.resolver import IdentityResolver
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.shared_identifiers import (
    blank_shared_identifiers,
    describe_shared_identifiers,
    find_shared_identifiers,
)
from clvspark.identity.standardise import standardise_records
from clvspark.identity.tables import (
    DECISION,
    MODEL,
    PAIR,
    PERSON,
    PERSON_CHANGE,
    PERSON_LINK,
    RESOLVED,
    REVIEW,
    SHARED_IDENTIFIER,
    TERM_FREQUENCY,
)
from clvspark.identity.term_frequency import count_term_frequencies
from clvspark.identity.train import IdentityModel
from clvspark.identity.trusted import trusted_pairs
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.tracking import open_tracker
from clvspark.sources.tables import CUSTOMER_RECORD

STAGE = "resolve"


def run(lake: Lakehouse, config: IdentityConfig, as_of: date) -> RunReport:
    """Bring identity.* up to the customer records. A champion model, once trained, links until `retrain`."""
    reads = (CUSTOMER_RECORD, DECISION)
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=RESOLVED) as run:
        if not run.is_current:
            _resolve(run, lake, config, as_of)
    return run.report


def _resolve(run: Run, lake: Lakehouse, config: IdentityConfig, as_of: date) -> None:
    settings = config.settings
    resolver = IdentityResolver(lake.spark, settings, engine=config.engine)
    records = lake.read(CUSTOMER_RECORD)
    run.step("standardising records")
    standard = standardise_records(records, settings).localCheckpoint()
    shared = find_shared_identifiers(standard, settings)
    if shared is not None:
        shared = shared.localCheckpoint()
    evidence = standard if shared is None else blank_shared_identifiers(standard, shared)
    evidence = evidence.localCheckpoint()
    model = _champion(run, lake, config, resolver, evidence, as_of)
    run.step("linking and clustering")
    resolved = resolver.resolve(
        evidence,
        model,
        frequencies=None if model is None else lake.read(TERM_FREQUENCY),
        decisions=_decisions(lake),
    )
    run.overwrite(PAIR, resolved.pairs.select(*PAIR.names))
    clusters = resolved.persons.localCheckpoint()
    links = _publish_links(run, lake, settings, evidence, clusters, as_of)
    run.overwrite_all(
        {
            PERSON: build_golden_records(
                records, _contacts(standard, settings), links, config.survivorship
            ),
            SHARED_IDENTIFIER: _shared_rows(lake, shared),
            REVIEW: _reviews(resolver, evidence, clusters, model),
        }
    )
    _measure(run, lake, config, links)
    resolver.engine.release()


def _decisions(lake: Lakehouse) -> DataFrame | None:
    """``unique_id_l, unique_id_r, bond`` of what people decided; None where nobody did."""
    decided = lake.read_or_empty(DECISION)
    if not decided.limit(1).count():
        return None
    bond = F.when(F.col("verdict") == "same", 1).otherwise(-1).cast("tinyint")
    return decided.select("unique_id_l", "unique_id_r", bond.alias("bond"))


def _champion(
    run: Run,
    lake: Lakehouse,
    config: IdentityConfig,
    resolver: IdentityResolver,
    evidence: DataFrame,
    as_of: date,
) -> IdentityModel | None:
    """The champion of identity.model; trained now if there is none for these settings, or on demand."""
    if not config.settings.compared:
        run.overwrite(MODEL, lake.spark.createDataFrame([], MODEL.schema))
        return None
    if lake.exists(MODEL) and not config.retrain:
        fitting = F.col("is_champion") & (F.col("trained_for") == _purpose(config))
        row = lake.read(MODEL).where(fitting).first()
        if row is not None:
            return IdentityModel(json.loads(row["settings"]), row["records_sampled"])
    run.step("training the linkage model")
    model = resolver.train(evidence)
    run.step("registering the model")
    with open_tracker(config.mlflow_uri, config.experiment, lake.storage.local_root) as tracker:
        version = register_model(tracker, model, as_of=as_of)
    trained = {
        "model_id": model.model_id,
        "trained_on": as_of,
        "records_sampled": model.records_sampled,
        "trained_for": _purpose(config),
        "settings": json.dumps(model.settings),
        "report": json.dumps(model.report.to_dict()) if model.report else None,
        "registry_version": version,
        "is_champion": True,
    }
    retired = (
        lake.read_or_empty(MODEL)
        .where(F.col("model_id") != model.model_id)
        .withColumn("is_champion", F.lit(False))
    )
    new = lake.spark.createDataFrame([tuple(trained[name] for name in MODEL.names)], MODEL.schema)
    run.overwrite(TERM_FREQUENCY, count_term_frequencies(evidence, model))
    run.overwrite(MODEL, retired.unionByName(new).localCheckpoint())
    return model


def _purpose(config: IdentityConfig) -> str:
    """Digest of what the model depends on: attributes and training, not thresholds."""
    parts = config.settings.model_dump_json(include={"attributes", "training", "country"})
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def _publish_links(
    run: Run,
    lake: Lakehouse,
    settings: IdentitySettings,
    evidence: DataFrame,
    clusters: DataFrame,
    as_of: date,
) -> DataFrame:
    """Write person ids to the ledger; return the current links with ``unique_id`` and ``person_id``."""
    before = lake.read_or_empty(PERSON_LINK).localCheckpoint()
    newest = before.agg(F.max("valid_from")).first()[0]  # type: ignore[index]
    changed_on = max(as_of, newest) if newest else as_of
    unique_id = F.concat_ws(":", "source_system", "source_record_id").alias("unique_id")
    current = before.where("valid_to IS NULL").select(unique_id, "person_id", "valid_from")
    named = clusters.select("unique_id", F.col("person_id").alias("cluster"))
    assigned = assign_person_ids(named, current, changed_on=changed_on).localCheckpoint()
    evidence_of = _strongest_links(lake.read(PAIR), trusted_pairs(evidence, settings), assigned)
    described = assigned.join(evidence_of, on="unique_id", how="left").select(
        F.substring_index("unique_id", ":", 1).alias("source_system"),
        F.expr("substring(unique_id, instr(unique_id, ':') + 1)").alias("source_record_id"),
        "person_id",
        F.coalesce("reason", F.lit("single")).alias("reason"),
        F.coalesce("probability", F.lit(1.0)).alias("probability"),
    )
    run.overwrite(PERSON_LINK, update_links(before, described, changed_on=changed_on))
    run.merge(PERSON_CHANGE, list_changes(assigned, current, changed_on=changed_on))
    return assigned


def _strongest_links(pairs: DataFrame, trusted: DataFrame | None, assigned: DataFrame) -> DataFrame:
    """Reason and probability of the best link of each record to another record of its person."""
    scored = pairs.select(
        "unique_id_l", "unique_id_r", "match_probability", F.lit("match").alias("reason")
    )
    if trusted is not None:
        sure = F.lit("trusted_identifier").alias("reason")
        scored = scored.unionByName(
            trusted.select(
                "unique_id_l", "unique_id_r", F.lit(1.0).alias("match_probability"), sure
            )
        )
    person = assigned.select("unique_id", "person_id")
    left = person.select(F.col("unique_id").alias("unique_id_l"), F.col("person_id").alias("_l"))
    right = person.select(F.col("unique_id").alias("unique_id_r"), F.col("person_id").alias("_r"))
    held = scored.join(left, on="unique_id_l").join(right, on="unique_id_r").where("_l = _r")
    ends = F.explode(F.array("unique_id_l", "unique_id_r")).alias("unique_id")
    best = F.max(F.struct(F.col("match_probability").alias("probability"), "reason")).alias("best")
    return (
        held.select(ends, "match_probability", "reason")
        .groupBy("unique_id")
        .agg(best)
        .select("unique_id", "best.*")
    )


def _reviews(
    resolver: IdentityResolver,
    evidence: DataFrame,
    clusters: DataFrame,
    model: IdentityModel | None,
) -> DataFrame:
    """What the guards did, as identity.review."""
    cut = (
        clusters.where("raised_cut")
        .agg(F.count(F.lit(1)).cast("int").alias("records"))
        .where("records > 0")
    )
    limit = resolver.settings.max_person_records
    detail = f"records of groups beyond {limit} records, taken apart by a higher cut"
    parts = [
        cut.select(
            F.lit("oversized_component").alias("review_id"),
            F.lit("oversized_component").alias("guard"),
            "records",
            F.lit(detail).alias("detail"),
        )
    ]
    if model is not None:
        hot = resolver.hot_blocks(evidence)
        text = f"block with more than {resolver.settings.max_block_records} records, not compared"
        parts.append(
            hot.select(
                F.concat(F.lit("block:"), F.hex("key")).alias("review_id"),
                F.lit("hot_block").alias("guard"),
                F.col("records").cast("int").alias("records"),
                F.lit(text).alias("detail"),
            )
        )
    return reduce(DataFrame.unionByName, parts).select(*REVIEW.names)


def _contacts(standard: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Standardised e-mail and phone, NULL where the settings do not have them."""
    column = {attribute.kind: attribute.column for attribute in settings.attributes}
    found = [
        (F.col(column[kind]) if kind in column else F.lit(None).cast("string")).alias(kind)
        for kind in ("email", "phone")
    ]
    return standard.select("unique_id", *found)


def _shared_rows(lake: Lakehouse, shared: DataFrame | None) -> DataFrame:
    if shared is None:
        return lake.spark.createDataFrame([], SHARED_IDENTIFIER.schema)
    return describe_shared_identifiers(shared)


def _measure(run: Run, lake: Lakehouse, config: IdentityConfig, links: DataFrame) -> None:
    counts = links.agg(F.count(F.lit(1)), F.count_distinct("person_id")).first()
    run.metric("records", counts[0])  # type: ignore[index]
    run.metric("persons", counts[1])  # type: ignore[index]
    if config.truth is None:
        return
    if not Path(config.truth).exists():
        raise MissingInputError(
            f"identity.truth: {config.truth} does not exist; simulate again or drop the key."
        )
    truth = lake.spark.read.parquet(config.truth).select(
        F.concat_ws(":", "source_system", "source_record_id").alias("unique_id"),
        F.col("person_key").alias("true_id"),
    )
    quality = evaluate_clusters(links.select("unique_id", "person_id"), truth)
    run.metric("pairwise_precision", quality.precision)
    run.metric("pairwise_recall", quality.recall)
    run.metric("pairwise_f1", quality.f1)
    run.metric("largest_person", quality.largest_cluster)
    run.metric("largest_true_person", quality.largest_true_cluster)
