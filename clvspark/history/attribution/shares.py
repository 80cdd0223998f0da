"""Weights of touchpoints become shares of orders that sum to the cent."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from clvspark.history.attribution.config import AttributionConfig, PositionConfig
from clvspark.history.tables import ATTRIBUTION

ChannelValues = Mapping[str, Mapping[str, float]]
"""By method that judges channels, what each channel is worth."""

_UNITS = 1_000_000_000
_SHARE = ["person_id", "order_id", "method"]
_MICROSECONDS_PER_DAY = 86_400_000_000


def share_orders(
    paths: DataFrame, *, config: AttributionConfig, channel_values: ChannelValues
) -> DataFrame:
    """Credit of each touchpoint for its order, by every method of the configuration.

    In: rows of `build_paths`; what each channel is worth, for ``markov`` and ``shapley``. Out: history.attribution.
    Credits of an order sum to 1, attributed revenue and margin to those of the order, for each method.
    Touchpoints that a method gives nothing have no row.
    """
    amounts = {
        "credit": F.lit(1).cast("decimal(9,8)"),
        "attributed_revenue": F.col("net_revenue"),
        "attributed_margin": F.col("margin"),
    }
    led = paths.where("order_id IS NOT NULL").withColumns(amounts)
    shared = weigh_touchpoints(
        led.where("path_length > 1"), config=config, channel_values=channel_values
    )
    for name in amounts:
        shared = share_exactly(shared, name)
    # Most orders have one touchpoint or none: it gets the whole by every method, without being sorted.
    methods = F.explode(F.array(*(F.lit(method) for method in config.methods))).alias("method")
    whole = led.where("path_length = 1").select("*", methods)
    return shared.select(*ATTRIBUTION.names).unionByName(whole.select(*ATTRIBUTION.names))


def weigh_touchpoints(
    led: DataFrame, *, config: AttributionConfig, channel_values: ChannelValues
) -> DataFrame:
    """Touchpoints once for each method, with ``method``, the weight ``_units`` by it and its sum ``_total``.

    In: rows of `build_paths` that led to an order. Touchpoints of no weight are left out; where all of an order have
    none, as those of channels that are worth nothing, they weigh alike, or the order would be lost.
    """
    units = {
        f"_units_{method}": _count_units(_weigh(method, config, channel_values.get(method, {})))
        for method in config.methods
    }
    path = Window.partitionBy("person_id", "path")
    # Summed before the rows are multiplied.
    totals = {name.replace("units", "total"): F.sum(name).over(path) for name in units}
    weighed = led.withColumns(units).withColumns(totals)
    by_method = [
        F.struct(
            F.lit(method).alias("method"),
            F.when(F.col(f"_total_{method}") > 0, F.col(f"_units_{method}"))
            .otherwise(F.lit(_UNITS).cast("bigint"))
            .alias("_units"),
            F.when(F.col(f"_total_{method}") > 0, F.col(f"_total_{method}"))
            .otherwise(F.col("path_length") * _UNITS)
            .alias("_total"),
        )
        for method in config.methods
    ]
    return weighed.select(*led.columns, F.inline(F.array(*by_method))).where("_units > 0")


def _count_units(weight: Column) -> Column:
    """The weight in whole units, as their sum does not depend on the order of the rows."""
    return F.coalesce(F.round(weight * _UNITS).cast("bigint"), F.lit(0).cast("bigint"))


def _weigh(method: str, config: AttributionConfig, values: Mapping[str, float]) -> Column:
    """Weight of a touchpoint within its path, between 0 and 1; only ratios count."""
    position, length = F.col("position"), F.col("path_length")
    path = Window.partitionBy("person_id", "path")
    if method == "first":
        return (position == 1).cast("double")
    if method == "last":
        return (position == length).cast("double")
    if method == "position":
        return _weigh_position(config.position)
    if method == "time_decay":
        # Against the last touchpoint, so that a path that ended long before its order has weights too.
        last, this = (
            F.unix_micros(at) for at in (F.max("touched_at").over(path), F.col("touched_at"))
        )
        days = (last - this) / _MICROSECONDS_PER_DAY
        return F.coalesce(F.pow(F.lit(0.5), days / config.half_life_days), F.lit(1.0))
    if method in ("markov", "shapley"):
        return _weigh_channel(values)
    return F.lit(1.0)


def _weigh_position(config: PositionConfig) -> Column:
    position, length = F.col("position"), F.col("path_length")
    between = F.lit(1 - config.first - config.last) / (length - 2)
    weight = F.when(position == 1, config.first).when(position == length, config.last)
    return F.when(length == 1, 1.0).otherwise(weight.otherwise(between))


def _weigh_channel(values: Mapping[str, float]) -> Column:
    """What the channel is worth, shared by its touchpoints in the path: a second one is no second channel."""
    most = max(values.values(), default=0.0)
    if most <= 0:
        return F.lit(0.0)
    pairs = [F.lit(item) for name, worth in sorted(values.items()) for item in (name, worth / most)]
    of_channel = Window.partitionBy("person_id", "path", "channel")
    worth = F.element_at(F.create_map(*pairs), F.col("channel"))
    return worth / F.count(F.lit(1)).over(of_channel)


def share_exactly(shares: DataFrame, amount: str) -> DataFrame:
    """The amount of the whole, on each of its rows, replaced by the part of the row; the parts sum to the whole.

    In: rows of `weigh_touchpoints` with the amount, a decimal. Parts are rounded down in the
    smallest unit of the decimal, and what is left goes, one unit each, to the largest remainders (Hamilton's
    method), of equal ones to the earliest touchpoint. A negative amount is shared as the positive one.
    """
    kind = shares.schema[amount].dataType
    scale = 10**kind.scale  # type: ignore[attr-defined]
    whole = Window.partitionBy(*_SHARE)
    cents = (F.abs(F.col(amount)) * scale).cast("decimal(18,0)")
    due = cents * F.col("_units").cast("decimal(10,0)")
    of_units = shares.withColumns({"_due": due, "_of": F.col("_total").cast("decimal(18,0)")})
    parts = of_units.withColumns(
        {"_part": F.expr("_due div _of"), "_remainder": F.col("_due") % F.col("_of")}
    )
    largest = whole.orderBy(F.desc("_remainder"), "position")
    left = cents - F.sum("_part").over(whole)
    part = F.col("_part") + (F.row_number().over(largest) <= left).cast("int")
    exact = (part.cast("decimal(18,0)") / F.lit(scale)).cast(kind) * F.signum(amount).cast("int")
    shared = parts.withColumn(amount, exact.cast(kind))
    return shared.drop("_due", "_of", "_part", "_remainder")


def sum_by_method(attribution: DataFrame) -> DataFrame:
    """Attributed revenue and margin of each method: ``method, revenue, margin``. In: history.attribution."""
    sums = (
        F.sum(f"attributed_{name}").cast("decimal(38,2)").alias(name)
        for name in ("revenue", "margin")
    )
    return attribution.groupBy("method").agg(*sums)
