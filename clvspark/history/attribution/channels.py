"""What each channel is worth over all paths: counts in Spark, removal effects and Shapley values of the counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.attribution.paths import UNATTRIBUTED
from clvspark.lakehouse.errors import ContractError

MOST_CHANNELS = 100
"""Channels that a chain may have; the counts collected are at most the square of it."""

START, CONVERSION, NULL = "(start)", "(conversion)", "(null)"
"""States of the chain that are no channels: before a path, at its order, at its end without one."""

_TOUCHED = f"event_id <> '{UNATTRIBUTED}'"


def count_transitions(paths: DataFrame) -> DataFrame:
    """How often each channel was followed by each, over all paths, also those without an order.

    In: rows of `build_paths`. Out: ``origin, target, paths``; origins are channels and START, targets channels,
    CONVERSION and NULL.
    """
    order = Window.partitionBy("person_id", "path").orderBy("position")
    touched = paths.where(_TOUCHED).withColumn("_next", F.lead("channel").over(order))
    end = F.when(F.col("order_id").isNull(), F.lit(NULL)).otherwise(F.lit(CONVERSION))
    first = _move(F.lit(START), F.col("channel"))
    step = _move(F.col("channel"), F.coalesce("_next", end))
    steps = F.when(F.col("position") == 1, F.array(first, step)).otherwise(F.array(step))
    moves = touched.select(F.inline(steps))
    return moves.groupBy("origin", "target").agg(F.count(F.lit(1)).alias("paths"))


def _move(origin: Column, target: Column) -> Column:
    return F.struct(origin.alias("origin"), target.alias("target"))


def count_coalitions(paths: DataFrame) -> DataFrame:
    """Orders that each channel took part in, by the number of channels of their path.

    In: rows of `build_paths`. Out: ``channel, channels, orders``, at most the square of the channels.
    """
    whole = Window.partitionBy("person_id", "path")
    led = paths.where(_TOUCHED).where("order_id IS NOT NULL")
    of_path = led.withColumn("channels", F.size(F.collect_set("channel").over(whole)))
    each = of_path.select("person_id", "path", "channel", "channels").distinct()
    return each.groupBy("channel", "channels").agg(F.count(F.lit(1)).alias("orders"))


def removal_effects(transitions: Iterable[tuple[str, str, int]]) -> dict[str, float]:
    """Share of the conversions that would be lost without each channel, in a first-order Markov chain.

    In: ``origin, target, count``. With Q the probabilities between START and the channels, and r those of
    CONVERSION, the probability of a conversion from each state solves ``(I - Q) p = r``; whoever would have gone to a
    channel that is removed ends without a conversion. The effect is ``1 - p_without / p`` (Anderl, Becker, von
    Wangenheim & Schumann 2016, Mapping the customer journey, section 3.2). Effects lie between 0 and 1 and do not sum
    to 1. All are 0 where nothing was converted. ContractError if there are more than `MOST_CHANNELS`.
    """
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for origin, target, count in transitions:
        counts[origin][target] = count
    channels = sorted(set(counts) - {START})
    refuse_many(channels)
    states = [START, *channels]
    at = {name: n for n, name in enumerate(states)}
    moves, converts = np.zeros((len(states), len(states))), np.zeros(len(states))
    for origin, targets in counts.items():
        total = sum(targets.values())
        for target, count in targets.items():
            if target in at:
                moves[at[origin], at[target]] = count / total
            elif target == CONVERSION:
                converts[at[origin]] = count / total

    def chance(kept: np.ndarray) -> float:
        chain = np.eye(len(states)) - moves * np.outer(kept, kept)
        return float(np.linalg.solve(chain, converts * kept)[0])

    everything = np.ones(len(states))
    whole = chance(everything)
    if whole <= 0:
        return dict.fromkeys(channels, 0.0)
    without = {c: chance(np.where(np.arange(len(states)) == at[c], 0.0, 1.0)) for c in channels}
    return {c: min(max(1 - p / whole, 0.0), 1.0) for c, p in without.items()}


def shapley_values(coalitions: Iterable[tuple[str, int, int]]) -> dict[str, float]:
    """Conversions that each channel is worth: its Shapley value; they sum to the conversions.

    In: ``channel, channels, orders`` of `count_coalitions`. The value of a set of channels is the number of orders
    whose path has channels of that set alone. Such a game is a sum of unanimity games, one for each path, and in each
    of these all players get the same (Shapley 1953, A value for n-person games, lemma 3; Zhao, Mahboobi &
    Bagheri 2018, Shapley value methods for attribution modeling in online advertising, theorem 1). So the value of a
    channel is the sum of ``orders / channels``, exact for any number of channels without going through their
    subsets. ContractError if there are more than `MOST_CHANNELS`.
    """
    values: dict[str, float] = defaultdict(float)
    for channel, channels, orders in sorted(coalitions):
        values[channel] += orders / channels
    refuse_many(values)
    return dict(values)


def refuse_many(channels: Iterable[str]) -> None:
    """ContractError if there are more than `MOST_CHANNELS`."""
    found = len(set(channels))
    if found > MOST_CHANNELS:
        raise ContractError(
            f"history.interaction.channel: touchpoints have more than {MOST_CHANNELS} channels. Nothing was "
            "attributed. Next step: map channels that belong together to one in conf/sources, or leave markov and "
            "shapley out of history.attribution.methods."
        )
