"""History: `sources.event`, `sources.survey_response` and `identity.person_link` -> `history.*`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.attribution.stage import attribute_orders
from clvspark.history.carried import carry_summaries
from clvspark.history.change import Changes, Renewal, find_recosted, renew_histories
from clvspark.history.clv_summary import list_late_changes, summarise_purchases
from clvspark.history.config import HistoryConfig
from clvspark.history.histories import Histories, Sources, build_histories
from clvspark.history.kpis import tabulate_kpis
from clvspark.history.orders import book_lines
from clvspark.history.past import find_past, read_sources
from clvspark.history.reconcile import (
    list_altered,
    sum_annulled_revenue,
    sum_exchange_differences,
    sum_of_persons,
)
from clvspark.history.relationship import describe_relationships
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
from clvspark.identity.tables import PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.compare import compare_rows
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.side_by_side import all_of, keep_all, side_by_side
from clvspark.lakehouse.subsets import rows_beside
from clvspark.sources.tables import EVENT, PRODUCT, SURVEY_RESPONSE

STAGE = "history"
# Beyond this share of changed events it is cheaper to build everything anew.
RENEWED_SHARE = 0.2
_HISTORIES = (ORDER, INTERACTION, SESSION, PERSON_DAY)


def run(lake: Lakehouse, config: HistoryConfig, as_of: date) -> RunReport:
    """Bring history.* up to the events and identities; what is of other dates stays as it is.

    Only what a change can reach is built; everything, where configuration or code have changed, or too much else.
    """
    reads = (EVENT, SURVEY_RESPONSE, PRODUCT, PERSON_LINK)
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=TABLES) as run:
        if not run.is_current:
            _build(run, lake, config, as_of)
    return run.report


def _build(run: Run, lake: Lakehouse, config: HistoryConfig, as_of: date) -> None:
    """Bring the histories up to today; sum them up as of a day, of the past with the identities of then."""
    renewal = _find_renewal(run, lake, config)
    today = _write_renewal(run, lake, renewal) if renewal else _write_everything(run, lake, config)
    all_of(
        lambda: attribute_orders(run, today.orders, today.interactions, config.attribution),
        lambda: _sum_up(run, lake, today, renewal, config, as_of),
    )


def _sum_up(
    run: Run,
    lake: Lakehouse,
    today: Histories,
    renewal: Renewal | None,
    config: HistoryConfig,
    as_of: date,
) -> None:
    """Summaries, relationships and key figures of a date; of the past by what was known then."""
    past = find_past(lake, as_of)
    if past is None:
        links, histories = current_links(lake.read(PERSON_LINK)), today
        said = lake.read_or_empty(SURVEY_RESPONSE)
    else:
        run.step("rebuilding the past")
        links, said, renewal = past.links, past.answers, None
        histories = _build_from(past, config)
    days, orders = histories.days, histories.orders
    answers = name_answers(said, links)
    found = {
        CLV_SUMMARY: _summarise(run, lake, histories, renewal, config, as_of),
        RELATIONSHIP: describe_relationships(
            days,
            summarise_answers(answers, as_of=as_of),
            as_of=as_of,
            config=config.relationship,
            orders=orders,
        ),
        KPI: tabulate_kpis(orders, answers, as_of=as_of, config=config.kpi),
    }
    (found[CLV_SUMMARY],) = keep_all(found[CLV_SUMMARY], eager=False)
    if 0 in config.summary_lags_days:
        _reconcile_summaries(run, found[CLV_SUMMARY], histories, as_of)
    run.overwrite_all(found, where=rows_of(as_of))


def _summarise(
    run: Run,
    lake: Lakehouse,
    histories: Histories,
    renewal: Renewal | None,
    config: HistoryConfig,
    as_of: date,
) -> DataFrame:
    """history.clv_summary of a date; carried on from the last run's where that was of this date or one before."""
    lags, late = config.summary_lags_days, list_late_changes(histories.orders)
    since = None if renewal is None else _find_summarised(run, lake, as_of)
    if renewal is None or since is None:
        return summarise_purchases(histories.days, as_of=as_of, lags_days=lags, late_changes=late)
    before = lake.read(CLV_SUMMARY).where(rows_of(since))
    return carry_summaries(
        before,
        histories.days,
        late,
        renewal.persons,
        since=since,
        as_of=as_of,
        lags_days=lags,
    )


def _find_summarised(run: Run, lake: Lakehouse, as_of: date) -> date | None:
    """The date of the last run; None if it is later, or was of the past when that run summed it up."""
    last = run.predecessor
    if last is None or last.as_of is None or last.as_of > as_of:
        return None
    return None if find_past(lake, last.as_of, last.input_versions) else last.as_of


def _build_from(sources: Sources, config: HistoryConfig) -> Histories:
    return build_histories(
        sources,
        default_margin_rate=config.default_margin_rate,
        gap_minutes=config.session_gap_minutes,
    )


def _read_histories(lake: Lakehouse) -> Histories:
    return Histories(*(lake.read(table) for table in _HISTORIES))


def _write_everything(run: Run, lake: Lakehouse, config: HistoryConfig) -> Histories:
    """Build and write everything; what was written is still in memory for what is made of it."""
    built = _build_from(read_sources(lake), config)
    _reconcile(run, lake.read(EVENT), built.orders, built.booked)
    tables = {
        ORDER: built.orders,
        INTERACTION: built.interactions,
        SESSION: built.sessions,
        PERSON_DAY: built.days,
    }
    run.overwrite_all(tables, cached=True)
    return built


