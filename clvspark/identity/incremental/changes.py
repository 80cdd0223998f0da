"""What has changed since the last run: records by their hash, decisions, identifiers that became shared or stopped.

A record is compared by its standardised columns, less the identifiers that are shared, and by what people decided
about it. `renew_evidence` finds the records for which this is not what it was; all others are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.cleaning.shared_identifiers import (
    bounded_attributes,
    count_identifiers,
    list_identifiers,
    mark_shared,
)
from clvspark.identity.cleaning.standardise import standardise_records
from clvspark.identity.incremental.neighbours import find_neighbours, widen
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.subsets import rows_among, rows_beside
from clvspark.lakehouse.texts import hash_columns

# Beyond this share of changed records it is cheaper to take all for changed.
EVERYTHING_SHARE = 0.3


@dataclass(frozen=True)
class Renewal:
    """Evidence of a run beside that of the last one.

    All rows have the columns of identity.evidence that linking reads: unique_id, shared, record_hash, decision_hash,
    evidence_hash and those of the settings, shared identifiers not blanked. Those that are stored have component and
    is_divided, too.

    Parameters
    ----------
    renewed : records that are new or changed, and those of which an identifier became shared or stopped;
        ``is_touched`` says whether they are compared by anything else than before.
    kept : all other records, as they are stored; None where everything is renewed.
    around : those of `kept` with something in common with `renewed` or `before`, see `find_neighbours`; None where
        everything is renewed.
    before : what the records of `renewed` and those that are gone were; None where everything is renewed.
    gone : ``unique_id`` of records that are no more.
    causes : ``unique_id, cause`` of all that changed, see `ledger.CAUSES`.
    identifiers : ``kind, value, distinct_names, records, is_shared`` of every identifier that a changed record has
        or had; None where no identifier has a bound.
    """

    renewed: DataFrame
    kept: DataFrame | None
    around: DataFrame | None
    before: DataFrame | None
    gone: DataFrame
    causes: DataFrame
    identifiers: DataFrame | None

    @property
    def everything(self) -> bool:
        """Whether all records are taken for changed."""
        return self.kept is None


def find_changes(
    records: DataFrame, stored: DataFrame, decided: DataFrame | None, written: DataFrame | None
) -> DataFrame:
    """``unique_id, is_gone, cause`` of every record that is new, changed, gone, or decided about anew.

    In: records: ``unique_id, record_hash``; stored: identity.evidence; decided: see `decisions.hash_decisions`;
    written: ``unique_id`` of all records that were written since, so that no other one is looked at; None: unknown.
    """
    known = stored.select(
        "unique_id",
        F.col("record_hash").alias("_record"),
        F.col("decision_hash").alias("_decision"),
    )
    if written is not None:
        looked_at = [written, known.where("_decision IS NOT NULL")]
        if decided is not None:
            looked_at.append(decided)
        ids = reduce(DataFrame.unionByName, (rows.select("unique_id") for rows in looked_at))
        ids = ids.distinct().localCheckpoint(eager=False)
        records, known = rows_among(records, ids), rows_among(known, ids)
    both = _add_decisions(records, decided).join(known, on="unique_id", how="full_outer")
    is_gone = F.col("record_hash").isNull()
    same_record = F.col("record_hash").eqNullSafe(F.col("_record"))
    same_decision = F.col("decision_hash").eqNullSafe(F.col("_decision"))
    cause = F.when(same_record, "decision").otherwise("records")
    return both.where(is_gone | ~same_record | ~same_decision).select(
        "unique_id", is_gone.alias("is_gone"), cause.alias("cause")
    )


def _add_decisions(rows: DataFrame, decided: DataFrame | None) -> DataFrame:
    if decided is None:
        return rows.withColumn("decision_hash", F.lit(None).cast("bigint"))
    return rows.join(F.broadcast(decided), on="unique_id", how="left")


def renew_everything(
    records: DataFrame, decided: DataFrame | None, settings: IdentitySettings, *, cause: str
) -> Renewal:
    """All records anew. In: records with ``unique_id, record_hash`` beside their own columns."""
    fresh = _standardise(records, decided, settings)
    identifiers = None
    if bounded_attributes(settings):
        fresh = fresh.localCheckpoint(eager=False)
        identifiers = count_identifiers(list_identifiers(fresh, settings), settings)
        identifiers = identifiers.where("is_shared").localCheckpoint(eager=False)
        fresh = mark_shared(fresh, identifiers, settings)
    renewed = _hash_evidence(fresh, settings).withColumn("is_touched", F.lit(True))
    renewed = renewed.localCheckpoint(eager=False)
    causes = renewed.select("unique_id", F.lit(cause).alias("cause"))
    nobody = renewed.select("unique_id").limit(0)
    return Renewal(renewed, None, None, None, nobody, causes, identifiers)


def renew_evidence(
    records: DataFrame,
    stored: DataFrame,
    decided: DataFrame | None,
    bonds: DataFrame | None,
    settings: IdentitySettings,
    *,
    written: DataFrame | None = None,
) -> Renewal:
    """Evidence of the records that changed, and of those whose identifiers became shared or stopped to be.

    In: as `find_changes`, with all columns of the records; what people decided. Where too many have changed,
    everything is renewed.
    """
    hashed = records.select("unique_id", "record_hash")
    changes = find_changes(hashed, stored, decided, written).localCheckpoint(eager=False)
    if changes.count() > EVERYTHING_SHARE * stored.count():
        return renew_everything(records, decided, settings, cause="records")
    gone = changes.where("is_gone").select("unique_id")
    changed = rows_among(records, changes.where("NOT is_gone"))
    rest = rows_beside(stored, changes)
    fresh, before = keep_all(
        _standardise(changed, decided, settings), rows_among(stored, changes), eager=False
    )
    now_and_then = fresh.unionByName(before, allowMissingColumns=True)
    around = find_neighbours(rest, now_and_then, bonds, settings).localCheckpoint(eager=False)
    causes = changes.select("unique_id", "cause")
    identifiers = None
    if bounded_attributes(settings):
        identifiers, flipped = _recount(fresh, before, around, settings)
        if not flipped.isEmpty():
            others = rows_among(around, flipped).localCheckpoint(eager=False)
            around = rows_beside(widen(around, rest, others, bonds, settings), flipped)
            fresh = fresh.unionByName(others.select(*fresh.columns))
            before = before.unionByName(others).localCheckpoint(eager=False)
            causes = causes.unionByName(flipped.withColumn("cause", F.lit("records")))
        fresh = mark_shared(fresh, identifiers, settings)
    hashed = _hash_evidence(fresh, settings)
    was = before.select("unique_id", F.col("evidence_hash").alias("_was"))
    is_touched = ~F.col("evidence_hash").eqNullSafe(F.col("_was"))
    renewed = hashed.join(F.broadcast(was), on="unique_id", how="left")
    renewed = renewed.withColumn("is_touched", is_touched).drop("_was")
    renewed, causes = keep_all(renewed, causes, eager=False)
    kept = rows_beside(stored, causes)
    return Renewal(renewed, kept, around, before, gone, causes, identifiers)


def _standardise(
    records: DataFrame, decided: DataFrame | None, settings: IdentitySettings
) -> DataFrame:
    """Standardised records with ``record_hash``, ``decision_hash`` and nothing ``shared`` yet."""
    standard = standardise_records(records, settings, keep=("record_hash",))
    shared = standard.withColumn("shared", F.array().cast("array<string>"))
    return _add_decisions(shared, decided)


def _recount(
    fresh: DataFrame, before: DataFrame, around: DataFrame, settings: IdentitySettings
) -> tuple[DataFrame, DataFrame]:
    """Counted identifiers that changed records have or had, and ``unique_id`` of others whose verdict flips."""
    now = list_identifiers(fresh, settings)
    then = list_identifiers(before, settings)
    touched = now.unionByName(then).select("kind", "value").distinct().localCheckpoint(eager=False)
    carriers = list_identifiers(around, settings, "shared")
    carriers = rows_among(carriers, touched, "kind", "value").localCheckpoint(eager=False)
    counted = count_identifiers(now.unionByName(carriers.select(*now.columns)), settings)
    counted = touched.join(counted, on=["kind", "value"], how="left").select(
        "kind",
        "value",
        F.coalesce("distinct_names", F.lit(0)).alias("distinct_names"),
        F.coalesce("records", F.lit(0)).alias("records"),
        F.coalesce("is_shared", F.lit(False)).alias("is_shared"),
    )
    counted = counted.localCheckpoint(eager=False)
    verdicts = F.broadcast(counted.select("kind", "value", "is_shared"))
    flips = F.col("is_shared") != F.array_contains("shared", F.col("kind"))
    flipped = carriers.join(verdicts, on=["kind", "value"], how="inner").where(flips)
    return counted, flipped.select("unique_id").distinct().localCheckpoint(eager=False)


def _hash_evidence(rows: DataFrame, settings: IdentitySettings) -> DataFrame:
    """Add ``evidence_hash``: of all that the record is compared by."""
    # What is shared belongs to it: with the values themselves it says what is blanked.
    names = [*settings.columns, "shared", "decision_hash"]
    return rows.withColumn("evidence_hash", hash_columns([F.col(f"`{name}`") for name in names]))
