"""Facts of quality: models, identity, quarantine, and the newest runs."""

from __future__ import annotations

from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.reporting.quality_tables import (
    FACT_IDENTITY,
    FACT_MODEL_QUALITY,
    FACT_OPERATION,
    FACT_QUARANTINE,
)

MANY_RECORDS = 10
"""Persons of so many records or more are one group."""

# What a run warns of is a metric whose name begins so.
_WARNING = "warning: "
_BITS = 2
_LEVEL = "struct<comparison:string,label:string,weight:double,seen:boolean>"
_REPORT = f"struct<levels:array<{_LEVEL}>,unlinkables:array<array<double>>>"


def build_fact_model_quality(
    backtest: DataFrame, fitted: DataFrame, identity: DataFrame, *, as_of: date
) -> DataFrame:
    """Measures of the newest holdout, fitted parameters and likelihoods, and metrics of the newest resolution.

    In: rows of clv.backtest and clv.model of the date; rows of ops.metric of the resolution.
    """
    champions = fitted.where("is_champion").select(F.col("name").alias("model")).distinct()
    parameters = fitted.select(
        F.col("name").alias("model"),
        F.explode("parameters").alias("measure", "value"),
        F.lit("parameter").alias("kind"),
        "standard_errors",
    )
    errors = F.try_element_at("standard_errors", F.col("measure"))
    parts = [
        backtest.select("model", "measure", "value", F.lit("backtest").alias("kind")),
        parameters.withColumn("standard_error", errors).drop("standard_errors"),
        fitted.select(
            F.col("name").alias("model"),
            F.lit("log_likelihood_of_fit").alias("measure"),
            F.col("log_likelihood").alias("value"),
            F.lit("fit").alias("kind"),
        ),
        identity.select(
            F.lit("identity").alias("model"),
            F.col("name").alias("measure"),
            "value",
            F.lit("identity").alias("kind"),
        ),
    ]
    found = reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), parts)
    marked = found.join(
        F.broadcast(champions.withColumn("is_champion", F.lit(True))), on="model", how="left"
    )
    return (
        marked.fillna(False, subset=["is_champion"])
        .withColumns(
            {"as_of_date": F.lit(as_of), "standard_error": F.col("standard_error").cast("double")}
        )
        .select(*FACT_MODEL_QUALITY.names)
    )


def build_fact_identity(
    persons: DataFrame,
    pairs: DataFrame,
    reviews: DataFrame,
    shared: DataFrame,
    models: DataFrame,
    *,
    as_of: date,
) -> DataFrame:
    """Distributions of the resolution as it stands.

    In: identity.person, .pair, .review, .shared_identifier, and the champions of identity.model.
    """
    capped = F.least("records", F.lit(MANY_RECORDS)).cast("int").alias("position")
    many = F.col("position") == MANY_RECORDS
    by_records = persons.groupBy(capped).agg(F.count(F.lit(1)).cast("double").alias("value"))
    by_records = by_records.withColumn(
        "item",
        F.concat(F.col("position").cast("string"), F.when(many, F.lit(" or more")).otherwise("")),
    )
    weight = (F.floor(F.col("match_weight") / _BITS) * _BITS).cast("int").alias("position")
    by_weight = pairs.groupBy(weight).agg(F.count(F.lit(1)).cast("double").alias("value"))
    by_weight = by_weight.withColumn("item", F.col("position").cast("string"))
    parts = [
        _aspect(by_records, "records_of_person"),
        _aspect(by_weight, "match_weight_of_pair"),
        _aspect(_count_guards(reviews, shared), "guard"),
        *_read_report(models),
    ]
    found = reduce(lambda a, b: a.unionByName(b, allowMissingColumns=True), parts)
    return found.withColumn("as_of_date", F.lit(as_of)).select(*FACT_IDENTITY.names)


def _aspect(rows: DataFrame, aspect: str) -> DataFrame:
    return rows.withColumn("aspect", F.lit(aspect))


def _count_guards(reviews: DataFrame, shared: DataFrame) -> DataFrame:
    """Cases and records by guard: those of identity.review, and kinds of shared identifiers."""
    cases = F.count(F.lit(1)).cast("double").alias("value")
    records = F.sum("records").alias("records")
    reviewed = reviews.groupBy(F.col("guard").alias("item")).agg(cases, records)
    told = shared.groupBy(F.concat(F.lit("shared "), "kind").alias("item")).agg(cases, records)
    return reviewed.unionByName(told).withColumn("position", F.lit(0))


def _read_report(models: DataFrame) -> list[DataFrame]:
    """Comparison levels and shares of records that cannot be linked, of the training of the champion."""
    report = F.from_json("report", _REPORT)
    told = models.orderBy(F.desc("trained_on"), "model_id").limit(1).select(report.alias("r"))
    levels = told.select(F.posexplode("r.levels").alias("position", "level"))
    levels = levels.select(
        "position",
        F.concat_ws(
            "", "level.comparison", F.lit(": "), "level.label",
            F.when(~F.col("level.seen"), F.lit(" (not estimated)")),
        ).alias("item"),
        F.col("level.weight").alias("value"),
    )  # fmt: skip
    shares = told.select(F.posexplode("r.unlinkables").alias("position", "pair"))
    shares = shares.select(
        "position",
        # Thresholds are whole bits.
        F.col("pair")[0].cast("int").cast("string").alias("item"),
        F.col("pair")[1].alias("value"),
    )
    return [_aspect(levels, "comparison_level"), _aspect(shares, "unlinkable_share")]


def build_fact_quarantine(quarantine: DataFrame, *, as_of: date) -> DataFrame:
    """Rows of sources.quarantine by system, table and reason."""
    groups = quarantine.groupBy(
        *(
            F.coalesce(name, F.lit("unknown")).alias(name)
            for name in ("source_system", "target_table", "reason")
        )
    )
    counted = groups.agg(
        F.count(F.lit(1)).alias("rows"),
        F.sum("net_revenue").cast("decimal(18,2)").alias("net_revenue"),
    )
    return counted.withColumn("as_of_date", F.lit(as_of)).select(*FACT_QUARANTINE.names)


def build_fact_operation(newest: DataFrame, metrics: DataFrame, *, as_of: date) -> DataFrame:
    """Seconds, rows and metrics of the newest run of each stage.

    In: `newest_runs`; ops.metric. What a run warned of is told as text.
    """
    rows = F.aggregate(
        F.map_values(F.from_json("rows_written", "map<string,bigint>")),
        F.lit(0).cast("bigint"),
        lambda total, count: total + count,
    )
    runs = newest.select(
        "run_id",
        "stage",
        "started_at",
        F.explode(
            F.create_map(
                F.lit("seconds"), F.col("seconds"), F.lit("rows_written"), rows.cast("double")
            )
        ).alias("measure", "value"),
        F.lit("run").alias("kind"),
    )
    told = metrics.join(
        F.broadcast(newest.select("run_id", "started_at")), on="run_id", how="inner"
    ).select("run_id", "stage", "started_at", F.col("name").alias("measure"), "value", _kind())
    text = F.when(F.col("kind") == "warning", F.substring_index("measure", _WARNING, -1))
    return (
        runs.unionByName(told)
        .withColumns({"as_of_date": F.lit(as_of), "text": text})
        .select(*FACT_OPERATION.names)
    )


def _kind() -> Column:
    return F.when(F.col("name").startswith(_WARNING), "warning").otherwise("metric").alias("kind")