def _find_renewal(run: Run, lake: Lakehouse, config: HistoryConfig) -> Renewal | None:
    """What the changes since the last run can reach; None where everything is to be built."""
    last = run.predecessor
    changes = None if last is None else list_changes(lake, last.input_versions)
    if changes is None:
        return None
    came = [rows for rows in (changes.events, changes.links, changes.recosted) if rows is not None]
    if sum(rows.count() for rows in came) > RENEWED_SHARE * lake.read(EVENT).count():
        return None
    run.step("what has changed")
    return renew_from(lake, changes, config)


def list_changes(
    lake: Lakehouse, since: Mapping[str, int], until: Mapping[str, int] | None = None
) -> Changes | None:
    """What has changed between versions of the tables, by name; None where it is not known."""
    feeds = [
        lake.changes(table, since=since.get(table.name), until=(until or {}).get(table.name))
        for table in (EVENT, PERSON_LINK, SURVEY_RESPONSE, PRODUCT)
    ]
    found = [feed for feed in feeds if feed is not None]
    if len(found) < len(feeds):
        return None
    events, links, answers, products = found
    if products.isEmpty():
        return Changes(events, links, answers)
    sold = lake.read(EVENT, version=(until or {}).get(EVENT.name))
    return Changes(events, links, answers, find_recosted(products, sold))


def renew_from(
    lake: Lakehouse, changes: Changes, config: HistoryConfig, *, event_version: int | None = None
) -> Renewal:
    """What changes can reach, built anew, with the events of a version; the newest if None."""
    return renew_histories(
        read_sources(lake, {} if event_version is None else {EVENT.name: event_version}),
        changes,
        _read_histories(lake),
        default_margin_rate=config.default_margin_rate,
        gap_minutes=config.session_gap_minutes,
    )


def _write_renewal(run: Run, lake: Lakehouse, renewal: Renewal) -> Histories:
    """Replace what was by what is; orders are held against the events before anything is written."""
    now, before = renewal.now, renewal.before
    kept = rows_beside(lake.read(ORDER), before.orders.select("order_id").distinct(), "order_id")
    _reconcile(run, lake.read(EVENT), kept.select(*ORDER.names).unionByName(now.orders))
    run.merge_all(list_differences(renewal))
    return _read_histories(lake)


def list_differences(renewal: Renewal) -> dict[Table, tuple[DataFrame, DataFrame]]:
    """By table of histories, rows that are new or other ones, and rows that are no more, kept in memory."""
    now, before = renewal.now, renewal.before
    pairs = {
        ORDER: (now.orders, before.orders),
        INTERACTION: (now.interactions, before.interactions),
        SESSION: (now.sessions, before.sessions),
        PERSON_DAY: (now.days, before.days),
    }

    def differ(table: Table) -> tuple[Table, tuple[DataFrame, DataFrame]]:
        # Kept before anything is written: a table that is read later is read as it is then.
        rows, stored = keep_all(*pairs[table])
        changed, gone, _ = compare_rows(rows, stored, table)
        return table, (changed, gone)

    return dict(side_by_side(differ, pairs))


def _reconcile(
    run: Run, events: DataFrame, orders: DataFrame, booked: DataFrame | None = None
) -> None:
    """Record revenue of persons and of anonymous sales; ContractError unless it equals the revenue of the events.

    `booked` are rows of `book_lines` in memory; None where they are to be made.
    """
    if booked is None:
        (booked,) = keep_all(book_lines(list_altered(events)), eager=False)
    revenue = F.sum("net_revenue")
    anonymous = F.sum(F.when(F.col("person_id").isNull(), F.col("net_revenue")))
    sums = (
        events.agg(revenue),
        sum_annulled_revenue(booked),
        sum_exchange_differences(booked),
        orders.agg(revenue, anonymous),
    )
    found = side_by_side(lambda df: df.collect()[0], sums)
    (written,), (replaced,), (moved,), (total, unknown) = (
        [value or 0 for value in row] for row in found
    )
    # All by which the orders differ from the plain sum of the events.
    annulled = replaced + moved
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
    if moved:
        # Part of what was annulled: what rates did to orders after they were booked is no revenue.
        run.metric("revenue_exchange_difference", float(moved))


def _reconcile_summaries(run: Run, summaries: DataFrame, histories: Histories, as_of: date) -> None:
    """Record what of the revenue of persons no summary has; ContractError unless the rest is that of the summaries."""
    newest = summaries.where("lag_days = 0").agg(F.sum("historical_revenue"))
    sums = (newest, sum_of_persons(histories.days, histories.orders, as_of=as_of))
    found = side_by_side(lambda df: df.collect()[0], sums)
    (summed,), (before, later, bare) = ([value or 0 for value in row] for row in found)
    if summed + bare != before:
        raise ContractError(
            f"{CLV_SUMMARY.name}: historical_revenue as of {as_of} is {summed}, {PERSON_DAY.name} has {before} before "
            f"it, {bare} of it of persons without a purchase. Persons were lost or counted twice. Nothing was written "
            "of this date. Run: clvspark history --force; if they still differ, please report this."
        )
    if bare:
        run.metric("revenue_without_purchase", float(bare))
    if later:
        run.metric("revenue_from_the_date_on", float(later))
