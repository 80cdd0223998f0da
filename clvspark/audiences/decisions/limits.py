"""Stock and daily limits: the score that must be exceeded for each, so that nobody is collected to share it out.

Persons want the offer with their highest score; what is scarce goes to those who score highest for it, and whoever
does not get it wants the next best. Cut-offs that meet this are a stable matching (Azevedo & Leshno 2016), found by
deferred acceptance (Gale & Shapley 1962): they only ever rise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.offers import NO_OFFER

# From then on, what is wanted too much is closed for the day instead of shared out, so that an end is sure.
_MOST_ROUNDS = 40
_ACCURACY = 10_000
_ALL = "contacts"
_BEST = "struct<score:double,offer_id:string,channel:string>"
Cutoffs = Mapping[str, float]


def list_capacities(
    config: DecisionsConfig, given: Mapping[str, int], used: Mapping[str, int]
) -> dict[str, int]:
    """How many more contacts of a date each scarce thing is enough for.

    In: how often each offer has been made so far; how many offers of the date went out on each channel. Scarce are the
    stock of an offer, a channel's limit and that of all.
    """
    scarce = {
        _of_offer(offer.id): offer.stock - given.get(offer.id, 0)
        for offer in config.offers
        if offer.stock is not None
    }
    for name, most in config.limits.by_channel.items():
        scarce[_of_channel(name)] = most - used.get(name, 0)
    if config.limits.contacts is not None:
        scarce[_ALL] = config.limits.contacts - sum(used.values())
    return {name: max(left, 0) for name, left in scarce.items()}


def find_cutoffs(
    scored: DataFrame, config: DecisionsConfig, capacities: Mapping[str, int]
) -> dict[str, float]:
    """The score that an offer of each scarce thing must exceed; those that are enough for all are not named.

    In: rows of `add_scores`, kept in memory, as they are counted in every round. Only counts are collected.
    """
    cutoffs: dict[str, float] = {}
    if not capacities:
        return cutoffs
    for number in range(_MOST_ROUNDS + len(capacities) + 1):
        wanted = scored.select(best_offer(config, cutoffs).alias("_best")).select("_best.*")
        wanted = wanted.where("channel IS NOT NULL")
        over = _list_exceeded(wanted, capacities)
        if not over:
            break
        for name, total in over.items():
            closed = number >= _MOST_ROUNDS or not capacities[name]
            rows = wanted.where(_uses(name))
            cutoffs[name] = math.inf if closed else _place(rows, total, capacities[name])
    return cutoffs


def best_offer(config: DecisionsConfig, cutoffs: Cutoffs) -> Column:
    """``score, offer_id, channel`` of what a person wants most of all that can be had; NULL where nothing can."""
    found = [_as_choice(NO_OFFER, F.col(f"score_{NO_OFFER}").isNotNull())]
    found += [_as_choice(offer.id, is_had(offer.id, cutoffs)) for offer in config.offers]
    return F.greatest(*found) if len(found) > 1 else found[0]


def is_had(offer: str, cutoffs: Cutoffs) -> Column:
    """Whether a person scores high enough for an offer that is ranked for them; never NULL."""
    return F.coalesce(F.col(f"score_{offer}") > cutoff_of(offer, cutoffs), F.lit(False))


def cutoff_of(offer: str, cutoffs: Cutoffs) -> Column:
    """The score that the person must exceed to have the offer on the channel that is open to them."""
    low = F.lit(-math.inf)
    if offer == NO_OFFER:
        return low
    bounds = [F.lit(cutoffs.get(name, -math.inf)) for name in (_of_offer(offer), _ALL)]
    for name, bound in cutoffs.items():
        if name.startswith("channel "):
            on_it = F.col(f"channel_{offer}") == name.removeprefix("channel ")
            bounds.append(F.when(on_it, F.lit(bound)))
    return F.greatest(*bounds)


def _as_choice(offer: str, had: Column) -> Column:
    channel = F.lit(None).cast("string") if offer == NO_OFFER else F.col(f"channel_{offer}")
    choice = F.struct(
        F.col(f"score_{offer}").alias("score"),
        F.lit(offer).alias("offer_id"),
        channel.alias("channel"),
    )
    return F.when(had, choice).cast(_BEST)


def _list_exceeded(wanted: DataFrame, capacities: Mapping[str, int]) -> dict[str, int]:
    """What is wanted more often than it is enough for, and how often.

    Stock first, then channels, then all: whoever is refused by one of them may want another, and not count above.
    """
    counted = wanted.agg(*(F.count_if(_uses(name)).alias(name) for name in capacities)).collect()[0]
    exceeded = {name: counted[name] for name, most in capacities.items() if counted[name] > most}
    for level in ("offer ", "channel ", _ALL):
        found = {name: total for name, total in exceeded.items() if name.startswith(level)}
        if found:
            return found
    return {}


def _place(wanted: DataFrame, total: int, most: int) -> float:
    """The score that exactly `most` of `total` rows exceed, or fewer where scores are equal.

    It lies in a narrow band around an approximate quantile; only the band is sorted.
    """
    share = (total - most) / total
    ends = [max(share - 2 / _ACCURACY, 0.0), min(share + 2 / _ACCURACY, 1.0)]
    low, high = wanted.agg(F.percentile_approx("score", ends, _ACCURACY)).collect()[0][0]
    above = wanted.where(F.col("score") > high).count()
    band = wanted.where(F.col("score").between(low, high))
    row = band.orderBy(F.desc("score")).limit(most + 1 - above).agg(F.min("score")).collect()[0]
    return float(row[0])


def _uses(name: str) -> Column:
    if name == _ALL:
        return F.lit(True)
    kind, what = name.split(" ", 1)
    return F.col("offer_id" if kind == "offer" else "channel") == what


def _of_offer(offer: str) -> str:
    return f"offer {offer}"


def _of_channel(channel: str) -> str:
    return f"channel {channel}"
