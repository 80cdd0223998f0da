"""What people decided about pairs of records: it goes before the model, and survives retraining."""

from __future__ import annotations

from collections.abc import Sequence

import igraph
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.tables import DECISION
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.subsets import rows_among

Pair = tuple[str, str]
_PAIR = ["unique_id_l", "unique_id_r"]
_SHOWN = 3


def list_bonds(decisions: DataFrame) -> DataFrame | None:
    """``unique_id_l, unique_id_r, bond`` (1: same, -1: different) of identity.decision; None where nobody decided."""
    if not decisions.limit(1).count():
        return None
    bond = F.when(F.col("verdict") == "same", 1).otherwise(-1).cast("tinyint")
    return decisions.select(*_PAIR, bond.alias("bond"))


def keep_known(bonds: DataFrame, records: DataFrame) -> DataFrame:
    """Bonds of which both records exist: a decision about a record that is gone waits for its return."""
    bonds = bonds.localCheckpoint(eager=False)
    named = bonds.select(F.explode(F.array(*_PAIR)).alias("unique_id"))
    known = rows_among(records.select("unique_id"), named.distinct()).localCheckpoint(eager=False)
    for end in _PAIR:
        bonds = rows_among(bonds, known.withColumnRenamed("unique_id", end), end)
    return bonds.select(*_PAIR, "bond").localCheckpoint(eager=False)


def find_contradictions(same: Sequence[Pair], different: Sequence[Pair]) -> list[Pair]:
    """The pairs of `different` that `same` makes one person, sorted: same is passed on, different is not."""
    names = sorted({name for pair in (*same, *different) for name in pair})
    number = {name: n for n, name in enumerate(names)}
    edges = [(number[left], number[right]) for left, right in same]
    person = igraph.Graph(n=len(names), edges=edges).connected_components().membership
    return sorted((a, b) for a, b in different if person[number[a]] == person[number[b]])


def refuse_contradictions(bonds: DataFrame, decisions: DataFrame) -> None:
    """ContractError if two records are one person by some decisions and two persons by another.

    In: bonds, as many as people can decide, which are collected; identity.decision, of which the message tells when
    it was decided instead of ids, which may tell who somebody is.
    """
    rows = [tuple(row) for row in bonds.select(*_PAIR, "bond").collect()]
    same, different = ([(a, b) for a, b, bond in rows if bond == sign] for sign in (1, -1))
    broken = find_contradictions(same, different)
    if broken:
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise ContractError(
            f"{DECISION.name}: {len(broken)} decisions say that two records are different, while others together "
            f"say that they are the same person: those of decided_at {', '.join(_moments(decisions, broken))} (UTC)"
            f"{more}. Take back one of the decisions of each. Nothing was written."
        )


def _moments(decisions: DataFrame, pairs: Sequence[Pair]) -> list[str]:
    """When the first few of these pairs were decided about."""
    sought = decisions.sparkSession.createDataFrame(
        list(pairs[:_SHOWN]), f"{' string, '.join(_PAIR)} string"
    )
    found = decisions.join(sought, on=_PAIR, how="left_semi").orderBy(*_PAIR)
    return [row[0] for row in found.select(F.col("decided_at").cast("string")).collect()]


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
