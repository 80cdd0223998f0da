"""Lists of steps and offers: whom the stream calls for, and which of the lists a destination is told of."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame

from clvspark.activation.members import list_offer_members, list_step_members
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP
from clvspark.config import Config
from clvspark.identity.tables import ALIAS, resolve_aliases
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.subsets import rows_among


def list_called(config: Config) -> list[str]:
    """Names of the lists of steps and offers that a destination is told of, in their order."""
    decisions = config.decisions
    called = {f"{m.id}.{s.id}" for m in decisions.moments for s in m.steps}
    called |= {f"{p.id}.{offer.id}" for p in decisions.points for offer in decisions.offers}
    told = {name for d in config.activation.destinations for name in d.audiences}
    return sorted(called & told)


def read_called(lake: Lakehouse, who: DataFrame, *, as_of: date) -> DataFrame:
    """``audience_id, person_id, channel`` of the persons, and of whom they are by now, on the lists of a date."""
    steps, journeys, decisions = (
        rows_among(lake.read_or_empty(table), who, "person_id")
        for table in (JOURNEY_STEP, JOURNEY, DECISION)
    )
    members = list_step_members(steps, journeys, as_of=as_of)
    members = members.unionByName(list_offer_members(decisions, as_of=as_of))
    return resolve_aliases(members, lake.read_or_empty(ALIAS)).distinct()
