"""Profiles become memberships."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.conditions import (
    compile_audience,
    group_column,
    midnight,
    was_member,
)
from clvspark.audiences.compile.names import member_column
from clvspark.audiences.rules import AudienceDefinition, Similar
from clvspark.audiences.similar import mark_similar
from clvspark.lakehouse.elements import known_elements


def evaluate_audiences(
    profiles: DataFrame,
    definitions: Sequence[AudienceDefinition],
    *,
    as_of: date,
    resting: Collection[str] = (),
) -> DataFrame:
    """Members of each audience.

    In: `build_profiles`; definitions in an order in which each follows those it builds on; the ids of those whose
    turn it is not, whose members stay. Out: ``audience_id, version, person_id``, one row a member.
    """
    marked = mark_members(profiles, definitions, as_of=as_of, resting=resting)
    return list_members(marked, definitions)


def mark_members(
    profiles: DataFrame,
    definitions: Sequence[AudienceDefinition],
    *,
    as_of: date,
    resting: Collection[str] = (),
) -> DataFrame:
    """Profiles with a boolean column for each audience, by `member_column`.

    Audiences that build on none of the others are one step, those that build on these the next one: the plan is as
    deep as audiences are nested, not as many as there are. Who is similar to an audience is learnt once its members are
    known, which runs Spark jobs.
    """
    for level in list_levels(definitions):
        asked = [c for d in level if d.id not in resting for c in d.conditions]
        for rule in {group_column(c): c for c in asked if isinstance(c, Similar)}.values():
            profiles = mark_similar(profiles, rule)
        columns: dict[str, Column] = {
            member_column(d.id): was_member(d.id)
            if d.id in resting
            else compile_audience(d, end=midnight(as_of))
            for d in level
        }
        profiles = profiles.withColumns(columns)
    return profiles


def list_levels(definitions: Sequence[AudienceDefinition]) -> list[list[AudienceDefinition]]:
    """Definitions by how deep they are nested, in an order in which each follows those it builds on."""
    depth: dict[str, int] = {}
    for definition in definitions:
        below = [depth[name] for name in definition.references if name in depth]
        depth[definition.id] = max(below, default=-1) + 1
    levels: list[list[AudienceDefinition]] = [
        [] for _ in range(max(depth.values(), default=-1) + 1)
    ]
    for definition in definitions:
        levels[depth[definition.id]].append(definition)
    return levels


def list_members(marked: DataFrame, definitions: Sequence[AudienceDefinition]) -> DataFrame:
    """``audience_id, version, person_id`` of all members, by one explosion. In: rows of `mark_members`."""
    numbers = [
        F.when(F.col(member_column(d.id)), F.lit(n)) for n, d in enumerate(definitions, start=1)
    ]
    inside = known_elements(F.array(F.lit(None).cast("int"), *numbers), "int")
    members = marked.select("person_id", F.explode(inside).alias("_number"))
    ids = F.array(*(F.lit(d.id) for d in definitions)).cast("array<string>")
    versions = F.array(*(F.lit(d.version) for d in definitions)).cast("array<int>")
    return members.select(
        F.element_at(ids, F.col("_number")).alias("audience_id"),
        F.element_at(versions, F.col("_number")).alias("version"),
        "person_id",
    )
