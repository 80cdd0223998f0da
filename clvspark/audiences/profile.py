"""The wide profile that rules are evaluated on: one row a person, one column for each thing a rule may ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.conditions import group_column, midnight
from clvspark.audiences.compile.measures import count_defaults, measure_persons
from clvspark.audiences.compile.names import metric_column
from clvspark.audiences.rules import (
    Condition,
    DateAttribute,
    Decile,
    FlagAttribute,
    Listed,
    NumberAttribute,
    Saved,
    SetAttribute,
    Similar,
    Survey,
    TextAttribute,
    ValueName,
)
from clvspark.audiences.rules.attributes import (
    CHANGE_ATTRIBUTES,
    RELATIONSHIP_ATTRIBUTES,
    STORED_AS,
)
from clvspark.privacy.consent import CHANNELS
from clvspark.privacy.identifiers import address_key

VALUE_COLUMNS = [*get_args(ValueName), "lifecycle_stage"]
# Channels that reach a person at an address of the golden record; push goes to a device.
ADDRESSES = {"email": "email", "sms": "phone"}


@dataclass(frozen=True)
class Evidence:
    """The tables that profiles are made of.

    Parameters
    ----------
    consent : as `privacy.consent_by_channel` gives it.
    addresses : by identifier (``email``, ``phone``), as `privacy.judge_entries` gives it.
    happenings : as `list_happenings` gives it.
    memberships : ``audience_id, person_id`` of who was in which audience on the day before.
    groups : ``name, person_id`` of uploaded and saved lists, by `group_column`.
    """

    persons: DataFrame
    values: DataFrame
    deciles: DataFrame
    consent: DataFrame
    addresses: dict[str, DataFrame]
    surveys: DataFrame
    happenings: DataFrame
    memberships: DataFrame
    relationships: DataFrame
    changes: DataFrame
    groups: DataFrame


def build_profiles(
    evidence: Evidence, conditions: Sequence[Condition], *, as_of: date
) -> DataFrame:
    """Profile of every person as of `as_of`: rows of `build_standings` and what their events measure."""
    standings = build_standings(evidence, conditions, as_of=as_of)
    return attach_measures(standings, evidence.happenings, conditions, as_of=as_of)


def attach_measures(
    standings: DataFrame, happenings: DataFrame, conditions: Sequence[Condition], *, as_of: date
) -> DataFrame:
    """Profiles with what the conditions measure of events, 0 of who did nothing."""
    measured = measure_persons(happenings, conditions, end=midnight(as_of))
    if measured is None:
        return standings
    joined = standings.join(measured, on="person_id", how="left")
    return joined.fillna(count_defaults(conditions))


def build_standings(
    evidence: Evidence, conditions: Sequence[Condition], *, as_of: date
) -> DataFrame:
    """What is known of every person as of `as_of` beside their events.

    In: identity.person; clv.customer_value; audiences.decile; consent by channel, of persons and of addresses;
    survey responses with person_id; memberships of the day before; history.relationship;
    clv.value_change; lists. Out: one row a person; a column is NULL where nothing is known. ``reach_<channel>`` says
    that the person has an address there and that they and all who share it may be written to. Tables that no
    condition asks for are not read.
    """
    now = F.col("as_of_date") == F.lit(as_of)
    joined = _attach_consent(_attributes(evidence.persons), evidence)
    parts = [
        evidence.values.where(now).select("person_id", *VALUE_COLUMNS),
        evidence.memberships.groupBy("person_id").agg(
            F.sort_array(F.collect_set("audience_id")).alias("member_of")
        ),
    ]
    attributes = {c.name for c in conditions if isinstance(c, _ATTRIBUTES)}
    learns = any(isinstance(c, Similar) for c in conditions)
    if learns or attributes & {*RELATIONSHIP_ATTRIBUTES}:
        parts.append(_stored(evidence.relationships.where(now), RELATIONSHIP_ATTRIBUTES))
    if attributes & {*CHANGE_ATTRIBUTES}:
        parts.append(_stored(evidence.changes.where(now), CHANGE_ATTRIBUTES))
    if metrics := {c.ranked_as for c in conditions if isinstance(c, Decile)}:
        parts.append(_wide_deciles(evidence.deciles.where(now), sorted(metrics)))
    if any(isinstance(c, Survey) for c in conditions):
        parts.append(_newest_survey(evidence.surveys, as_of))
    if lists := {group_column(c) for c in conditions if isinstance(c, Listed | Saved)}:
        parts.append(_wide_groups(evidence.groups, sorted(lists)))
    for part in parts:
        joined = joined.join(part, on="person_id", how="left")
    return joined


_ATTRIBUTES = TextAttribute | NumberAttribute | DateAttribute | FlagAttribute | SetAttribute


def _attributes(persons: DataFrame) -> DataFrame:
    known = {
        f"_{kind}_entry": address_key(kind, F.col(kind)).alias(kind) for kind in ADDRESSES.values()
    }
    flags = {f"has_{kind}": F.col(kind).isNotNull() for kind in ADDRESSES.values()}
    plain = ("given_name", "surname", "city", "postcode", "records", "birth_date", "source_systems")
    return persons.withColumns(known | flags).select("person_id", *plain, *known, *flags)


def _attach_consent(profiles: DataFrame, evidence: Evidence) -> DataFrame:
    """Profiles with ``consent_<channel>`` and ``reach_<channel>``."""
    judged = profiles.join(evidence.consent, on="person_id", how="left")
    reach: dict[str, Column] = {}
    for channel in CHANNELS:
        consenting = F.col(f"consent_{channel}")
        kind = ADDRESSES.get(channel)
        if kind is not None:
            shared = evidence.addresses[kind].select(
                F.col("entry").alias(f"_{kind}_entry"),
                F.col(f"consent_{channel}").alias(f"_{channel}"),
            )
            judged = judged.join(shared, on=f"_{kind}_entry", how="left")
            consenting &= F.col(f"_{channel}")
        reach[f"reach_{channel}"] = F.coalesce(consenting, F.lit(False))
    hidden = [f"_{name}_entry" for name in ADDRESSES.values()] + [f"_{name}" for name in ADDRESSES]
    return judged.withColumns(reach).drop(*hidden)


def _stored(rows: DataFrame, names: Sequence[str]) -> DataFrame:
    return rows.select(
        "person_id", *(F.col(STORED_AS.get(name, name)).alias(name) for name in names)
    )


def _wide_deciles(deciles: DataFrame, metrics: Sequence[str]) -> DataFrame:
    wanted = deciles.where(F.col("metric").isin(*metrics))
    return wanted.groupBy("person_id").agg(
        *(
            F.max(F.when(F.col("metric") == metric, F.col("decile"))).alias(metric_column(metric))
            for metric in metrics
        )
    )


def _wide_groups(groups: DataFrame, names: Sequence[str]) -> DataFrame:
    return groups.groupBy("person_id").agg(
        *(F.max(F.col("name") == name).alias(name) for name in names)
    )


def _newest_survey(surveys: DataFrame, as_of: date) -> DataFrame:
    before = surveys.where(F.col("answered_at") < F.lit(as_of).cast("timestamp"))
    newest = F.max(F.struct("answered_at", "response_id", "score")).alias("newest")
    days = F.date_diff(F.lit(as_of), F.to_date("newest.answered_at")).alias("survey_days_ago")
    return (
        before.groupBy("person_id")
        .agg(newest)
        .select("person_id", F.col("newest.score").alias("survey_score"), days)
    )
