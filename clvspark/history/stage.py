"""History: `sources.event` and `identity.person_link` -> `history.*`."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.change import History, Renewal, renew_history
from clvspark.history.clv_summary import list_late_refunds, summarise_purchases
from clvspark.history.config import HistoryConfig
from clvspark.history.links import is_of_the_past, links_on
from clvspark.history.orders import attach_person, build_interactions, build_orders
from clvspark.history.person_day import summarise_person_days
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY, TABLES
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import ContractError
from clvspark.lakehouse.side_by_side import keep_all, side_by_side
from clvspark.sources.tables import EVENT, PRODUCT

STAGE = "history"
# Beyond this share of changed events it is cheaper to build everything anew.
_RENEWED_SHARE = 0.2


def run(lake: Lakehouse, config: HistoryConfig, as_of: date) -> RunReport:
    """Bring history.* up to the events and identities; summaries of other dates stay as they are."""
    reads = (EVENT, PRODUCT, PERSON_LINK)
    with lake.run(STAGE, as_of=as_of, config=config, reads=reads, writes=TABLES) as run:
        if not run.is_current:
            _build(run, lake, config, as_of)
    return run.report


def _build(run: Run, lake: Lakehouse, config: HistoryConfig, as_of: date) -> None:
    """Bring the histories up to today; sum them up as of a day, of the past with the identities of then."""
    renewal = _find_renewal(run, lake, config)
    if renewal is None:
        _build_everything(run, lake, config)
    else:
        _write_renewal(run, lake, renewal)
    links = lake.read(PERSON_LINK)
    if is_of_the_past(links, as_of):
        run.step("rebuilding the past")
        history = _list_history(lake, links_on(links, as_of), config)
    else:
        history = _read_history(lake)
    summary = summarise_purchases(
        history.days,
        as_of=as_of,
        lags_days=config.summary_lags_days,
        late_refunds=list_late_refunds(history.orders),
    )
    run.overwrite(CLV_SUMMARY, summary, where=rows_of(as_of))


def _list_history(lake: Lakehouse, links: DataFrame, config: HistoryConfig) -> History:
    """All histories, each record being of the person that `links` say."""
    events = attach_person(lake.read(EVENT), links)
    rate = config.default_margin_rate
    orders = build_orders(events, lake.read(PRODUCT), default_margin_rate=rate)
    # Kept, as orders are held against the events before anything is written.
    orders, interactions = keep_all(orders, build_interactions(events), eager=False)
    return History(orders, interactions, summarise_person_days(orders, interactions))


def _read_history(lake: Lakehouse) -> History:
    return History(*(lake.read(table) for table in (ORDER, INTERACTION, PERSON_DAY)))


def _build_everything(run: Run, lake: Lakehouse, config: HistoryConfig) -> None:
    history = _list_history(lake, _current_links(lake), config)
    _reconcile(run, lake.read(EVENT), history.orders)
    tables = {ORDER: history.orders, INTERACTION: history.interactions}
    run.overwrite_all(tables, cached=True)
    run.overwrite(PERSON_DAY, history.days)


def _current_links(lake: Lakehouse) -> DataFrame:
    return lake.read(PERSON_LINK).where("valid_to IS NULL")


def _find_renewal(run: Run, lake: Lakehouse, config: HistoryConfig) -> Renewal | None:
    """What the changes since the last run can reach; None where everything is to be built."""
    last = run.predecessor
    if last is None:
        return None
    feeds = (
        lake.changes(table, since=last.input_versions[table.name])
        for table in (EVENT, PERSON_LINK, PRODUCT)
    )
    changed, relinked, priced = feeds
    if changed is None or relinked is None or priced is None:
        return None
    # A product that costs something else now changes the margin of all its orders.
    limit = _RENEWED_SHARE * lake.read(EVENT).count()
    if not priced.isEmpty() or changed.count() + relinked.count() > limit:
        return None
    run.step("what has changed")
    return renew_history(
        lake.read(EVENT),
        _current_links(lake),
        lake.read(PRODUCT),
        changed,
        relinked,
        _read_history(lake),
        default_margin_rate=config.default_margin_rate,
    )


def _write_renewal(run: Run, lake: Lakehouse, renewal: Renewal) -> None:
    """Replace what was by what is; orders are held against the events before anything is written."""
    now, before = renewal.now, renewal.before
    kept = lake.read(ORDER).join(
        F.broadcast(before.orders.select("order_id").distinct()), on="order_id", how="left_anti"
    )
    days = now.days.localCheckpoint()
    _reconcile(run, lake.read(EVENT), kept.unionByName(now.orders))
    run.merge_all(
        {
            ORDER: (now.orders, before.orders),
            INTERACTION: (now.interactions, before.interactions),
            PERSON_DAY: (days, before.days.localCheckpoint()),
        }
    )


def _reconcile(run: Run, events: DataFrame, orders: DataFrame) -> None:
    """Record revenue of persons and of anonymous sales; ContractError unless it equals the revenue of the events."""
    revenue = F.sum("net_revenue")
    anonymous = F.sum(F.when(F.col("person_id").isNull(), F.col("net_revenue")))
    sums = (events.agg(revenue), orders.agg(revenue, anonymous))
    found = side_by_side(lambda df: df.collect()[0], sums)
    (landed,), (total, unknown) = ([value or 0 for value in row] for row in found)
    if landed != total:
        raise ContractError(
            f"{ORDER.name}: net_revenue is {total}, the events have {landed}. Lines were lost or counted twice, or "
            f"{EVENT.name} is of an older version. Nothing was written. Run: clvspark ingest --force, then clvspark "
            "history; if they still differ, please report this."
        )
    run.metric("revenue", float(total))
    run.metric("revenue_of_persons", float(total - unknown))
    run.metric("revenue_anonymous", float(unknown))
