"""Who may be offered what, on which channel, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.decisions.config import DecisionPoint, DecisionsConfig
from clvspark.audiences.decisions.contacts import is_free, offer_column
from clvspark.audiences.decisions.offers import Offer

# The attribute of a person that a channel needs; push goes to devices, which destinations know.
_ADDRESSES = {"email": "email", "sms": "phone"}
OPEN = "open"
"""Of a pair of person and offer that no reason excludes."""


def gather_candidates(
    values: DataFrame,
    deciles: DataFrame,
    members: DataFrame,
    consent: DataFrame,
    persons: DataFrame,
    contacts: DataFrame,
    config: DecisionsConfig,
) -> DataFrame:
    """Everybody who is at a decision point: one row a person.

    In: clv.customer_value of the date; audiences.decile of the date; ``audience_id, person_id`` of the members;
    consent by channel; identity.person; `count_contacts`. Out: ``person_id, decision_point, context, member_of``,
    ``has_<attribute>`` of addresses, consent and counts. A person is at the first point of the configuration whose
    audience they are in.
    """
    lists = members.groupBy("person_id").agg(F.collect_set("audience_id").alias("member_of"))
    tenths = deciles.where("metric = 'clv'").select(
        "person_id", F.col("decile").alias("clv_decile")
    )
    found = (
        values.select("person_id", "lifecycle_stage")
        .join(tenths, on="person_id", how="left")
        .join(lists, on="person_id", how="left")
        .withColumn("decision_point", _point(config.points))
        .where("decision_point IS NOT NULL")
        .withColumn(
            "context", describe_context(config.learning.context, apart=len(config.points) > 1)
        )
        .drop("clv_decile", "lifecycle_stage")
    )
    known = persons.select(
        "person_id", *(F.col(name).isNotNull().alias(f"has_{name}") for name in _ADDRESSES.values())
    )
    return reduce(
        lambda rows, about: rows.join(about, on="person_id", how="left"),
        (consent, known, contacts),
        found,
    )


def describe_context(columns: Sequence[str], *, apart: bool = False) -> Column:
    """The context of a person as text, e.g. ``clv_decile=1|lifecycle_stage=core``; unknown values are `?`.

    Several decision points are kept `apart` by their name: what doing nothing brings is another thing at each of them.
    """
    columns = [*(["decision_point"] if apart else []), *columns]
    if not columns:
        return F.lit("all")
    parts = [
        F.concat(F.lit(f"{name}="), F.coalesce(F.col(name).cast("string"), F.lit("?")))
        for name in columns
    ]
    return F.concat_ws("|", *parts)


def add_eligibility(
    candidates: DataFrame, config: DecisionsConfig, given: Mapping[str, int], *, as_of: date
) -> DataFrame:
    """Add ``why_<offer>`` and ``channel_<offer>`` for each offer of any decision point.

    In: rows of `gather_candidates`; how often each offer has been made so far. ``why`` is `OPEN`, the reason why the
    offer cannot be made, or NULL where it does not belong to the person's decision point; ``channel`` is the first
    of the offer's that consent and caps allow and on which the person can be reached. A fallback is among the offers of
    its point.
    """
    reasons, channels = {}, {}
    for offer in config.offers:
        places = [point.id for point in config.points if _is_offered(offer.id, point, config)]
        here = F.col("decision_point").isin(*places) if places else F.lit(False)
        channel = _first_channel(offer, config)
        why = _exclude(offer, channel, given.get(offer.id, 0), as_of)
        reasons[f"why_{offer.id}"] = F.when(here, why)
        channels[f"channel_{offer.id}"] = F.when(here & (why == OPEN), channel)
    return candidates.withColumns({**reasons, **channels})


def _is_offered(offer: str, point: DecisionPoint, config: DecisionsConfig) -> bool:
    return offer == point.fallback or offer in config.offers_at(point)


def _point(points: Sequence[DecisionPoint]) -> Column:
    found = [F.when(_is_in(point.audiences, F.lit(True)), point.id) for point in points]
    return F.coalesce(*found, F.lit(None).cast("string"))


def _is_in(audiences: Sequence[str], otherwise: Column) -> Column:
    """Whether a person is in one of the audiences; where there are none, `otherwise`."""
    if not audiences:
        return otherwise
    wanted = F.array(*(F.lit(name) for name in audiences))
    return F.coalesce(F.arrays_overlap("member_of", wanted), F.lit(False))


def _consents(channel: str) -> Column:
    return F.coalesce(F.col(f"consent_{channel}"), F.lit(False))


def _reaches(channel: str) -> Column:
    """Whether the person has consented to the channel and has an address on it."""
    attribute = _ADDRESSES.get(channel)
    if attribute is None:
        return _consents(channel)
    return _consents(channel) & F.coalesce(F.col(f"has_{attribute}"), F.lit(False))


def _first_channel(offer: Offer, config: DecisionsConfig) -> Column:
    usable = [
        F.when(_reaches(channel) & is_free(channel, config.caps), channel)
        for channel in offer.channels
    ]
    return F.coalesce(*usable)


def _exclude(offer: Offer, channel: Column, given: int, as_of: date) -> Column:
    """Reason why an offer cannot be made, in the order of the questions; else `OPEN`."""
    if not offer.is_valid_on(as_of):
        return F.lit("not_valid")
    if offer.stock is not None and given >= offer.stock:
        return F.lit("out_of_stock")
    rules = offer.eligibility
    no = F.lit(False)
    consents, reached = ([of(name) for name in offer.channels] for of in (_consents, _reaches))
    made = F.coalesce(offer_column(offer), F.lit(0))
    return (
        F.when(~_is_in(rules.audiences, F.lit(True)), "not_in_audience")
        .when(_is_in(rules.excluded_audiences, no), "excluded_audience")
        .when(~F.greatest(no, *consents), "without_consent")
        .when(~F.greatest(no, *reached), "without_address")
        .when(made >= offer.limit.contacts, "already_offered")
        .when(channel.isNull(), "capped")
        .otherwise(OPEN)
    )
