"""What decisions of the stream are made upon: what the last run of the batch knew of everybody, kept in memory.

A stream that asked for all of it with every micro-batch would read everybody's records, consents and values for the few
persons of the batch. So it is read when a day begins and whenever persons have changed, and each micro-batch looks up
its own. What must not wait, a refusal, is laid over it at once (`Refusals`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig
from clvspark.activation.holdout import deal_groups
from clvspark.activation.people import gather_contacts, read_people
from clvspark.activation.tables import HOLDOUT, SUPPRESSION
from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.gather import gather_evidence
from clvspark.audiences.profile import build_standings
from clvspark.audiences.rules import AudienceDefinition
from clvspark.audiences.tables import MEMBERSHIP, MEMBERSHIP_EVENT, members_of_today, membership_on
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.privacy.statements import read_consent
from clvspark.sources.tables import CONSENT, PRODUCT, UNREAD_ADDRESS, UNREAD_CONSENT

NEW_GROUP, STRATUM = "_new_group", "_stratum"
IN_BATCH_AUDIENCES = "_in_batch_audiences"
_SET_FROM = (PERSON_LINK, PRODUCT, CONSENT, UNREAD_CONSENT, UNREAD_ADDRESS, SUPPRESSION)


@dataclass(frozen=True)
class Scene:
    """What is known of everybody on a date, in memory.

    Parameters
    ----------
    definitions : audiences that the stream evaluates, each after those it builds on.
    versions : of the tables that it was set from; other ones mean that it is to be set anew.
    links : current links.
    products : sources.product.
    standings : rows of `build_standings`, with `IN_BATCH_AUDIENCES`: the ids of those others that they are in now.
    then : audiences.membership of the day before, of the audiences of the stream.
    contacts : rows of `gather_contacts`; who belongs to no group yet has the one they will be dealt in `NEW_GROUP`.
    entries : ``person_id, entry``: addresses of all kinds.
    """

    as_of: date
    definitions: list[AudienceDefinition]
    versions: dict[str, int | None]
    links: DataFrame
    products: DataFrame
    standings: DataFrame
    then: DataFrame
    contacts: DataFrame
    entries: DataFrame

    @property
    def link_version(self) -> int | None:
        """Version of identity.person_link, which `links` are of."""
        return self.versions[PERSON_LINK.name]

    @property
    def ids(self) -> list[str]:
        """Ids of the audiences that the stream evaluates."""
        return [definition.id for definition in self.definitions]


def versions_of(lake: Lakehouse) -> dict[str, int | None]:
    """Versions of the tables that a scene is set from, but for those that follow from them or that events change."""
    return {table.name: lake.version(table) for table in _SET_FROM}


def set_scene(
    lake: Lakehouse,
    audiences: AudiencesConfig,
    activation: ActivationConfig,
    as_of: date,
) -> Scene:
    """Read what is known of everybody; the stages of the batch must have run for the date."""
    versions = versions_of(lake)
    links = current_links(lake.read(PERSON_LINK, version=versions[PERSON_LINK.name]))
    definitions = [d for d in audiences.in_order if d.evaluation == "stream"]
    ids = [definition.id for definition in definitions]
    past = membership_on(lake.read_or_empty(MEMBERSHIP_EVENT), as_of - timedelta(days=1))
    then = past.where(F.col("audience_id").isin(*ids))
    contacts, entries = _list_contacts(lake, activation, as_of)
    names = ("source_system", "source_record_id", "person_id")
    links, products, then, standings, contacts, entries = keep_all(
        links.select(*names),
        lake.read_or_empty(PRODUCT),
        then,
        _list_standings(lake, definitions, past, as_of),
        contacts,
        entries,
    )
    return Scene(as_of, definitions, versions, links, products, standings, then, contacts, entries)


def _list_standings(
    lake: Lakehouse, definitions: Sequence[AudienceDefinition], past: DataFrame, as_of: date
) -> DataFrame:
    links = current_links(lake.read(PERSON_LINK))
    consent = read_consent(lake, links, until=F.lit(as_of).cast("timestamp"))
    inside = past.where("status = 'realized'").select("audience_id", "person_id")
    before = members_of_today(inside, lake.read_or_empty(ALIAS))
    conditions = [condition for d in definitions for condition in d.conditions]
    evidence = gather_evidence(lake, conditions, before=before, consent=consent, links=links)
    standings = build_standings(evidence, conditions, as_of=as_of)
    named = {name for d in definitions for name in d.references} - {d.id for d in definitions}
    now = lake.read(MEMBERSHIP).where("status = 'realized'")
    own = now.where(F.col("audience_id").isin(*named)).groupBy("person_id")
    held = own.agg(F.collect_set("audience_id").alias(IN_BATCH_AUDIENCES))
    return standings.join(held, on="person_id", how="left")


def _list_contacts(
    lake: Lakehouse, config: ActivationConfig, as_of: date
) -> tuple[DataFrame, DataFrame]:
    people = read_people(lake, config, as_of)
    entries = people.all_entries
    dealt = deal_groups(
        lake.read(PERSON),
        entries,
        lake.read(HOLDOUT),
        lake.read_or_empty(ALIAS),
        config.holdout,
        as_of=as_of,
        values=people.values,
    )
    new = dealt.select(
        "person_id", F.col("split_group").alias(NEW_GROUP), F.col("stratum").alias(STRATUM)
    )
    contacts = gather_contacts(lake, people).join(new, on="person_id", how="left")
    known = F.coalesce("split_group", NEW_GROUP)
    return contacts.withColumn("split_group", known), entries
