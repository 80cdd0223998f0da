"""What may follow a decision: persons of new records, histories, summaries and values, of who is touched alone.

The same transforms as the stages `history` and `score`, on what has come since either of them, or this, has last run.
Tables are written in such an order that a run which was interrupted is done again by the next one: orders and
interactions, by which the days of persons that were are found, come last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import ValueModels, model_columns
from clvspark.clv.intervals import Uncertainty, doubt_links, learn_uncertainty
from clvspark.clv.label_models import label_columns_of
from clvspark.clv.score import score_customers
from clvspark.clv.stage import label_summaries, read_champions
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.clv.value_change import compare_values, read_last_state
from clvspark.config import Config
from clvspark.history.change import Renewal
from clvspark.history.clv_summary import list_late_changes, summarise_purchases
from clvspark.history.stage import STAGE as HISTORY
from clvspark.history.stage import list_changes, list_differences, renew_from
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY, SESSION
from clvspark.identity.stage import STAGE as RESOLVE
from clvspark.identity.tables import PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.run_log import LastRun
from clvspark.lakehouse.side_by_side import all_of, keep_all
from clvspark.lakehouse.subsets import rows_among, rows_beside
from clvspark.pipeline import STAGES
from clvspark.sources.tables import CUSTOMER_RECORD, EVENT, PRODUCT, SURVEY_RESPONSE

STAGE = "renew"
_READS = (EVENT, PERSON_LINK, SURVEY_RESPONSE, PRODUCT)
_WRITES = (ORDER, INTERACTION, SESSION, PERSON_DAY, CLV_SUMMARY, CUSTOMER_VALUE, VALUE_CHANGE)


@dataclass(frozen=True)
class _Champions:
    """Who values, and how sure: learnt from everybody once a day."""

    as_of: date
    model_id: str
    models: ValueModels
    known: Uncertainty | None


class Renewer:
    """Brings persons, histories and values up to the events that the stream has written."""

    def __init__(
        self, lake: Lakehouse, config: Config, report: Callable[[RunReport], None]
    ) -> None:
        """Nothing is read before it is asked for; `report` is told of every run."""
        self._lake, self._config, self._report = lake, config, report
        self._champions: _Champions | None = None

    def resolve(self, as_of: date) -> bool:
        """Make persons of new and changed records, as the batch does; whether there were any."""
        lake = self._lake
        lake.log.forget_everything()
        last = lake.log.newest_success(RESOLVE)
        if last is not None and last.input_versions.get(CUSTOMER_RECORD.name) == lake.version(
            CUSTOMER_RECORD
        ):
            return False
        self._report(STAGES[RESOLVE](lake, self._config, as_of))
        return True

    def renew(self, as_of: date) -> bool:
        """Bring histories and values up to the events and persons; whether there was anything to do."""
        lake = self._lake
        last = self._last_run()
        versions = {table.name: lake.version(table) for table in _READS}
        if last is not None and all(
            last.input_versions.get(name) == version for name, version in versions.items()
        ):
            return False
        lake.log.forget_everything()
        changes = None
        if last is not None:
            until = {name: version for name, version in versions.items() if version is not None}
            changes = list_changes(lake, last.input_versions, until)
        if changes is None:
            for name in (HISTORY, "score"):
                self._report(STAGES[name](lake, self._config, as_of))
            return True
        with lake.run(
            STAGE, as_of=as_of, config=self._config.clv, reads=_READS, writes=_WRITES
        ) as run:
            # What has come meanwhile is for the next run.
            run.input_versions = {name: v for name, v in versions.items() if v is not None}
            run.metric("events", changes.events.count())
            renewal = renew_from(
                lake, changes, self._config.history, event_version=versions[EVENT.name]
            )
            moved = changes.links.select("person_id")
            self._write(run, renewal, renewal.persons.unionByName(moved).distinct(), as_of)
        self._report(run.report)
        return True

    def _last_run(self) -> LastRun | None:
        """The newest run that brought the histories up to the events."""
        runs = [self._lake.log.newest_success(name) for name in (HISTORY, STAGE)]
        done = [run for run in runs if run is not None]
        return max(done, key=lambda run: run.ended_at, default=None)

    def _write(self, run: Run, renewal: Renewal, who: DataFrame, as_of: date) -> None:
        lake, config = self._lake, self._config
        differences, who = all_of(lambda: list_differences(renewal), who.localCheckpoint)
        run.metric("persons", who.count())
        days, gone = differences.pop(PERSON_DAY)
        run.merge(PERSON_DAY, days, gone=gone)
        orders = _orders_after(lake, renewal)
        late = rows_among(list_late_changes(orders), who, "person_id")
        summary = summarise_purchases(
            rows_among(lake.read(PERSON_DAY), who, "person_id"),
            as_of=as_of,
            lags_days=config.history.keeping(config.clv.lags_days).summary_lags_days,
            late_changes=late,
        ).localCheckpoint()
        self._replace(run, CLV_SUMMARY, summary, who, as_of)
        champions = self._find_champions(as_of)
        if champions is not None:
            values, changes = _value(lake, config.clv, champions, summary, who)
            all_of(
                partial(self._replace, run, CUSTOMER_VALUE, values, who, as_of),
                partial(self._replace, run, VALUE_CHANGE, changes, who, as_of),
            )
        run.merge_all(dict(differences))

    def _replace(
        self, run: Run, table: Table, rows: DataFrame, who: DataFrame, as_of: date
    ) -> None:
        """Bring the rows of a date and of some persons to `rows`."""
        stored = rows_among(self._lake.read(table).where(rows_of(as_of)), who, "person_id")
        run.merge(table, rows, gone=stored.select(*table.key))

    def _find_champions(self, as_of: date) -> _Champions | None:
        """The models that value as of a date; None where no fit has found any."""
        lake, config = self._lake, self._config.clv
        if self._champions is None or self._champions.as_of != as_of:
            try:
                model_id, models = read_champions(lake, config, as_of)
            except MissingInputError:
                return None
            everybody = lake.read(CLV_SUMMARY).where(rows_of(as_of)).where("lag_days = 0")
            labelled = _label(lake, config, models, everybody)
            known = learn_uncertainty(labelled, models, config)
            self._champions = _Champions(as_of, model_id, models, known)
        return self._champions


def _orders_after(lake: Lakehouse, renewal: Renewal) -> DataFrame:
    """history.order as it will be."""
    now, before = renewal.now.orders, renewal.before.orders
    ids = now.select("order_id").unionByName(before.select("order_id")).distinct()
    return rows_beside(lake.read(ORDER), ids, "order_id").select(*now.columns).unionByName(now)


def _label(
    lake: Lakehouse, config: ClvConfig, models: ValueModels, summary: DataFrame
) -> DataFrame:
    columns = model_columns(summary, config.value, config.spend_of)
    return label_summaries(lake, columns, label_columns_of(models.transaction))


def _value(
    lake: Lakehouse,
    config: ClvConfig,
    champions: _Champions,
    summary: DataFrame,
    who: DataFrame,
) -> tuple[DataFrame, DataFrame]:
    """Rows of clv.customer_value and clv.value_change of persons, in memory."""
    labelled = _label(lake, config, champions.models, summary)
    links = rows_among(current_links(lake.read(PERSON_LINK)), who, "person_id")
    values = score_customers(
        labelled.where("lag_days = 0"),
        labelled.where(F.col("lag_days") == config.decline_days),
        doubt_links(links),
        champions.models,
        config=config,
        model_id=champions.model_id,
        known=champions.known,
    )
    (values,) = keep_all(values)
    before = rows_among(
        read_last_state(lake.read_or_empty(VALUE_CHANGE), champions.as_of), who, "person_id"
    )
    (changes,) = keep_all(compare_values(values, before, config=config))
    return values, changes
