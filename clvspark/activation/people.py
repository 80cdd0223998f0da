"""What is known of everyone who may be told about: addresses, consent, groups and value, read at this moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig
from clvspark.activation.gate import join_addresses, judge_members, purpose_suffix
from clvspark.activation.holdout import groups_today, hold_entries
from clvspark.activation.members import (
    list_audience_members,
    list_offer_members,
    list_step_members,
)
from clvspark.activation.tables import HOLDOUT, SUPPRESSION
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP
from clvspark.audiences.tables import DECILE, MEMBERSHIP
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK, current_links, resolve_aliases
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.privacy.addresses import add_unread_entries, judge_entries, list_entries
from clvspark.privacy.consent import CHANNELS, MARKETING, consent_by_channel
from clvspark.privacy.statements import read_consent
from clvspark.privacy.suppression import mark_suppressed
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, UNREAD_ADDRESS, UNREAD_CONSENT

# What may change whether somebody may be told, while a run goes on.
REFUSALS = (CONSENT, EVENT, UNREAD_CONSENT, UNREAD_ADDRESS, SUPPRESSION)


@dataclass(frozen=True)
class People:
    """Who comes up for activation, kept in memory.

    Parameters
    ----------
    members : ``audience_id, person_id, channel`` of the lists that are told anywhere; NULL: on whatever channel.
    entries : ``person_id, entry`` by identifier.
    consent : rows of `resolve_consent` by purpose.
    values : ``person_id, clv, lifecycle_stage, clv_decile`` of the date.
    """

    members: DataFrame
    entries: dict[str, DataFrame]
    consent: dict[str, DataFrame]
    values: DataFrame

    @property
    def all_entries(self) -> DataFrame:
        """``person_id, entry``, of whatever kind."""
        return reduce(DataFrame.unionByName, self.entries.values())


def refusal_versions(lake: Lakehouse) -> dict[str, int | None]:
    """Versions of the tables that say who refuses; other ones mean that the gate must be passed again."""
    return {table.name: lake.version(table) for table in REFUSALS}


def read_people(lake: Lakehouse, config: ActivationConfig, as_of: date) -> People:
    """Read members, their addresses, what they have said, and what they are worth."""
    activated = sorted({name for d in config.destinations for name in d.audiences})
    members = _read_members(lake, as_of).where(F.col("audience_id").isin(*activated))
    identifiers: list[str] = sorted({d.identifier for d in config.destinations}) or ["email"]
    purposes = sorted({MARKETING, *(p for d in config.destinations for p in d.purposes)})
    # The lists go out on the day itself, so what was said on this day counts as well; a no of any day, once known.
    until = F.lit(as_of + timedelta(days=1)).cast("timestamp")
    links = current_links(lake.read(PERSON_LINK))
    said = [
        read_consent(lake, links, until=until, later_refusals=True, purpose=purpose)
        for purpose in purposes
    ]
    records = lake.read_or_empty(CUSTOMER_RECORD)
    listed = [list_entries(lake.read(PERSON), records, links, name) for name in identifiers]
    members, *kept = keep_all(members, *said, *listed)
    return People(
        members,
        entries=dict(zip(identifiers, kept[len(said) :], strict=True)),
        consent=dict(zip(purposes, kept[: len(said)], strict=True)),
        values=_read_values(lake, as_of),
    )


def _read_members(lake: Lakehouse, as_of: date) -> DataFrame:
    members, sent = list_audience_members(lake.read(MEMBERSHIP)), []
    if lake.exists(JOURNEY):
        steps, journeys = lake.read(JOURNEY_STEP), lake.read(JOURNEY)
        sent.append(list_step_members(steps, journeys, as_of=as_of))
    if lake.exists(DECISION):
        sent.append(list_offer_members(lake.read(DECISION), as_of=as_of))
    # Identities may have been joined since a journey was advanced or an offer chosen.
    aliases = lake.read_or_empty(ALIAS)
    today = [resolve_aliases(part, aliases).distinct() for part in sent]
    return reduce(DataFrame.unionByName, today, members)


def _read_values(lake: Lakehouse, as_of: date) -> DataFrame:
    now = F.col("as_of_date") == F.lit(as_of)
    values = lake.read(CUSTOMER_VALUE).where(now).select("person_id", "clv", "lifecycle_stage")
    deciles = lake.read(DECILE).where(now & (F.col("metric") == "clv"))
    deciles = deciles.select("person_id", F.col("decile").alias("clv_decile"))
    return values.join(deciles, on="person_id", how="full_outer")


def gather_contacts(lake: Lakehouse, people: People) -> DataFrame:
    """One row a person: addresses and what holds for them, consent by purpose, group and value."""
    groups = groups_today(lake.read(HOLDOUT), lake.read_or_empty(ALIAS))
    groups = groups.localCheckpoint(eager=False)
    contacts = lake.read(PERSON).select("person_id", "email", "phone")
    unread = lake.read_or_empty(UNREAD_ADDRESS)
    for name, known in people.entries.items():
        every = add_unread_entries(known, unread, name)
        verdicts = [
            _about(judge_entries(every, consent), purpose)
            for purpose, consent in people.consent.items()
        ]
        allowed = reduce(lambda one, other: one.join(other, on="entry", how="full_outer"), verdicts)
        contacts = join_addresses(contacts, allowed, hold_entries(known, groups), name)
        if lake.exists(SUPPRESSION):
            contacts = mark_suppressed(contacts, lake.read(SUPPRESSION), name)
    for purpose, consent in people.consent.items():
        own = _about(consent_by_channel(consent, CHANNELS), purpose)
        contacts = contacts.join(own, on="person_id", how="left")
    return contacts.join(groups, on="person_id", how="left").join(
        people.values, on="person_id", how="left"
    )


def _about(verdicts: DataFrame, purpose: str) -> DataFrame:
    """Name the columns ``consent_<channel>`` after the purpose as well."""
    suffix = purpose_suffix(purpose)
    return verdicts.withColumnsRenamed(
        {f"consent_{channel}": f"consent_{channel}{suffix}" for channel in CHANNELS}
    )


def judge_all(members: DataFrame, contacts: DataFrame, config: ActivationConfig) -> DataFrame:
    """Verdicts over all destinations: ``audience_id, person_id, verdict, address, destination_id``."""
    columns = "audience_id string, person_id string, verdict string, address string"
    none = members.sparkSession.createDataFrame([], f"{columns}, destination_id string")
    verdicts = [
        judge_members(members, contacts, d).withColumn("destination_id", F.lit(d.id))
        for d in config.destinations
    ]
    return reduce(DataFrame.unionByName, verdicts, none)
