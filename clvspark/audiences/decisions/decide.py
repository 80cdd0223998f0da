"""The decision and its reasons: eligibility, ranking, caps, fallback."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.decisions.eligibility import OPEN
from clvspark.audiences.decisions.limits import Cutoffs, best_offer, cutoff_of, is_had
from clvspark.audiences.decisions.offers import NO_OFFER
from clvspark.audiences.decisions.ranking import Board, add_propensity
from clvspark.audiences.decisions.tables import DECISION, EVERY_CONTEXT
from clvspark.lakehouse.elements import known_elements

_REASON = "struct<offer_id:string,reason:string>"


def decide_offers(
    scored: DataFrame,
    board: Board,
    cutoffs: Cutoffs,
    posteriors: DataFrame,
    config: DecisionsConfig,
    *,
    as_of: date,
    acted_on: date | None = None,
) -> DataFrame:
    """What each person is offered, as audiences.decision.

    In: rows of `add_scores`; cut-offs of `find_cutoffs`; audiences.offer_posterior of the date, which is broadcast; the
    day on which they are told, the date if None.
    The offer with the highest score among those that can be had; where none of them can, the fallback of the decision
    point, if consent and caps allow it; else nothing. One row a person, no shuffle.
    """
    left = reduce(
        Column.__or__, [is_had(offer.id, cutoffs) for offer in config.offers], F.lit(False)
    )
    chosen = scored.withColumns({"_best": best_offer(config, cutoffs), "is_fallback": ~left})
    instead = _fallback(config)
    by_rank = ~F.col("is_fallback")
    columns = {
        "offer_id": F.when(by_rank, F.col("_best.offer_id")).otherwise(instead["offer_id"]),
        "channel": F.when(by_rank, F.col("_best.channel")).otherwise(instead["channel"]),
        "score": F.when(by_rank, F.col("_best.score")),
    }
    chosen = chosen.withColumns(columns)
    bounds = {offer: cutoff_of(offer, cutoffs) for offer in config.offer_ids}
    judged = add_propensity(chosen, board, bounds)
    named = _add_beliefs(judged, posteriors)
    identity = F.concat_ws("|", "person_id", F.lit(str(as_of)), "decision_point")
    facts = {
        "decision_id": F.sha2(identity, 256),
        "as_of_date": F.lit(as_of),
        "acted_on": F.lit(acted_on or as_of),
        "ranking": _of_point({point.id: point.ranking for point in config.points}),
        "reasons": _explain(config, cutoffs),
    }
    return named.withColumns(facts).select(*DECISION.names)


def _fallback(config: DecisionsConfig) -> dict[str, Column]:
    """Offer and channel where nothing that is ranked can be had."""
    offer: Column = F.lit(NO_OFFER)
    channel: Column = F.lit(None).cast("string")
    for point in config.points:
        if point.fallback is not None:
            here = F.col("decision_point") == point.id
            usable = here & (F.col(f"why_{point.fallback}") == OPEN)
            offer = F.when(usable, F.lit(point.fallback)).otherwise(offer)
            channel = F.when(usable, F.col(f"channel_{point.fallback}")).otherwise(channel)
    return {"offer_id": offer, "channel": channel}


def _explain(config: DecisionsConfig, cutoffs: Cutoffs) -> Column:
    """Each offer of the decision point that was not made, and why."""
    found = []
    for offer in config.offers:
        why = F.col(f"why_{offer.id}")
        kept_back = [point.id for point in config.points if point.fallback == offer.id]
        reason = (
            F.when(why != OPEN, why)
            .when(F.col("decision_point").isin(*kept_back), "only_a_fallback")
            .when(is_had(offer.id, cutoffs), "outranked")
            .otherwise("out_of_reach")
        )
        told = why.isNotNull() & (F.col("offer_id") != offer.id)
        entry = F.struct(F.lit(offer.id).alias("offer_id"), reason.alias("reason"))
        found.append(F.when(told, entry).cast(_REASON))
    return known_elements(F.array(*found).cast(f"array<{_REASON}>"), _REASON)


def _add_beliefs(chosen: DataFrame, posteriors: DataFrame) -> DataFrame:
    """Add ``expected_incremental_margin`` and ``posterior_id``."""
    values = posteriors.select("context", "offer_id", "net_value", "posterior_id")
    nothing = values.where(F.col("offer_id") == NO_OFFER).select(
        "context", F.col("net_value").alias("_nothing")
    )
    gains = values.join(F.broadcast(nothing), on="context").select(
        F.col("context").alias("_row"),
        "offer_id",
        (F.col("net_value") - F.col("_nothing")).alias("expected_incremental_margin"),
        "posterior_id",
    )
    known = nothing.select("context", F.col("context").alias("_known"))
    placed = chosen.join(F.broadcast(known), on="context", how="left").withColumn(
        "_row", F.coalesce("_known", F.lit(EVERY_CONTEXT))
    )
    return placed.join(F.broadcast(gains), on=["_row", "offer_id"], how="left")


def _of_point(values: Mapping[str, Any]) -> Column:
    return F.coalesce(
        *(F.when(F.col("decision_point") == name, value) for name, value in values.items())
    )
