"""What people decided about pairs of records: it goes before the model, and survives retraining."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from clvspark.lakehouse.errors import ContractError

_SHOWN = 3


def list_bonds(decisions: DataFrame) -> DataFrame | None:
    """``unique_id_l, unique_id_r, bond`` (1: same, -1: different) of identity.decision; None where nobody decided."""
    if not decisions.limit(1).count():
        return None
    bond = F.when(F.col("verdict") == "same", 1).otherwise(-1).cast("tinyint")
    return decisions.select("unique_id_l", "unique_id_r", bond.alias("bond"))


def keep_known(bonds: DataFrame, records: DataFrame) -> DataFrame:
    """Bonds of which both records exist: a decision about a record that is gone waits for its return."""
    bonds = bonds.localCheckpoint()
    named = bonds.select(F.explode(F.array("unique_id_l", "unique_id_r")).alias("unique_id"))
    known = records.select("unique_id").join(
        F.broadcast(named.distinct()), on="unique_id", how="left_semi"
    )
    known = known.localCheckpoint()
    for end in ("unique_id_l", "unique_id_r"):
        ends = F.broadcast(known.withColumnRenamed("unique_id", end))
        bonds = bonds.join(ends, on=end, how="left_semi")
    return bonds.select("unique_id_l", "unique_id_r", "bond").localCheckpoint()


def refuse_contradictions(bonds: DataFrame) -> None:
    """ContractError if two records are one person by some decisions and two persons by another.

    In: bonds, as many as people can decide, which are collected.
    """
    rows = bonds.toPandas()
    ends = np.concatenate([rows["unique_id_l"].to_numpy(), rows["unique_id_r"].to_numpy()])
    codes, ids = pd.factorize(ends)
    left, right = codes[: len(rows)], codes[len(rows) :]
    together = rows["bond"].to_numpy() > 0
    ones = np.ones(together.sum(), dtype=np.int8)
    graph = coo_array((ones, (left[together], right[together])), (len(ids), len(ids)))
    _, person = connected_components(graph, directed=False)
    broken = rows[~together & (person[left] == person[right])]
    if len(broken):
        pairs = sorted(zip(broken["unique_id_l"], broken["unique_id_r"], strict=True))
        shown = "; ".join(f"{a} and {b}" for a, b in pairs[:_SHOWN])
        more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        raise ContractError(
            f"identity.decision: {len(pairs)} decisions say that two records are different, while others together "
            f"say that they are the same person: {shown}{more}. Take back one of the decisions of each. Nothing was "
            "written."
        )


def hash_decisions(bonds: DataFrame) -> DataFrame:
    """``unique_id, decision_hash`` of every record that somebody decided about: its decisions in one number."""
    one, two = F.col("unique_id_l"), F.col("unique_id_r")
    sides = F.array(
        F.struct(one.alias("unique_id"), two.alias("other"), "bond"),
        F.struct(two.alias("unique_id"), one.alias("other"), "bond"),
    )
    listed = bonds.select(F.inline(sides))
    decided = F.array_sort(F.collect_list(F.struct("other", "bond")))
    return listed.groupBy("unique_id").agg(F.xxhash64(decided).alias("decision_hash"))
