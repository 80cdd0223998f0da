"""Offers for persons at a decision point: read what is known of them, rank, share out what is scarce, decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.contacts import count_contacts, gather_contacts
from clvspark.audiences.decisions.decide import decide_offers
from clvspark.audiences.decisions.eligibility import add_eligibility, gather_candidates
from clvspark.audiences.decisions.learn import read_posteriors
from clvspark.audiences.decisions.limits import find_cutoffs, list_capacities
from clvspark.audiences.decisions.ranking import add_scores, set_up_board
from clvspark.audiences.decisions.tables import DECISION, OFFER_POSTERIOR
from clvspark.audiences.moments.tables import JOURNEY_STEP
from clvspark.audiences.tables import DECILE, MEMBERSHIP_EVENT, members_of_today, members_on
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import ALIAS, PERSON, resolve_aliases
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.dates import find_day_of_acting, rows_of
from clvspark.lakehouse.subsets import rows_among, rows_beside
from clvspark.privacy.suppression import LISTED, blank_suppressed


def choose_offers(
    lake: Lakehouse,
    config: DecisionsConfig,
    as_of: date,
    posteriors: Sequence[Mapping[str, Any]],
    consent: DataFrame,
    *,
    among: DataFrame | None = None,
) -> DataFrame:
    """What everybody at a decision point is offered as of a date, as audiences.decision.

    In: rows of audiences.offer_posterior of the date; ``person_id, consent_<channel>``. Decisions that the date has
    count for nothing, as these take their place. But where `among` is given (``person_id``, also of whom they have
    absorbed), they are decided on if the date has no decision about them yet; all others have had theirs, and of stock
    and daily limits is left what they left.
    """
    decisions = lake.read(DECISION)
    today = decisions.where(rows_of(as_of))
    if among is None:
        decisions, today = decisions.where(f"NOT ({rows_of(as_of)})"), today.limit(0)
    given = _count_given(decisions, config)
    candidates = _gather(lake, config, as_of, decisions, consent, among)
    open_to = add_eligibility(candidates, config, given, as_of=as_of)
    board = set_up_board(read_posteriors(posteriors, config), config)
    scored = add_scores(open_to, board, config, as_of=as_of).localCheckpoint(eager=False)
    capacities = list_capacities(config, given, _count_used(today, config))
    cutoffs = find_cutoffs(scored, config, capacities)
    known = lake.spark.createDataFrame(posteriors, OFFER_POSTERIOR.schema)
    acted_on = find_day_of_acting(as_of)
    return decide_offers(scored, board, cutoffs, known, config, as_of=as_of, acted_on=acted_on)


def _gather(
    lake: Lakehouse,
    config: DecisionsConfig,
    as_of: date,
    decisions: DataFrame,
    consent: DataFrame,
    among: DataFrame | None,
) -> DataFrame:
    """Candidates, see `gather_candidates`; of those among whom is chosen, if they are given, the undecided ones."""

    def theirs(rows: DataFrame) -> DataFrame:
        return rows if among is None else rows_among(rows, among, "person_id")

    aliases = lake.read_or_empty(ALIAS)
    values, made = theirs(lake.read_of(CUSTOMER_VALUE, as_of, stage="score")), theirs(decisions)
    if among is not None:
        decided = resolve_aliases(made.where(rows_of(as_of)), aliases)
        values = rows_beside(values, decided, "person_id")
    members = members_on(theirs(lake.read_or_empty(MEMBERSHIP_EVENT)), as_of)
    contacts = gather_contacts(made, theirs(lake.read_or_empty(JOURNEY_STEP)))
    return gather_candidates(
        values,
        theirs(lake.read_or_empty(DECILE)).where(rows_of(as_of)),
        members_of_today(members, aliases),
        theirs(consent),
        _read_reachable(lake, theirs(lake.read_or_empty(PERSON))),
        count_contacts(contacts, aliases, config.caps, config.offers, as_of=as_of),
        config,
    )


def _read_reachable(lake: Lakehouse, persons: DataFrame) -> DataFrame:
    """The persons without addresses that are suppressed: an offer made there would reach nobody."""
    listed = lake.tables.get(LISTED)
    if listed is None or not lake.exists(listed):
        return persons
    return blank_suppressed(persons, lake.read(listed))


def _count_given(decisions: DataFrame, config: DecisionsConfig) -> dict[str, int]:
    """How often each scarce offer was made."""
    scarce = [offer.id for offer in config.offers if offer.stock is not None]
    if not scarce:
        return {}
    counts = decisions.where(F.col("offer_id").isin(*scarce)).groupBy("offer_id").count()
    return {row["offer_id"]: row["count"] for row in counts.collect()}


def _count_used(today: DataFrame, config: DecisionsConfig) -> dict[str, int]:
    """How many offers of the date went out on each channel, where a limit asks."""
    if config.limits.contacts is None and not config.limits.by_channel:
        return {}
    counts = today.where("channel IS NOT NULL").groupBy("channel").count()
    return {row["channel"]: row["count"] for row in counts.collect()}
