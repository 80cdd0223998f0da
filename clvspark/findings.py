"""What a run left behind, as numbers: identity, revenue on every side of its sums, rows in quarantine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.config import Config
from clvspark.history.tables import ORDER
from clvspark.lakehouse import Lakehouse, warnings_among
from clvspark.lakehouse.run_log import METRIC, RUN, newest_runs
from clvspark.sources.tables import EVENT, QUARANTINE

CENT = Decimal("0.01")
Metrics = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Findings:
    """Numbers of the newest runs for a date.

    Parameters
    ----------
    metrics : what the stages reported, by stage and name.
    revenue : sums ``events``, ``quarantine``, ``persons``, ``anonymous``, and ``annulled``, what of the events was
        cancelled or replaced.
    planted_rows : broken rows that the simulation planted, None where the input is not simulated.
    planted_further_rows : rows to which it gave a column that no mapping names.
    """

    metrics: Metrics
    revenue: dict[str, Decimal]
    planted_rows: int | None
    planted_further_rows: int | None = None

    @property
    def landed_revenue(self) -> Decimal | None:
        """Revenue of the landing files, None where no ingest is on record."""
        received = self.metrics.get(("ingest", "revenue_received"))
        return None if received is None else _exact(received)

    @property
    def warnings(self) -> dict[str, list[str]]:
        """What the stages warned of, by stage."""
        stages = sorted({stage for stage, _ in self.metrics})
        found = {
            stage: warnings_among(name for at, name in self.metrics if at == stage)
            for stage in stages
        }
        return {stage: warnings for stage, warnings in found.items() if warnings}

    @property
    def reconciliation(self) -> list[tuple[str, Decimal | None, Decimal | None]]:
        """What is compared, and its two sides."""
        return reconcile(self.landed_revenue, self.revenue)


def find(lake: Lakehouse, config: Config, as_of: date) -> Findings:
    """Read the numbers of `as_of`, whether or not the stages had work this time."""
    planted = _read_planted(config)
    metrics = read_metrics(lake, as_of)
    annulled = _exact(metrics.get(("history", "revenue_annulled"), 0.0))
    return Findings(
        metrics,
        {**_sum_revenue(lake), "annulled": annulled},
        sum(int(entry["rows"]) for entry in planted["by_file"]) if planted else None,
        int(planted["further_column"]["rows"]) if planted else None,
    )


def read_metrics(lake: Lakehouse, as_of: date) -> Metrics:
    """Numbers by stage and name, of the newest run that did its work for `as_of` or for no date."""
    newest = newest_runs(lake.read_or_empty(RUN), as_of)
    rows = (
        lake.read_or_empty(METRIC)
        .join(newest.select("run_id"), on="run_id", how="leftsemi")
        .collect()
    )
    return {(row["stage"], row["name"]): row["value"] for row in rows}


def is_date(as_of: date) -> Column:
    """Whether a row is of the date."""
    return F.col("as_of_date") == F.lit(as_of)


def reconcile(
    landing: Decimal | None, sums: dict[str, Decimal]
) -> list[tuple[str, Decimal | None, Decimal | None]]:
    """Rows of the revenue table: what is compared, and its two sides.

    In: revenue received; the sums of `Findings.revenue`.
    """
    annulled = sums.get("annulled", Decimal(0))
    events = "sources.event less what was annulled" if annulled else "sources.event"
    return [
        ("landing = sources.event + quarantine", landing, sums["events"] + sums["quarantine"]),
        (
            f"{events} = history: persons + anonymous",
            sums["events"] - annulled,
            sums["persons"] + sums["anonymous"],
        ),
    ]


def _sum_revenue(lake: Lakehouse) -> dict[str, Decimal]:
    """Sums in decimals, never through floating point."""
    revenue = F.col("net_revenue")
    events = _first(lake.read_or_empty(EVENT).agg(F.sum(revenue).alias("events")))
    quarantine = _first(lake.read_or_empty(QUARANTINE).agg(F.sum(revenue).alias("quarantine")))
    known = F.col("person_id").isNotNull()
    orders = _first(
        lake.read_or_empty(ORDER).agg(
            F.sum(F.when(known, revenue)).alias("persons"),
            F.sum(F.when(~known, revenue)).alias("anonymous"),
        )
    )
    return {name: value or Decimal(0) for name, value in {**events, **quarantine, **orders}.items()}


def _exact(metric: float) -> Decimal:
    """A sum of money of the run log, which keeps doubles: they hold sums below 10 trillion exactly to the cent."""
    return Decimal(repr(metric)).quantize(CENT)


def _first(df: DataFrame) -> dict[str, Any]:
    return df.collect()[0].asDict()


def _read_planted(config: Config) -> dict[str, Any] | None:
    """What the simulation noted beside the truth of the rows it broke, None where there is no such note."""
    if config.identity.truth is None:
        return None
    note = Path(config.identity.truth).with_name("planted.json")
    if not note.is_file():
        return None
    found: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    return found
