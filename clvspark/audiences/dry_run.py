"""Rules evaluated without a trace: for estimates, differences and explanations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.evaluate import mark_members
from clvspark.audiences.gather import gather_evidence, list_files, refuse_unknown_lists
from clvspark.audiences.profile import Evidence, build_profiles
from clvspark.audiences.rules import AudienceDefinition, Decile
from clvspark.audiences.tables import (
    DECILE,
    MEMBERSHIP_EVENT,
    members_of_today,
    members_on,
)
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import ALIAS, PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError
from clvspark.privacy.statements import read_consent

_PARTS = 10_000


def mark_profiles(
    lake: Lakehouse,
    definitions: Sequence[AudienceDefinition],
    *,
    as_of: date,
    who: Column | None = None,
) -> DataFrame:
    """Profiles as of a date with a column for each audience (`member_column`), as the stage would evaluate them.

    `definitions` are in an order in which each follows those it builds on. `who` is a predicate of ``person_id``: only
    these persons are read, events included. Schedules play no part. Raises MissingInputError where values or deciles
    of the date are asked for and are not there.
    """
    conditions = [condition for d in definitions for condition in d.conditions]
    list_files(conditions)
    refuse_unknown_lists(lake, conditions)
    lake.read_of(CUSTOMER_VALUE, as_of, stage="score")
    if any(isinstance(condition, Decile) for condition in conditions):
        lake.read_of(DECILE, as_of, stage="audiences")
    links = current_links(lake.read(PERSON_LINK))
    consent = read_consent(lake, links, until=F.lit(as_of).cast("timestamp"))
    past = members_on(lake.read_or_empty(MEMBERSHIP_EVENT), as_of - timedelta(days=1))
    before = members_of_today(past, lake.read_or_empty(ALIAS))
    evidence = gather_evidence(lake, conditions, before=before, consent=consent, links=links)
    if who is not None:
        evidence = only(evidence, who)
    profiles = build_profiles(evidence, conditions, as_of=as_of).localCheckpoint()
    return mark_members(profiles, definitions, as_of=as_of)


def only(evidence: Evidence, who: Column) -> Evidence:
    """Evidence of the persons for whom a predicate of ``person_id`` holds.

    What rules ask of others, as those who share an address, stays.
    """
    names = [
        *("persons", "values", "deciles", "surveys", "happenings", "memberships", "groups"),
        *("relationships", "changes", "consent"),
    ]
    return replace(evidence, **{name: getattr(evidence, name).where(who) for name in names})


def in_sample(share: float) -> Column:
    """Predicate of ``person_id``: a share of all persons, the same ones every time."""
    number = F.pmod(F.xxhash64(F.lit("estimate"), "person_id"), F.lit(_PARTS))
    return number < round(share * _PARTS)


def choose_definitions(
    config: AudiencesConfig, names: Sequence[str]
) -> tuple[list[AudienceDefinition], list[str]]:
    """Definitions of the audiences named, and of all they build on, in order; and the names. All without any name.

    Raises ConfigError that lists what is defined.
    """
    by_id = {definition.id: definition for definition in config.definitions}
    unknown = sorted(set(names) - by_id.keys())
    if unknown:
        there = ", ".join(sorted(by_id)) or "none"
        raise ConfigError("audiences", [f"no audience {', '.join(unknown)}; there are {there}"])
    wanted = set(names or by_id)
    for definition in reversed(config.in_order):
        if definition.id in wanted:
            wanted |= definition.references
    return [d for d in config.in_order if d.id in wanted], list(names or by_id)
