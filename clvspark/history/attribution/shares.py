"""Weights of touchpoints become shares of orders that sum to the cent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from clvspark.history.attribution.config import AttributionConfig, PositionConfig
from clvspark.history.tables import ATTRIBUTION
from clvspark.lakehouse.table import MONEY

ChannelValues = Mapping[str, Mapping[str, float]]
"""By method that judges channels, what each channel is worth."""

_UNITS = 100_000_000
"""Of a weight of 1, as many as a credit has."""

_AMOUNTS = {"attributed_revenue": "net_revenue", "attributed_margin": "margin"}
_CENT = Decimal("0.01")
# Twice the square of a sum of units up to this is a bigint.
_MOST_UNITS = 2_000_000_000
_MICROSECONDS_PER_DAY = 86_400_000_000


def share_orders(
    paths: DataFrame, *, config: AttributionConfig, channel_values: ChannelValues
) -> DataFrame:
    """Credit of each touchpoint for its order, by every method of the configuration.

    In: rows of `build_paths`; what each channel is worth, for ``markov`` and ``shapley``. Out: history.attribution.
    Credits of an order sum to 1, attributed revenue and margin to those of the order, for each method.
    Touchpoints that a method gives nothing have no row.
    """
    led = paths.where("order_id IS NOT NULL")
    shared = weigh_touchpoints(
        led.where("path_length > 1"), config=config, channel_values=channel_values
    )
    parts = {
        name: (_part(_cents(amount)) * F.lit(_CENT)).cast(MONEY)
        for name, amount in _AMOUNTS.items()
    }
    credit = _part(F.lit(_UNITS).cast("bigint")) * F.lit(Decimal(1) / _UNITS)
    shared = shared.withColumns({"credit": credit.cast("decimal(9,8)"), **parts})
    # Most orders have one touchpoint or none: it gets the whole by every method.
    methods = F.explode(F.array(*(F.lit(method) for method in config.methods))).alias("method")
    whole = led.where("path_length = 1").select("*", methods)
    whole = whole.withColumns(
        {
            "credit": F.lit(1).cast("decimal(9,8)"),
            **{name: F.col(amount) for name, amount in _AMOUNTS.items()},
        }
    )
    return shared.select(*ATTRIBUTION.names).unionByName(whole.select(*ATTRIBUTION.names))


def weigh_touchpoints(
    led: DataFrame, *, config: AttributionConfig, channel_values: ChannelValues
) -> DataFrame:
    """Touchpoints once for each method, with ``method``, the weight by it, ``_units``, and two sums of the path.

    In: rows of `build_paths` that led to an order. ``_until`` is the sum of the weights up to and with the touchpoint,
    ``_total`` that of the path. Touchpoints of no weight are left out; where all of an order have none, as those of
    channels that are worth nothing, they weigh alike, or the order would be lost.
    """
    alike = Window.partitionBy("person_id", "path", "channel")
    led = led.withColumn("_alike", F.count(F.lit(1)).over(alike))
    units = {
        f"_units_{method}": _count_units(_weigh(method, config, channel_values.get(method, {})))
        for method in config.methods
    }
    # Summed before the rows are multiplied, in one order, so that one sort of the paths does for all sums.
    until = _of_path(Window.currentRow)
    sums = {
        name.replace("units", side): F.sum(name).over(rows)
        for name in units
        for side, rows in (("until", until), ("total", _of_path()))
    }
    weighed = led.withColumns(units).withColumns(sums)
    one = F.lit(_UNITS).cast("bigint")
    by_method = [
        F.struct(
            F.lit(method).alias("method"),
            F.when(is_worth, F.col(f"_units_{method}")).otherwise(one).alias("_units"),
            F.when(is_worth, F.col(f"_until_{method}"))
            .otherwise(F.col("position") * one)
            .alias("_until"),
            F.when(is_worth, F.col(f"_total_{method}"))
            .otherwise(F.col("path_length") * one)
            .alias("_total"),
        )
        for method in config.methods
        for is_worth in [F.col(f"_total_{method}") > 0]
    ]
    kept = [name for name in led.columns if name != "_alike"]
    return weighed.select(*kept, F.inline(F.array(*by_method))).where("_units > 0")


def _of_path(last: int = Window.unboundedFollowing) -> WindowSpec:
    """Rows of a path up to one of them; of the whole path in the same order, so that one sort does for both."""
    path = Window.partitionBy("person_id", "path").orderBy("position")
    return path.rowsBetween(Window.unboundedPreceding, last)


def _count_units(weight: Column) -> Column:
    """The weight in whole units, as their sum does not depend on the order of the rows."""
    return F.coalesce(F.round(weight * _UNITS).cast("bigint"), F.lit(0).cast("bigint"))


def _weigh(method: str, config: AttributionConfig, values: Mapping[str, float]) -> Column:
    """Weight of a touchpoint within its path, between 0 and 1; only ratios count."""
    position, length = F.col("position"), F.col("path_length")
    if method == "first":
        return (position == 1).cast("double")
    if method == "last":
        return (position == length).cast("double")
    if method == "position":
        return _weigh_position(config.position)
    if method == "time_decay":
        # Against the last touchpoint, so that a path that ended long before its order has weights too.
        last, this = (
            F.unix_micros(at) for at in (F.max("touched_at").over(_of_path()), F.col("touched_at"))
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
    return F.element_at(F.create_map(*pairs), F.col("channel")) / F.col("_alike")


def _cents(amount: str) -> Column:
    return (F.col(amount) * 100).cast("bigint")


def _part(whole: Column) -> Column:
    """The touchpoint's part of a whole number, in rows of `weigh_touchpoints`; the parts sum to the whole.

    What is due to the touchpoints so far is rounded to the nearest number, and the part is what that adds: it is what
    is due to the touchpoint, rounded up or down (Balinski & Young 1975, The quota method of apportionment, ask for
    that), and no path is sorted by remainders. A negative number is shared as the positive one.
    """
    before = F.col("_until") - F.col("_units")
    return F.sign(whole).cast("bigint") * (
        _due(F.abs(whole), F.col("_until")) - _due(F.abs(whole), before)
    )


def _due(whole: Column, until: Column) -> Column:
    """``whole * until / _total``, rounded half up, exactly."""
    total = F.col("_total")
    times, rest = F.call_function("div", whole, total), whole % total

    def round_rest(kind: str) -> Column:
        doubled = 2 * until.cast(kind) * rest.cast(kind) + total.cast(kind)
        return F.call_function("div", doubled, 2 * total.cast(kind))

    rounded = F.when(total <= _MOST_UNITS, round_rest("bigint"))
    return times * until + rounded.otherwise(round_rest("decimal(18,0)"))


def sum_by_method(attribution: DataFrame) -> DataFrame:
    """Attributed revenue and margin of each method: ``method, revenue, margin``. In: history.attribution."""
    sums = (
        F.sum(f"attributed_{name}").cast("decimal(38,2)").alias(name)
        for name in ("revenue", "margin")
    )
    return attribution.groupBy("method").agg(*sums)
