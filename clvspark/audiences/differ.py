"""What a definition would change: against the members that are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.names import member_column
from clvspark.audiences.dry_run import mark_profiles
from clvspark.audiences.rules import AudienceDefinition
from clvspark.audiences.tables import MEMBERSHIP, members_of_today
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse
from clvspark.privacy.consent import CHANNELS

_GROUPS = ("now", "entries", "exits", "then")


@dataclass(frozen=True)
class Part:
    """Some members: how many, what they are worth together, and how many of them each channel reaches."""

    persons: int
    clv: float
    contactable: dict[str, int]


@dataclass(frozen=True)
class Difference:
    """Members as published (`now`) and as the definition has them (`then`), and who would come and go."""

    audience_id: str
    version: int
    now: Part
    entries: Part
    exits: Part
    then: Part


def diff_audiences(
    lake: Lakehouse,
    definitions: Sequence[AudienceDefinition],
    names: Sequence[str],
    *,
    as_of: date,
) -> list[Difference]:
    """Differences of the audiences named; nothing is written."""
    marked = mark_profiles(lake, definitions, as_of=as_of)
    realized = lake.read_or_empty(MEMBERSHIP).where("status = 'realized'")
    published = members_of_today(
        realized.select("audience_id", "person_id"), lake.read_or_empty(ALIAS)
    )
    rows = compare_members(marked, published, names).collect()
    versions = {d.id: d.version for d in definitions}
    found = {(row["audience_id"], row["part"]): row for row in rows}

    def part(name: str, group: str) -> Part:
        row = found.get((name, group))
        reach = {c: int(row[f"contactable_{c}"]) if row else 0 for c in CHANNELS}
        return (
            Part(int(row["persons"]), float(row["clv"] or 0), reach) if row else Part(0, 0.0, reach)
        )

    return [Difference(n, versions[n], *(part(n, group) for group in _GROUPS)) for n in names]


def compare_members(marked: DataFrame, published: DataFrame, names: Sequence[str]) -> DataFrame:
    """Counts, value and reach by ``audience_id`` and ``part``: now, then, entries, exits.

    In: profiles with a column for each audience; ``audience_id, person_id`` as published.
    """
    lists = F.collect_set("audience_id").alias("_published")
    was = published.where(F.col("audience_id").isin(*names)).groupBy("person_id").agg(lists)
    both = marked.join(was, on="person_id", how="left")
    moves = []
    for name in names:
        inside = F.col(member_column(name))
        before = F.coalesce(F.array_contains("_published", name), F.lit(False))
        parts = {
            "now": before,
            "then": inside,
            "entries": inside & ~before,
            "exits": before & ~inside,
        }
        moves += [
            F.when(holds, F.struct(F.lit(name).alias("audience_id"), F.lit(part).alias("part")))
            for part, holds in parts.items()
        ]
    reach = [f"reach_{channel}" for channel in CHANNELS]
    each = both.select("clv", *reach, F.explode(F.array(*moves)).alias("_move"))
    return (
        each.where("_move IS NOT NULL")
        .groupBy("_move.audience_id", "_move.part")
        .agg(
            F.count(F.lit(1)).alias("persons"),
            F.sum("clv").alias("clv"),
            *(F.count_if(f"reach_{c}").alias(f"contactable_{c}") for c in CHANNELS),
        )
    )
