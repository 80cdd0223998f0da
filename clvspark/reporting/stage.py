"""Report: every room -> `reporting.*` and one HTML page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import DELIVERY
from clvspark.audiences.tables import (
    DECILE,
    DEFINITION,
    ESTIMATE,
    MEMBERSHIP_EVENT,
    members_of_today,
    members_on,
    ranks_of_today,
)
from clvspark.clv.tables import BACKTEST, CUSTOMER_VALUE, MODEL, NEWEST_FOLD
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK, current_links, links_as_of
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.run_log import METRIC, RUN, newest_runs
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.table import Table
from clvspark.measurement.tables import EFFECT, EXPERIMENT, INCREMENTAL_VALUE, RESPONSE, WINDOW
from clvspark.reporting import dimensions, facts, tables
from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.figures import READS as FIGURES
from clvspark.reporting.figures import Source
from clvspark.reporting.page import render_page
from clvspark.sources.tables import CAMPAIGN, CAMPAIGN_MEMBER

STAGE = "report"
READS = (
    ORDER,
    INTERACTION,
    PERSON_DAY,
    PERSON,
    PERSON_LINK,
    ALIAS,
    CUSTOMER_VALUE,
    BACKTEST,
    MODEL,
    DECILE,
    DEFINITION,
    ESTIMATE,
    MEMBERSHIP_EVENT,
    DELIVERY,
    RESPONSE,
    WINDOW,
    EXPERIMENT,
    EFFECT,
    INCREMENTAL_VALUE,
    CAMPAIGN,
    CAMPAIGN_MEMBER,
    *FIGURES,
)


@dataclass(frozen=True)
class Window:
    """The days from `as_of` on in which what came true is counted."""

    as_of: date
    days: int
    days_observed: int

    @property
    def end(self) -> date:
        """First day after it."""
        return self.as_of + timedelta(days=self.days)

    @property
    def is_over(self) -> bool:
        """Whether it has been observed to its end."""
        return self.days_observed >= self.days


def run(lake: Lakehouse, config: ReportingConfig, as_of: date) -> RunReport:
    """Refresh the star schema for `as_of` and render the page."""
    page = Path(config.page)
    with lake.run(STAGE, as_of=as_of, config=config, reads=READS, writes=tables.TABLES) as run:
        run.is_current = run.is_current and page.exists()
        if not run.is_current:
            lake.read_of(CUSTOMER_VALUE, as_of, stage="score")
            window = _read_window(lake, as_of)
            around, measured = _build_dimensions(lake), _build_facts(lake, window, as_of)
            # Kept, as the page is drawn from them.
            frames = keep_all(*around.values(), *measured.values(), eager=False)
            kept = dict(zip([*around, *measured], frames, strict=True))
            run.overwrite_all({t: kept[t] for t in around}, cached=True)
            run.overwrite_all({t: kept[t] for t in measured}, where=rows_of(as_of), cached=True)
            run.step("rendering the page")
            render_page(Source(lake, kept), config, as_of, page)
    return run.report


def _build_dimensions(lake: Lakehouse) -> dict[Table, DataFrame]:
    orders, interactions = lake.read(ORDER), lake.read(INTERACTION)
    return {
        tables.DIM_DATE: dimensions.build_dim_date(lake.read(PERSON_DAY)),
        tables.DIM_AUDIENCE: dimensions.build_dim_audience(lake.read(DEFINITION)),
        tables.DIM_CAMPAIGN: dimensions.build_dim_campaign(lake.read(CAMPAIGN)),
        tables.DIM_CHANNEL: dimensions.build_dim_channel(orders, interactions),
    }


def _build_facts(lake: Lakehouse, window: Window, as_of: date) -> dict[Table, DataFrame]:
    now = F.col("as_of_date") == F.lit(as_of)
    values, deciles = lake.read(CUSTOMER_VALUE).where(now), lake.read(DECILE).where(now)
    members = members_on(lake.read(MEMBERSHIP_EVENT), as_of)
    # Persons may have been merged since: what they did is told of who they are today.
    aliases = lake.read_or_empty(ALIAS)
    ranks, today = ranks_of_today(deciles, aliases, as_of), members_of_today(members, aliases)
    after = facts.sum_by_decile(_revenue_after(lake, window), ranks) if window.is_over else None
    observed = window.days_observed
    contacts, responses = _contacts(lake, window), lake.read(RESPONSE).where(now)
    return {
        tables.FACT_PROFILE: facts.build_fact_profile(
            values, _persons_on(lake, as_of), lake.read(PERSON_DAY), as_of=as_of
        ),
        tables.FACT_PROFILE_BY_AUDIENCE: facts.build_fact_profile_by_audience(
            lake.read(ESTIMATE).where(now)
        ),
        tables.FACT_AUDIENCE_OVERLAP: facts.build_fact_audience_overlap(members, as_of=as_of),
        tables.FACT_CLV_DECILE: facts.build_fact_clv_decile(
            deciles, values, after, days_observed=observed
        ),
        tables.FACT_RESPONSE: facts.build_fact_response(
            contacts, responses, ranks, as_of=as_of, days_observed=observed
        ),
        tables.FACT_RESPONSE_BY_AUDIENCE: facts.build_fact_response_by_audience(
            contacts, responses, today, lake.read(DEFINITION), as_of=as_of, days_observed=observed
        ),
        tables.FACT_ACTIVATION: facts.build_fact_activation(lake.read(DELIVERY).where(now)),
        tables.FACT_MODEL_QUALITY: _model_quality(lake, as_of),
    }


def _persons_on(lake: Lakehouse, as_of: date) -> DataFrame:
    """``person_id, records`` of everyone known on the date; of today where the ledger begins after it."""
    links = lake.read(PERSON_LINK)
    known = links_as_of(links, as_of)
    if not known.limit(1).count():
        known = current_links(links)
    return known.groupBy("person_id").agg(F.count(F.lit(1)).alias("records"))


def _read_window(lake: Lakehouse, as_of: date) -> Window:
    """The window after `as_of` as measurement saw it; MissingInputError where it has not looked yet."""
    found = lake.read(WINDOW).where(F.col("as_of_date") == F.lit(as_of)).collect()
    if not found:
        raise MissingInputError(
            f"measurement.window has no row for {as_of}. Run it first: clvspark measure --as-of {as_of}"
        )
    return Window(as_of, found[0]["window_days"], found[0]["days_observed"])


def _revenue_after(lake: Lakehouse, window: Window) -> DataFrame:
    """Net revenue of each person in the window."""
    day = F.col("day")
    days = lake.read(PERSON_DAY).where((day >= F.lit(window.as_of)) & (day < F.lit(window.end)))
    return days.groupBy("person_id").agg(F.sum("net_revenue").cast("double").alias("revenue_after"))


def _contacts(lake: Lakehouse, window: Window) -> DataFrame:
    """``person_id, campaign_id`` of messages sent, and of members of campaigns that ran, in the window."""
    start, end = F.lit(window.as_of), F.lit(window.end)
    sent = lake.read(INTERACTION).where(
        (F.col("interaction_type") == "email_sent")
        & (F.col("occurred_at") >= start.cast("timestamp"))
        & (F.col("occurred_at") < end.cast("timestamp"))
    )
    running = lake.read(CAMPAIGN).where((F.col("starts_on") < end) & (F.col("ends_on") >= start))
    links = current_links(lake.read(PERSON_LINK))
    addressed = (
        lake.read(CAMPAIGN_MEMBER)
        .join(running.select("campaign_id"), on="campaign_id")
        .join(
            links.select("source_system", "source_record_id", "person_id"),
            on=["source_system", "source_record_id"],
        )
    )
    columns = ["person_id", "campaign_id"]
    return sent.select(*columns).unionByName(addressed.select(*columns))


def _model_quality(lake: Lakehouse, as_of: date) -> DataFrame:
    """Backtest measures, fitted parameters, and metrics of the newest resolution for the date."""
    now = F.col("as_of_date") == F.lit(as_of)
    backtest = lake.read(BACKTEST).where(now).where(NEWEST_FOLD)
    backtest = backtest.select("model", "measure", "value")
    fitted = lake.read(MODEL).where(now)
    parameters = fitted.select(
        F.col("name").alias("model"), F.explode("parameters").alias("measure", "value")
    )
    likelihood = fitted.select(
        F.col("name").alias("model"),
        F.lit("log_likelihood_of_fit").alias("measure"),
        F.col("log_likelihood").alias("value"),
    )
    resolved = newest_runs(lake.read(RUN), as_of).where("stage = 'resolve'").select("run_id")
    identity = lake.read(METRIC).join(F.broadcast(resolved), on="run_id")
    identity = identity.withColumnRenamed("name", "measure")
    parts = [
        backtest,
        parameters,
        likelihood,
        identity.select(F.lit("identity").alias("model"), "measure", "value"),
    ]
    found = reduce(DataFrame.unionByName, parts).withColumn("as_of_date", F.lit(as_of))
    return found.select(*tables.FACT_MODEL_QUALITY.names)
