"""History: `sources.event`, `sources.survey_response` and `identity.person_link` -> `history.*`."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.attribution.stage import attribute_orders
from clvspark.history.clv_summary import list_late_changes, summarise_purchases
from clvspark.history.config import HistoryConfig
from clvspark.history.interactions import build_interactions
from clvspark.history.kpis import tabulate_kpis
from clvspark.history.orders import attach_person, build_orders
from clvspark.history.person_day import summarise_person_days
from clvspark.history.reconcile import sum_annulled_revenue
from clvspark.history.relationship import describe_relationships
from clvspark.history.sessions import assign_sessions, build_sessions
from clvspark.history.surveys import name_answers, summarise_answers
from clvspark.history.tables import (
    CLV_SUMMARY,
    INTERACTION,
    KPI,
    ORDER,
    PERSON_DAY,
    RELATIONSHIP,
    SESSION,
    TABLES,
)
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.side_by_side import keep_all, side_by_side
from clvspark.sources.tables import EVENT, PRODUCT, SURVEY_RESPONSE

STAGE = "history"


def run(lake: Lakehouse, config: HistoryConfig, as_of: date) -> RunReport:
    """Bring history.* up to the events and identities; what is of other dates stays as it is."""
    reads = (EVENT, SURVEY_RESPONSE, PRODUCT, PERSON_LINK)
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=TABLES) as run:
        if not run.is_current:
            _build(run, lake, config, as_of)
    return run.report


def _build(run: Run, lake: Lakehouse, config: HistoryConfig, as_of: date) -> None:
    current = lake.read(PERSON_LINK).where("valid_to IS NULL")
    events = attach_person(lake.read(EVENT), current)
    rate = config.default_margin_rate
    orders = build_orders(events, lake.read(PRODUCT), default_margin_rate=rate)
    touches = assign_sessions(events, gap_minutes=config.session_gap_minutes)
    # Kept, as orders are held against the events before anything is written, and touches are read twice.
    orders, touches = keep_all(orders, touches, eager=False)
    _reconcile(run, lake.read(EVENT), orders)
    answers = attach_person(lake.read_or_empty(SURVEY_RESPONSE), current)
    interactions = build_interactions(touches, answers)
    run.overwrite_all(
        {ORDER: orders, INTERACTION: interactions, SESSION: build_sessions(touches)}, cached=True
    )
    run.overwrite(PERSON_DAY, summarise_person_days(lake.read(ORDER), lake.read(INTERACTION)))
    summary = summarise_purchases(
        lake.read(PERSON_DAY),
        as_of=as_of,
        lags_days=config.summary_lags_days,
        late_changes=list_late_changes(lake.read(ORDER)),
    )
    run.overwrite(CLV_SUMMARY, summary, where=rows_of(as_of))
    attribute_orders(run, lake, config.attribution)
    _describe(run, lake, config, as_of)


def _describe(run: Run, lake: Lakehouse, config: HistoryConfig, as_of: date) -> None:
    """Relationships and key figures of the date, from what is written already."""
    links = lake.read(PERSON_LINK).where("valid_to IS NULL")
    answers = name_answers(lake.read_or_empty(SURVEY_RESPONSE), links)
    found = {
        RELATIONSHIP: describe_relationships(
            lake.read(PERSON_DAY),
            summarise_answers(answers, as_of=as_of),
            as_of=as_of,
            config=config.relationship,
        ),
        KPI: tabulate_kpis(lake.read(ORDER), answers, as_of=as_of, config=config.kpi),
    }
    run.overwrite_all(found, where=rows_of(as_of))


def _reconcile(run: Run, events: DataFrame, orders: DataFrame) -> None:
    """Record revenue of persons and of anonymous sales; ContractError unless it equals the revenue of the events."""
    revenue = F.sum("net_revenue")
    anonymous = F.sum(F.when(F.col("person_id").isNull(), F.col("net_revenue")))
    sums = (events.agg(revenue), sum_annulled_revenue(events), orders.agg(revenue, anonymous))
    found = side_by_side(lambda df: df.collect()[0], sums)
    (written,), (annulled,), (total, unknown) = ([value or 0 for value in row] for row in found)
    landed = written - annulled
    if landed != total:
        raise ContractError(
            f"{ORDER.name}: net_revenue is {total}, the events have {landed}. Lines were lost or counted twice, or "
            f"{EVENT.name} is of an older version. Nothing was written. Run: clvspark ingest --force, then clvspark "
            "history; if they still differ, please report this."
        )
    run.metric("revenue", float(total))
    run.metric("revenue_of_persons", float(total - unknown))
    run.metric("revenue_anonymous", float(unknown))
    if annulled:
        run.metric("revenue_annulled", float(annulled))
