"""Attribution: `history.order` and `history.interaction` -> `history.attribution`."""

from __future__ import annotations

from decimal import Decimal

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.attribution.channels import (
    MOST_CHANNELS,
    count_coalitions,
    count_transitions,
    removal_effects,
    shapley_values,
)
from clvspark.history.attribution.config import AttributionConfig
from clvspark.history.attribution.paths import build_paths, list_touchpoints, net_refunds
from clvspark.history.attribution.shares import ChannelValues, share_orders, sum_by_method
from clvspark.history.tables import ATTRIBUTION, ORDER
from clvspark.lakehouse import Run
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.side_by_side import keep_all

# Of each pair of states; one more tells that there are too many channels.
_MOST_COUNTS = (MOST_CHANNELS + 2) ** 2 + 1


def attribute_orders(
    run: Run, orders: DataFrame, interactions: DataFrame, config: AttributionConfig
) -> None:
    """Bring history.attribution up to the orders and interactions; ContractError if it does not add up to them.

    In: history.order, history.interaction.
    """
    touchpoints = list_touchpoints(
        interactions,
        always=config.touchpoints,
        with_campaign=config.touchpoints_with_campaign,
    )
    (paths,) = keep_all(
        build_paths(net_refunds(orders), touchpoints, window_days=config.window_days), eager=False
    )
    values = value_channels(paths, config)
    (shared,) = keep_all(share_orders(paths, config=config, channel_values=values), eager=False)
    refuse_unequal_sums(orders, shared, config)
    run.overwrite(ATTRIBUTION, shared, cached=True)


def value_channels(paths: DataFrame, config: AttributionConfig) -> ChannelValues:
    """What each channel is worth by the methods that judge channels. In: rows of `build_paths`."""
    found: dict[str, dict[str, float]] = {}
    if "markov" in config.methods:
        found["markov"] = removal_effects(
            (row[0], row[1], row[2]) for row in _counts(count_transitions(paths))
        )
    if "shapley" in config.methods:
        found["shapley"] = shapley_values(
            (row[0], row[1], row[2]) for row in _counts(count_coalitions(paths))
        )
    return found


def _counts(counted: DataFrame) -> list:
    return counted.limit(_MOST_COUNTS).collect()


def refuse_unequal_sums(
    orders: DataFrame, attribution: DataFrame, config: AttributionConfig
) -> None:
    """ContractError unless revenue and margin of each method equal those of the orders of persons."""
    sums = (F.sum(name) for name in ("net_revenue", "margin"))
    bought = orders.where("person_id IS NOT NULL").agg(*sums).collect()[0]
    expected = tuple(value or Decimal(0) for value in bought)
    found = {row[0]: tuple(row)[1:] for row in sum_by_method(attribution).collect()}
    for method in config.methods:
        given = found.get(method, (Decimal(0), Decimal(0)))
        if given != expected:
            raise ContractError(
                f"{ATTRIBUTION.name}: revenue and margin by {method} are {given[0]} and {given[1]}, "
                f"{ORDER.name} has {expected[0]} and {expected[1]} of persons. The table was left as it was. Please "
                "report this."
            )
