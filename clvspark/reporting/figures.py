"""All that the page shows, read from tables that stay small whatever the number of persons."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.clv.tables import BACKTEST, CUSTOMER_VALUE, MODEL, NEWEST_FOLD
from clvspark.history.tables import CLV_SUMMARY
from clvspark.identity.tables import MODEL as IDENTITY_MODEL
from clvspark.identity.tables import PAIR, PERSON, REVIEW, SHARED_IDENTIFIER
from clvspark.lakehouse import Lakehouse, warnings_among
from clvspark.lakehouse.run_log import METRIC, RUN, newest_runs
from clvspark.lakehouse.side_by_side import by_key
from clvspark.lakehouse.table import Table
from clvspark.measurement.tables import EFFECT, EXPERIMENT, INCREMENTAL_VALUE, WINDOW
from clvspark.reporting import tables
from clvspark.sources.tables import QUARANTINE

# Beside those that the stage builds facts of, and the run log, which every run changes.
READS = (CLV_SUMMARY, IDENTITY_MODEL, PAIR, REVIEW, SHARED_IDENTIFIER, QUARANTINE)
Rows = list[dict[str, Any]]

MANY_RECORDS = 10
_NEWEST_RUNS = 12
_MOST_ROWS = (
    2_000  # of one table on a page; only lists and campaigns could be more than a few dozen
)


@dataclass(frozen=True)
class Figures:
    """The numbers of one date as plain rows, named after the tables they come from."""

    as_of: date
    currency: str
    window_days: int
    days_observed: int = 0
    profile: Rows = field(default_factory=list)
    deciles: Rows = field(default_factory=list)
    audiences: Rows = field(default_factory=list)
    overlap: Rows = field(default_factory=list)
    activation: Rows = field(default_factory=list)
    responses: Rows = field(default_factory=list)
    responses_by_audience: Rows = field(default_factory=list)
    models: Rows = field(default_factory=list)
    backtest: Rows = field(default_factory=list)
    experiments: Rows = field(default_factory=list)
    effects: Rows = field(default_factory=list)
    incremental: Rows = field(default_factory=list)
    quarantine: Rows = field(default_factory=list)
    record_counts: Rows = field(default_factory=list)
    pair_weights: Rows = field(default_factory=list)
    identity_guards: Rows = field(default_factory=list)
    id_stability: Rows = field(default_factory=list)
    identity_report: dict[str, Any] | None = None
    runs: Rows = field(default_factory=list)
    metrics: dict[tuple[str, str], float] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None
    horizon_days: int | None = None
    value_kind: str = "value"

    def metric(self, stage: str, name: str) -> float | None:
        """Number that the newest successful run of a stage reported, None where none did."""
        return self.metrics.get((stage, name))

    def warnings(self, *stages: str) -> list[str]:
        """What the newest runs of these stages warned of."""
        return warnings_among(name for stage, name in self.metrics if stage in stages)

    @property
    def is_window_over(self) -> bool:
        """Whether the days after the date, in which what came true is counted, are all known."""
        return self.days_observed >= self.window_days

    @property
    def window_so_far(self) -> str:
        """How much of the window is known, in words."""
        if not self.days_observed:
            return f"none of the {self.window_days} days from {self.as_of} on is known yet"
        return f"{self.days_observed} of the {self.window_days} days from {self.as_of} on are known so far"

    def deciles_of(self, metric: str) -> Rows:
        """The deciles of one metric, best first."""
        return [row for row in self.deciles if row["metric"] == metric]


@dataclass(frozen=True)
class Source:
    """The tables of a lakehouse, empty where they do not exist yet.

    Parameters
    ----------
    made : tables that the caller has in memory as they are in the lakehouse, for the date that is read at least.
    """

    lake: Lakehouse
    made: Mapping[Table, DataFrame] = field(default_factory=dict)

    def read(self, table: Table) -> DataFrame:
        """All rows of a table that are known."""
        made = self.made.get(table)
        return self.lake.read_or_empty(table) if made is None else made

    def read_of(self, table: Table, as_of: date) -> DataFrame:
        """Rows of one date."""
        return self.read(table).where(_is(as_of))


def read_figures(source: Source, as_of: date) -> Figures:
    """Read the numbers of `as_of`; the queries are independent and small, so a few run side by side."""
    queries = {
        "calendar": source.read(tables.DIM_DATE).agg(
            F.min("date").alias("first"), F.max("date").alias("last")
        ),
        "profile": source.read_of(tables.FACT_PROFILE, as_of),
        "deciles": source.read_of(tables.FACT_CLV_DECILE, as_of).orderBy("metric", "decile"),
        "audiences": _audiences(source, as_of),
        "overlap": source.read_of(tables.FACT_AUDIENCE_OVERLAP, as_of),
        "activation": _activation(source, as_of),
        "responses": _responses(source, as_of),
        "responses_by_audience": source.read_of(tables.FACT_RESPONSE_BY_AUDIENCE, as_of),
        "models": source.read_of(MODEL, as_of).drop("document").orderBy("kind", "name"),
        "backtest": source.read_of(BACKTEST, as_of).where(NEWEST_FOLD).orderBy("model", "measure"),
        "window": source.read_of(WINDOW, as_of),
        "experiments": source.read_of(EXPERIMENT, as_of).orderBy("audience_id", "outcome"),
        "effects": source.read_of(EFFECT, as_of).orderBy("audience_id", "effect"),
        "incremental": source.read_of(INCREMENTAL_VALUE, as_of).orderBy("audience_id"),
        "quarantine": _quarantine(source),
        "record_counts": _record_counts(source),
        "pair_weights": _pair_weights(source),
        "identity_guards": _identity_guards(source),
        "id_stability": _id_stability(source),
        "identity_model": source.read(IDENTITY_MODEL).where("is_champion").select("report"),
        "value": _values(source, as_of),
        "runs": _newest_runs(source, as_of),
    }
    found = by_key(lambda name: _collect(queries[name]), queries)
    calendar, value, window = (found.pop(name)[0] for name in ("calendar", "value", "window"))
    runs, champions = found.pop("runs"), found.pop("identity_model")
    report = next((row["report"] for row in champions if row["report"]), None)
    return Figures(
        as_of=as_of,
        currency=source.lake.config.currency,
        window_days=window["window_days"],
        days_observed=window["days_observed"],
        first_day=calendar["first"],
        last_day=calendar["last"],
        horizon_days=value["horizon_days"],
        value_kind=name_value(value["historical"], value["revenue"], value["margin"]),
        identity_report=json.loads(report) if report else None,
        runs=[{**row, "rows": json.loads(row["rows_written"])} for row in runs],
        metrics={
            (row["stage"], name): value
            for row in runs
            for name, value in (row["metrics"] or {}).items()
        },
        **found,
    )


def name_value(historical: float | None, revenue: float | None, margin: float | None) -> str:
    """Return what the historical value adds up: ``margin``, ``revenue``, or ``value`` if neither.

    The tables say what was valued, so the page cannot name another definition than the one that
    was applied.
    """
    if historical is None:
        return "value"
    for name, amount in (("margin", margin), ("revenue", revenue)):
        if amount is not None and abs(historical - amount) < 0.01 + abs(amount) * 1e-9:
            return name
    return "value"


def _collect(df: DataFrame) -> Rows:
    return [row.asDict(recursive=True) for row in df.limit(_MOST_ROWS).collect()]


def _is(as_of: date) -> Column:
    return F.col("as_of_date") == F.lit(as_of)


def _audiences(source: Source, as_of: date) -> DataFrame:
    names = source.read(tables.DIM_AUDIENCE).select("audience_id", "name", "description")
    sizes = source.read_of(tables.FACT_PROFILE_BY_AUDIENCE, as_of)
    return sizes.join(names, on="audience_id", how="left").orderBy(
        F.desc("count_of_profiles"), "audience_id"
    )


def _activation(source: Source, as_of: date) -> DataFrame:
    lists = source.read_of(tables.FACT_ACTIVATION, as_of)
    return lists.orderBy("destination_id", F.desc("members"), "audience_id")


def _responses(source: Source, as_of: date) -> DataFrame:
    names = source.read(tables.DIM_CAMPAIGN).select("campaign_id", "name", "starts_on")
    return source.read_of(tables.FACT_RESPONSE, as_of).join(names, on="campaign_id", how="left")


def _quarantine(source: Source) -> DataFrame:
    groups = source.read(QUARANTINE).groupBy("source_system", "target_table", "reason")
    counted = groups.agg(F.count(F.lit(1)).alias("rows"), F.sum("net_revenue").alias("net_revenue"))
    return counted.orderBy(F.desc("rows"), "source_system", "target_table", "reason")


def _record_counts(source: Source) -> DataFrame:
    capped = F.least("records", F.lit(MANY_RECORDS)).alias("records")
    return (
        source.read(PERSON)
        .groupBy(capped)
        .agg(F.count(F.lit(1)).alias("persons"))
        .orderBy("records")
    )


def _pair_weights(source: Source) -> DataFrame:
    """Pairs by weight, in steps of two bits."""
    weight = (F.floor(F.col("match_weight") / 2) * 2).cast("double").alias("weight")
    counted = source.read(PAIR).groupBy(weight).agg(F.count(F.lit(1)).alias("pairs"))
    return counted.orderBy("weight")


def _identity_guards(source: Source) -> DataFrame:
    """Cases and records by guard: those of identity.review, and columns with shared identifiers."""
    cases, records = F.count(F.lit(1)).alias("cases"), F.sum("records").alias("records")
    reviewed = source.read(REVIEW).groupBy("guard").agg(cases, records)
    kind = F.col("kind").alias("guard")
    shared = source.read(SHARED_IDENTIFIER).groupBy(kind).agg(cases, records)
    return reviewed.unionByName(shared).orderBy("guard")


def _id_stability(source: Source) -> DataFrame:
    """Share of records that kept their person, of the newest successful runs."""
    done = source.read(RUN).where("status = 'success'").select("run_id")
    numbers = source.read(METRIC).where("stage = 'resolve' AND name = 'id_stability'")
    numbers = numbers.join(done, on="run_id", how="left_semi")
    newest = numbers.orderBy(F.desc("recorded_at")).limit(_NEWEST_RUNS)
    return newest.select("recorded_at", "value").orderBy("recorded_at")


def _values(source: Source, as_of: date) -> DataFrame:
    """One row: the horizon, and the sums that tell which value was modelled."""
    values = source.read_of(CUSTOMER_VALUE, as_of).agg(
        F.max("horizon_days").alias("horizon_days"), F.sum("historical_value").alias("historical")
    )
    sums = (
        source.read_of(CLV_SUMMARY, as_of)
        .where("lag_days = 0")
        .agg(
            F.sum("historical_revenue").cast("double").alias("revenue"),
            F.sum("historical_margin").cast("double").alias("margin"),
        )
    )
    return values.crossJoin(sums)


def _newest_runs(source: Source, as_of: date) -> DataFrame:
    """The newest run of each stage that did its work for `as_of` or no date, with metrics."""
    newest = newest_runs(source.read(RUN), as_of)
    pairs = F.map_from_entries(F.collect_list(F.struct("name", "value"))).alias("metrics")
    metrics = source.read(METRIC).groupBy("run_id").agg(pairs)
    facts = newest.select("stage", "run_id", "started_at", "seconds", "rows_written")
    return facts.join(metrics, on="run_id", how="left").orderBy("started_at")
