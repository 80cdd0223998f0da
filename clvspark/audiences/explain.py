"""Why a person is in an audience, or is not: condition by condition, as of a date and a version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.audiences import rules
from clvspark.audiences.compile.conditions import (
    bucket_of,
    compile_rule,
    group_column,
    midnight,
    was_member,
)
from clvspark.audiences.compile.measures import (
    event_column,
    occurrence_columns,
    statistic_columns,
)
from clvspark.audiences.compile.names import member_column, metric_column
from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.dry_run import mark_profiles
from clvspark.audiences.rules import AudienceDefinition, Condition, Group, Leaf, Rule, Similar
from clvspark.audiences.tables import DEFINITION
from clvspark.identity.tables import ALIAS
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError


@dataclass(frozen=True)
class Verdict:
    """One line of an explanation: a part of the rule, whether it holds, and what was found.

    Parameters
    ----------
    depth : how deep it stands in the rule.
    observed : what the condition was compared with; None of a group, or where nothing is known.
    """

    depth: int
    says: str
    holds: bool
    observed: str | None = None


@dataclass(frozen=True)
class Explanation:
    """Whether a person is in an audience, and the verdict on each part of its rule in reading order."""

    audience_id: str
    version: int
    person_id: str
    as_of: date
    is_member: bool
    verdicts: list[Verdict]


def explain_membership(
    lake: Lakehouse,
    config: AudiencesConfig,
    audience_id: str,
    person_id: str,
    *,
    as_of: date,
    version: int | None = None,
) -> Explanation:
    """Explain one membership; `version` None is what is configured, else what was evaluated as that version.

    A retired id is explained as the person who absorbed it. Raises ConfigError for an unknown audience or version,
    MissingInputError for an unknown person.
    """
    definition = find_definition(lake, config, audience_id, version)
    chosen = _with_references(lake, config, definition)
    heirs = lake.read_or_empty(ALIAS).where(F.col("retired_id") == person_id).collect()
    person = heirs[0]["person_id"] if heirs else person_id
    # Who is similar to others can be told only from all of them.
    alone = not any(isinstance(c, Similar) for d in chosen for c in d.conditions)
    who = F.col("person_id") == person
    marked = mark_profiles(lake, chosen, as_of=as_of, who=who if alone else None)
    nodes = list(_list_nodes(definition))
    end = midnight(as_of)
    columns = [F.col(member_column(definition.id)).alias("is_member")]
    for n, node in enumerate(nodes):
        holds = was_member(definition.id) if node.rule is None else compile_rule(node.rule, end=end)
        columns.append(holds.alias(f"holds_{n}"))
        columns.append(_observe(node.rule).alias(f"observed_{n}"))
    rows = marked.where(who).select(*columns).collect()
    if not rows:
        raise MissingInputError(f"There is no person {person_id!r} in identity.person.")
    row = rows[0]
    verdicts = [
        Verdict(node.depth, node.says, row[f"holds_{n}"], row[f"observed_{n}"])
        for n, node in enumerate(nodes)
    ]
    return Explanation(definition.id, definition.version, person, as_of, row["is_member"], verdicts)


def find_definition(
    lake: Lakehouse, config: AudiencesConfig, audience_id: str, version: int | None
) -> AudienceDefinition:
    """The definition as configured, or as it was evaluated under a version; ConfigError if there is none."""
    configured = {definition.id: definition for definition in config.definitions}
    found = configured.get(audience_id)
    if found is not None and version in {None, found.version}:
        return found
    rows = (
        lake.read_or_empty(DEFINITION)
        .where(F.col("audience_id") == audience_id)
        .select("version", "rule")
    )
    kept = {row[0]: row[1] for row in rows.collect()}
    wanted = max(kept, default=None) if version is None else version
    if wanted not in kept:
        versions = sorted(kept.keys() | ({found.version} if found else set()))
        there = (
            f"versions {', '.join(map(str, versions))}" if versions else "no audience of that id"
        )
        raise ConfigError(
            "audiences explain",
            [f"there is no {audience_id} in version {version}; there is {there}"],
        )
    return AudienceDefinition.model_validate(json.loads(kept[wanted]))


def _with_references(
    lake: Lakehouse, config: AudiencesConfig, definition: AudienceDefinition
) -> list[AudienceDefinition]:
    """The definition after all it builds on; these as configured, else as evaluated last."""
    found: dict[str, AudienceDefinition] = {}

    def add(one: AudienceDefinition) -> None:
        for name in sorted(one.references - found.keys()):
            add(find_definition(lake, config, name, None))
        found[one.id] = one

    add(definition)
    return list(found.values())


@dataclass(frozen=True)
class _Node:
    depth: int
    says: str
    rule: Rule | None


def _list_nodes(definition: AudienceDefinition) -> Iterator[_Node]:
    for part in ("include", "stay", "exclude"):
        rule = getattr(definition, part)
        if rule is not None:
            if part == "stay":
                yield _Node(0, "was a member the day before", None)
            yield from _walk(rule, 0, f"{part}: ")


def _walk(rule: Rule, depth: int, prefix: str = "") -> Iterator[_Node]:
    if isinstance(rule, Leaf):
        yield _Node(depth, prefix + describe_leaf(rule), rule)
        return
    yield _Node(depth, f"{prefix}{_GROUPS[rule.key]}", rule)
    for member in rule.members:
        yield from _walk(member, depth + 1)


_GROUPS = {"all": "all of", "any": "any of", "none": "none of"}


def describe_leaf(leaf: Leaf) -> str:
    """A condition in one line, as its YAML says it."""
    told = leaf.condition.model_dump(mode="json", exclude_defaults=True)
    parts = (f"{key} {_plain(value)}" for key, value in told.items())
    return f"{leaf.key}: {', '.join(parts)}"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_plain(part)}" for key, part in value.items()) + "}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _observe(rule: Rule | None) -> Column:
    """What a condition is compared with, as text."""
    if rule is None or isinstance(rule, Group):
        return F.lit(None).cast("string")
    condition = rule.condition
    observed = _OBSERVED.get(type(condition))
    if observed is not None:
        return observed(condition).cast("string")
    # An attribute.
    return F.col(getattr(condition, "name", "person_id")).cast("string")


def _statistic(rule: rules.Aggregate) -> Column:
    columns = statistic_columns(rule)
    if rule.by != "average":
        return F.col(columns[rule.by])
    return F.round(F.try_divide(F.col(columns["sum"]).cast("double"), F.col(columns["count"])), 4)


def _is_in(rule: rules.Listed | rules.Saved | rules.Similar) -> Column:
    return F.when(F.coalesce(group_column(rule), F.lit(False)), "on it").otherwise("not on it")


_OBSERVED: dict[type[Condition], Callable[[Any], Column]] = {
    rules.Decile: lambda rule: F.col(metric_column(rule.ranked_as)),
    rules.Value: lambda rule: F.round(F.col(rule.name), 4),
    rules.Stage: lambda _: F.col("lifecycle_stage"),
    rules.Consent: lambda rule: F.coalesce(
        f"{'reach' if rule.contactable else 'consent'}_{rule.channel}", F.lit(False)
    ),
    rules.Survey: lambda _: F.concat_ws(
        ", ",
        F.concat(F.lit("score "), "survey_score"),
        F.concat("survey_days_ago", F.lit(" days ago")),
    ),
    rules.Event: lambda rule: F.col(event_column(rule)),
    rules.Aggregate: _statistic,
    rules.First: lambda rule: F.col(occurrence_columns(rule)[0]),
    rules.Last: lambda rule: F.col(occurrence_columns(rule)[0]),
    rules.Sequence: lambda _: F.lit(None),
    rules.InAudience: lambda rule: F.col(member_column(rule.id)),
    rules.Bucket: lambda rule: F.concat(bucket_of(rule.salt) / 100, F.lit(" %")),
    rules.Listed: _is_in,
    rules.Saved: _is_in,
    rules.Similar: _is_in,
}
