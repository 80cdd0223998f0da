"""Rules become columns over the profile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.audiences import rules
from clvspark.audiences.compile.attributes import (
    compare_date,
    compare_flag,
    compare_number,
    compare_set,
    compare_text,
)
from clvspark.audiences.compile.measures import (
    event_column,
    occurrence_columns,
    statistic_columns,
)
from clvspark.audiences.compile.names import measure_name, member_column, metric_column
from clvspark.audiences.compile.ranges import between, within_bounds
from clvspark.audiences.compile.sequences import followed
from clvspark.audiences.rules import AudienceDefinition, Condition, Leaf, Rule

_BUCKETS = 10_000


def midnight(as_of: date) -> datetime:
    """The instant at which a date begins (UTC): what happens from then on is not known as of it."""
    return datetime.combine(as_of, time(), UTC)


def compile_audience(definition: AudienceDefinition, *, end: datetime) -> Column:
    """Boolean column over the profile: included, or a member who stays, and not excluded; never NULL."""
    member = compile_rule(definition.include, end=end)
    if definition.stay:
        member |= was_member(definition.id) & compile_rule(definition.stay, end=end)
    return member & ~compile_rule(definition.exclude, end=end) if definition.exclude else member


def was_member(audience_id: str) -> Column:
    """Whether the person was a member the day before; never NULL."""
    return F.coalesce(F.array_contains("member_of", audience_id), F.lit(False))


def compile_rule(rule: Rule, *, end: datetime) -> Column:
    """Boolean column of one rule; what is unknown does not hold."""
    if isinstance(rule, Leaf):
        return compile_condition(rule.condition, end=end)
    members = [compile_rule(member, end=end) for member in rule.members]
    if rule.all:
        return reduce(Column.__and__, members)
    either = reduce(Column.__or__, members)
    return ~either if rule.none else either


def compile_condition(condition: Condition, *, end: datetime) -> Column:
    """Boolean column of one condition; never NULL."""
    if isinstance(condition, rules.Sequence):
        found = followed(condition, end)
    elif isinstance(condition, rules.Occurrence):
        found = _happened(condition, end)
    elif isinstance(condition, rules.DateAttribute):
        found = compare_date(condition, end.date())
    else:
        found = _COMPILERS[type(condition)](condition)
    return F.coalesce(found, F.lit(False))


def bucket_of(salt: str) -> Column:
    """Number from 0 to 9999 that a salt deals to a person, as holdouts are dealt."""
    return F.pmod(F.xxhash64(F.lit(salt), "person_id"), F.lit(_BUCKETS))


def group_column(condition: rules.Listed | rules.Saved | rules.Similar) -> str:
    """Column that says who is in a group of persons that is found before rules are evaluated."""
    return measure_name("group", condition)


def _happened(occurrence: rules.Occurrence, end: datetime) -> Column:
    any_, was = occurrence_columns(occurrence)
    at = F.col(any_)
    start, stop = occurrence.instants(end)
    found = at < F.lit(stop)
    found = found if start is None else found & (at >= F.lit(start))
    return found if was is None else found & (F.col(was) == at)


def _measure(aggregate: rules.Aggregate) -> Column:
    columns = statistic_columns(aggregate)
    if aggregate.by != "average":
        return within_bounds(F.col(columns[aggregate.by]), aggregate)
    total, count = F.col(columns["sum"]), F.col(columns["count"])
    return within_bounds(F.try_divide(total.cast("double"), count), aggregate)


def _survey(rule: rules.Survey) -> Column:
    scored = between(F.col("survey_score"), rule.score_at_least, rule.score_at_most)
    return scored & (F.col("survey_days_ago") <= rule.within_days) if rule.within_days else scored


def _bucket(rule: rules.Bucket) -> Column:
    first = round(rule.start * _BUCKETS / 100)
    number = bucket_of(rule.salt)
    return (number >= first) & (number < first + round(rule.percent * _BUCKETS / 100))


_COMPILERS: dict[type[Condition], Callable[[Any], Column]] = {
    rules.Decile: lambda rule: between(
        F.col(metric_column(rule.ranked_as)), rule.at_least, rule.at_most
    ),
    rules.Value: lambda rule: within_bounds(F.col(rule.name), rule),
    rules.Stage: lambda rule: F.col("lifecycle_stage").isin(*rule.any_of),
    rules.Consent: lambda rule: F.col(
        f"{'reach' if rule.contactable else 'consent'}_{rule.channel}"
    ),
    rules.Survey: _survey,
    rules.Event: lambda rule: between(F.col(event_column(rule)), rule.at_least, rule.at_most),
    rules.Aggregate: _measure,
    rules.TextAttribute: compare_text,
    rules.NumberAttribute: compare_number,
    rules.FlagAttribute: compare_flag,
    rules.SetAttribute: compare_set,
    rules.InAudience: lambda rule: F.col(member_column(rule.id)),
    rules.Bucket: _bucket,
    rules.Listed: lambda rule: F.col(group_column(rule)),
    rules.Saved: lambda rule: F.col(group_column(rule)),
    rules.Similar: lambda rule: F.col(group_column(rule)),
}
