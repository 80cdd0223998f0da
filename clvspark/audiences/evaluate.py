"""Rules become columns of Spark, profiles become memberships. Rules are compiled from their parsed types only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences import rules
from clvspark.audiences.profile import event_column
from clvspark.audiences.rules import AudienceDefinition, Condition, Leaf, Rule


def evaluate_audiences(profiles: DataFrame, definitions: Sequence[AudienceDefinition]) -> DataFrame:
    """Members of each audience.

    In: `build_profiles`; definitions in an order in which each follows those it builds on. Out:
    ``audience_id, version, person_id``, one row a member.
    """
    for definition in definitions:
        profiles = profiles.withColumn(_member_column(definition.id), compile_audience(definition))
    entries = [
        F.when(
            F.col(_member_column(d.id)),
            F.struct(F.lit(d.id).alias("audience_id"), F.lit(d.version).alias("version")),
        )
        for d in definitions
    ]
    members = profiles.select(
        "person_id", F.explode(F.array_compact(F.array(*entries))).alias("_in")
    )
    return members.select("_in.audience_id", "_in.version", "person_id")


def compile_audience(definition: AudienceDefinition) -> Column:
    """Boolean column over the profile: included, or a member who stays, and not excluded; never NULL."""
    member = compile_rule(definition.include)
    if definition.stay:
        was = F.coalesce(F.array_contains("member_of", definition.id), F.lit(False))
        member |= was & compile_rule(definition.stay)
    return member & ~compile_rule(definition.exclude) if definition.exclude else member


def compile_rule(rule: Rule) -> Column:
    """Boolean column of one rule; what is unknown does not hold."""
    if isinstance(rule, Leaf):
        return F.coalesce(_COMPILERS[type(rule.condition)](rule.condition), F.lit(False))
    members = [compile_rule(member) for member in rule.members]
    if rule.all:
        return reduce(Column.__and__, members)
    either = reduce(Column.__or__, members)
    return ~either if rule.none else either


def _member_column(audience_id: str) -> str:
    return f"in_{audience_id}"


def _between(value: Column, low: float | None, high: float | None) -> Column:
    bounds = [value >= low] if low is not None else []
    bounds += [value <= high] if high is not None else []
    return reduce(Column.__and__, bounds)


def _decile(rule: rules.Decile) -> Column:
    return _between(F.element_at("deciles", F.lit(rule.metric)), rule.at_least, rule.at_most)


def _survey(rule: rules.Survey) -> Column:
    scored = _between(F.col("survey_score"), rule.score_at_least, rule.score_at_most)
    return scored & (F.col("survey_days_ago") <= rule.within_days) if rule.within_days else scored


_COMPILERS: dict[type[Condition], Callable[[Any], Column]] = {
    rules.Decile: _decile,
    rules.Value: lambda rule: _between(F.col(rule.name), rule.at_least, rule.at_most),
    rules.Stage: lambda rule: F.col("lifecycle_stage").isin(*rule.any_of),
    rules.Consent: lambda rule: F.col(f"consent_{rule.channel}"),
    rules.Survey: _survey,
    rules.Event: lambda rule: _between(F.col(event_column(rule)), rule.at_least, rule.at_most),
    rules.AttributeIs: lambda rule: (
        F.col(rule.name).cast("string").isin(*(str(value) for value in rule.any_of))
    ),
    rules.InAudience: lambda rule: F.col(_member_column(rule.id)),
}
