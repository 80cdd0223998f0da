"""Records that a change may touch or meet: what of the stored evidence has something in common with the changed one.

One look at all records finds them, with two joins to what is sent to every core; all that follows is of their size.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.candidates import block_keys
from clvspark.identity.cleaning.shared_identifiers import bounded_attributes
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.subsets import rows_among, rows_beside


def find_neighbours(
    stored: DataFrame, rows: DataFrame, bonds: DataFrame | None, settings: IdentitySettings
) -> DataFrame:
    """Rows of `stored` with a block, an identifier or a decision in common with one of `rows`.

    In: evidence; ``unique_id_l, unique_id_r, bond`` that people decided. Rather too many: whether an identifier is
    shared is not asked, so that also those are found for which a change decides that.
    """
    ties = list_ties(rows, settings).select("tie").distinct()
    near = rows_among(list_ties(stored, settings), ties, "tie").select("unique_id")
    if bonds is not None:
        near = near.unionByName(ends_of(pairs_with_an_end(bonds, rows)))
    return rows_among(stored, near.distinct())


def widen(
    around: DataFrame,
    stored: DataFrame,
    rows: DataFrame,
    bonds: DataFrame | None,
    settings: IdentitySettings,
) -> DataFrame:
    """`around`, and what else of `stored` is a neighbour of `rows`."""
    more = find_neighbours(rows_beside(stored, around), rows, bonds, settings)
    return around.unionByName(more).localCheckpoint(eager=False)


def list_ties(evidence: DataFrame, settings: IdentitySettings) -> DataFrame:
    """What may connect each record with others: ``unique_id, tie``, a hash of a block or of an identifier."""
    names = {a.column for a in bounded_attributes(settings)} | {*settings.trusted_identifiers}
    values = [
        F.when(F.col(name).isNotNull(), F.xxhash64(F.lit(name), name)) for name in sorted(names)
    ]
    ties = F.explode(F.concat(block_keys(settings), F.array(*values).cast("array<bigint>"))).alias(
        "tie"
    )
    return evidence.select("unique_id", ties).where("tie IS NOT NULL")


def pairs_with_an_end(pairs: DataFrame, ids: DataFrame) -> DataFrame:
    """Pairs of which one or both records are among `ids`."""
    known = F.broadcast(ids.select("unique_id").distinct())
    marked = pairs
    for end in ("l", "r"):
        marks = known.select(
            F.col("unique_id").alias(f"unique_id_{end}"), F.lit(True).alias(f"_{end}")
        )
        marked = marked.join(marks, on=f"unique_id_{end}", how="left")
    return marked.where("_l OR _r").select(*pairs.columns)


def pairs_without_end(pairs: DataFrame, ids: DataFrame) -> DataFrame:
    """Pairs of which neither record is among `ids`."""
    rest = pairs
    for end in ("unique_id_l", "unique_id_r"):
        rest = rest.join(
            F.broadcast(ids.select(F.col("unique_id").alias(end))), on=end, how="left_anti"
        )
    return rest.select(*pairs.columns)


def ends_of(pairs: DataFrame) -> DataFrame:
    """``unique_id`` of both records of each pair."""
    return pairs.select(F.explode(F.array("unique_id_l", "unique_id_r")).alias("unique_id"))
