"""Fit: `history.*` -> `clv.model`, `clv.backtest`, `clv.backtest_decile`. Score: -> `clv.customer_value`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.backtest_rows import list_backtest, list_backtest_deciles, list_segments
from clvspark.clv.candidates import CANDIDATES
from clvspark.clv.challenger.categories import list_categories
from clvspark.clv.challenger.challenge import build_examples
from clvspark.clv.challenger.stages import Stages
from clvspark.clv.challenger.two_part import NAME as CHALLENGER
from clvspark.clv.competition import Competition, hold_competition
from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import ValueModels, model_columns, restore_transaction_model
from clvspark.clv.folds import Fold, count_windows, join_windows, list_folds
from clvspark.clv.intervals import doubt_links, learn_uncertainty
from clvspark.clv.label_models import PurchaseModel, label_columns_of
from clvspark.clv.labels import label_persons
from clvspark.clv.models import NormalNormalModel
from clvspark.clv.pictures import draw_champion
from clvspark.clv.registry import register_fit
from clvspark.clv.score import score_customers
from clvspark.clv.segment_models import SegmentModels
from clvspark.clv.sentences import say_beaten, say_too_young, say_unfitted, say_worthless
from clvspark.clv.spend import SPEND_MODELS, restore_spend_model
from clvspark.clv.tables import (
    BACKTEST,
    BACKTEST_DECILE,
    CUSTOMER_VALUE,
    MODEL,
    SEGMENT_MODEL,
    VALUE_CHANGE,
)
from clvspark.clv.uncertainty import SpendModel
from clvspark.clv.value_change import compare_values, read_last_state
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY
from clvspark.identity.tables import PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.tracking import open_tracker
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, PRODUCT

FIT_STAGE, SCORE_STAGE = "fit", "score"
_FIT_READS = (CLV_SUMMARY, PERSON_DAY, ORDER, INTERACTION)
_CHALLENGER_READS = (EVENT, PRODUCT)
_FIT_WRITES = (MODEL, BACKTEST, BACKTEST_DECILE)
# What labels of persons are read from, besides history.clv_summary.
_LABELS_FROM: dict[str, tuple[Table, ...]] = {
    "acquisition_channel": (ORDER,),
    "country": (CUSTOMER_RECORD, PERSON_LINK),
    "email_consent": (CONSENT, PERSON_LINK),
    "cohort": (),
}
# Share of the repeat buyers from which it is told that the spend model does not see them.
_MANY_WORTHLESS = 0.02


def run_fit(
    lake: Lakehouse, config: ClvConfig, as_of: date, *, stages: Stages | None = None
) -> RunReport:
    """Backtest every model on rolling origins, choose the champion, fit all on everything before `as_of`.

    A model that cannot be fitted is left out with its reason. Where none can, or nobody had bought before the holdout,
    the run warns and the champion of an earlier date stays, if there is one: what needs no model still runs. The
    challenger learns from `stages` too.
    """
    reads, also = _with_labels(_FIT_READS, config), {}
    if config.challenger.enabled:
        reads = tuple(dict.fromkeys([*reads, *_CHALLENGER_READS]))
        also = {"stages": "" if stages is None else stages.basis}
    with lake.run(
        FIT_STAGE,
        as_of=as_of,
        config=config,
        reads=reads,
        writes=_fit_writes(lake, config),
        also=also,
    ) as run:
        if not run.is_current:
            _fit(run, lake, config, as_of, stages)
    return run.report


def run_score(lake: Lakehouse, config: ClvConfig, as_of: date) -> RunReport:
    """Value every person with the champion, as of `as_of`; values of other dates stay as they are."""
    reads = _with_labels((CLV_SUMMARY, MODEL, PERSON_LINK), config)
    with lake.run(
        SCORE_STAGE, as_of=as_of, config=config, reads=reads, writes=(CUSTOMER_VALUE, VALUE_CHANGE)
    ) as run:
        if not run.is_current:
            values = _value_persons(run, lake, config, as_of).localCheckpoint(eager=False)
            before = read_last_state(lake.read_or_empty(VALUE_CHANGE), as_of)
            changes = compare_values(values, before, config=config)
            found = {CUSTOMER_VALUE: values, VALUE_CHANGE: changes}
            run.overwrite_all(found, where=rows_of(as_of), cached=True)
    return run.report


def _with_labels(reads: Iterable[Table], config: ClvConfig) -> tuple[Table, ...]:
    """Tables that are read, with those that labels of persons come from."""
    more = (table for label in config.labels for table in _LABELS_FROM[label])
    return tuple(dict.fromkeys([*reads, *more]))


def _fit_writes(lake: Lakehouse, config: ClvConfig) -> tuple[Table, ...]:
    """Tables that a fit writes; of segments also where an earlier fit has left some."""
    has_segments = bool(config.segments.by) or lake.exists(SEGMENT_MODEL)
    return (*_FIT_WRITES, SEGMENT_MODEL) if has_segments else _FIT_WRITES


def _value_persons(run: Run, lake: Lakehouse, config: ClvConfig, as_of: date) -> DataFrame:
    """clv.customer_value; empty, with a warning, where a fit had nothing to be fitted to."""
    summary = _summaries(lake, config, as_of)
    if (
        lake.exists(MODEL)
        and _champions(lake, config, as_of).where("kind = 'spend'").isEmpty()
        and _was_nothing_to_fit(lake, as_of)
    ):
        run.warn(
            "nobody is valued: no model has been fitted yet. Next step: the warning of the stage 'fit' says why, and "
            "what to do."
        )
        return lake.spark.createDataFrame([], CUSTOMER_VALUE.schema)
    model_id, models = read_champions(lake, config, as_of)
    run.step("scoring persons")
    summary = label_summaries(lake, summary, label_columns_of(models.transaction))
    now, then = (_lagged(summary, days) for days in (0, config.decline_days))
    known = learn_uncertainty(now, models, config)
    if known is None:
        run.warn(
            "values have no intervals: nobody is valued, or the mean spend is close to infinite. Next step: look at "
            "'q' of GammaGammaModel in clv.model, and at the highest net_revenue of history.order."
        )
    links = current_links(lake.read_or_empty(PERSON_LINK))
    return score_customers(
        now,
        then,
        doubt_links(links),
        models,
        config=config,
        model_id=model_id,
        known=known,
    )


def _was_nothing_to_fit(lake: Lakehouse, as_of: date) -> bool:
    """Whether a fit found nothing to be fitted to, for this date or for any so far."""
    models = lake.read(MODEL)
    if lake.log.last_success(FIT_STAGE, as_of) is not None:
        models = models.where(rows_of(as_of))
    return models.isEmpty()


def _fit(run: Run, lake: Lakehouse, config: ClvConfig, as_of: date, stages: Stages | None) -> None:
    summary = _summaries(lake, config, as_of)
    first = _first_purchase(summary)
    folds = [] if first is None else list_folds(config, as_of, first)
    if not folds:
        run.warn(say_too_young(first, config, as_of))
        _leave_nothing(run, lake, as_of, *_fit_writes(lake, config))
        return
    summary = label_summaries(lake, summary, config.labels)
    if len(folds) < config.backtest.folds:
        run.step(f"{len(folds)} of {config.backtest.folds} folds have purchases before them")
    now, cases, *examples = keep_all(
        _lagged(summary, 0),
        _cases(lake, summary, folds, config, as_of),
        *([_examples(lake, folds, config, stages)] if config.challenger.enabled else []),
    )
    _refuse_no_lag(cases, folds, as_of)
    found = hold_competition(config, folds, cases, now, examples[0] if examples else None, run.step)
    for (name, origin), reason in found.refused.items():
        run.metric(f"not fitted: {name}", 1)
        run.step(reason if origin is None else f"fold from {origin}: {reason}")
    for warning in found.warnings:
        run.warn(warning)
    _count_worthless(run, now, config)
    backtest = {
        table: lake.spark.createDataFrame(rows, table.schema)
        for table, rows in (
            (BACKTEST, list_backtest(found, folds, config, as_of)),
            (BACKTEST_DECILE, list_backtest_deciles(found, as_of)),
        )
    }
    if not found.can_value:
        run.warn(say_unfitted(found))
        others = set(_fit_writes(lake, config)) - set(backtest)
        _leave_nothing(run, lake, as_of, *others)
        run.overwrite_all(backtest, where=rows_of(as_of))
        return
    champion = found.champion(config.champion_by)
    if found.beats(CHALLENGER, champion, config.champion_by):
        run.warn(say_beaten(found, champion, config.champion_by))
    plots = {}
    if champion in found.newest:
        run.step("drawing the champion")
        days, orders, fold = lake.read(PERSON_DAY), lake.read_or_empty(ORDER), folds[0]
        plots = draw_champion(
            found, champion, cases, days, orders, fold=fold, config=config, as_of=as_of
        )
    _publish_models(run, lake, config, found, backtest, {champion: plots}, as_of)


def _cases(
    lake: Lakehouse, summary: DataFrame, folds: list[Fold], config: ClvConfig, as_of: date
) -> DataFrame:
    """Purchase histories at the origins of the folds, with what came before and after: rows of `join_windows`."""
    windows = count_windows(
        lake.read(PERSON_DAY),
        lake.read_or_empty(ORDER),
        origins=[fold.origin for fold in folds],
        window_days=config.holdout_days,
        value=config.value,
    )
    known = summary.where(F.col("lag_days").isin([fold.lag_days for fold in folds]))
    return join_windows(known, windows, as_of=as_of)


def _examples(
    lake: Lakehouse, folds: list[Fold], config: ClvConfig, stages: Stages | None = None
) -> DataFrame:
    """What the challenger learns from and is judged on: rows of `build_examples`."""
    interactions = lake.read_or_empty(INTERACTION)
    answers = interactions.where("score IS NOT NULL")
    return build_examples(
        lake.read(PERSON_DAY),
        lake.read_or_empty(ORDER),
        interactions,
        answers.select("person_id", F.col("occurred_at").alias("answered_at"), "score"),
        folds=folds,
        config=config,
        categories=list_categories(lake.read_or_empty(EVENT), lake.read_or_empty(PRODUCT)),
        stages=stages,
    )


def _leave_nothing(run: Run, lake: Lakehouse, as_of: date, *tables: Table) -> None:
    """Take back what an earlier fit of the date has found: its models were of other purchases."""
    run.create(*tables)
    for table in tables:
        if lake.read(table).where(rows_of(as_of)).limit(1).count():
            nothing = lake.spark.createDataFrame([], table.schema)
            run.overwrite(table, nothing, where=rows_of(as_of))


def _publish_models(
    run: Run,
    lake: Lakehouse,
    config: ClvConfig,
    found: Competition,
    backtest: dict[Table, DataFrame],
    plots: dict[str, dict[str, Any]],
    as_of: date,
) -> None:
    """Register the fitted models in MLflow, write all tables of the fit, then give the champions their alias.

    `plots` are of the transaction model that is the champion, by its name.
    """
    run.step("registering the models")
    tracker = open_tracker(config.mlflow_uri, config.experiment, lake.storage.local_root)
    champions = {*plots, config.spend_model}
    versions, rows, segments = {}, [], []
    fitted: dict[str, PurchaseModel | SpendModel] = {**found.fitted}
    if found.spend is not None:
        fitted[config.spend_model] = found.spend
    for name, model in fitted.items():
        document, measures = model.to_dict(), found.averages(name)
        versions[name] = register_fit(
            tracker, name, document, measures, as_of=as_of, plots=plots.get(name, {})
        )
        row = _model_row(name, document, config, as_of, name in champions, versions[name])
        rows.append(row)
        if isinstance(model, SegmentModels):
            segments += list_segments(model, row[0], as_of)
    tables = {**backtest, MODEL: lake.spark.createDataFrame(rows, MODEL.schema)}
    if SEGMENT_MODEL in _fit_writes(lake, config):
        tables[SEGMENT_MODEL] = lake.spark.createDataFrame(segments, SEGMENT_MODEL.schema)
    run.overwrite_all(tables, where=rows_of(as_of))
    # Last, so that the alias names no model that the table does not have.
    for name in champions:
        rivals = SPEND_MODELS if name in SPEND_MODELS else CANDIDATES
        tracker.crown(name, versions[name], rivals=rivals)


def _summaries(lake: Lakehouse, config: ClvConfig, as_of: date) -> DataFrame:
    """Summaries of the date with the models' columns; MissingInputError where history has not made them."""
    return model_columns(
        lake.read_of(CLV_SUMMARY, as_of, stage="history"), config.value, config.spend_of
    )


def label_summaries(lake: Lakehouse, summary: DataFrame, labels: Sequence[str]) -> DataFrame:
    """The summaries with labels of their persons."""
    if not labels:
        return summary
    return label_persons(
        summary,
        labels,
        orders=lake.read_or_empty(ORDER),
        records=lake.read_or_empty(CUSTOMER_RECORD),
        consents=lake.read_or_empty(CONSENT),
        links=current_links(lake.read_or_empty(PERSON_LINK)),
    )


def _lagged(summary: DataFrame, days: int) -> DataFrame:
    return summary.where(F.col("lag_days") == days)


def _refuse_no_lag(cases: DataFrame, folds: list[Fold], as_of: date) -> None:
    """MissingInputError where history was run without the lag of a fold."""
    kept = {row[0] for row in cases.select("lag_days").distinct().collect()}
    missing = sorted({fold.lag_days for fold in folds} - kept)
    if missing:
        days = ", ".join(map(str, missing))
        raise MissingInputError(
            f"{CLV_SUMMARY.name} as of {as_of} has no rows of lag_days {days} (clv.holdout_days, clv.backtest), "
            "although somebody had bought by then: 'history' was run with other settings of 'clv'. Run, with the same "
            f"--config: clvspark history --as-of {as_of}"
        )


def _first_purchase(summary: DataFrame) -> date | None:
    """Day of the first purchase of anybody, None where nobody has bought."""
    found: date | None = summary.agg(F.min("first_purchase_on")).collect()[0][0]
    return found


def _count_worthless(run: Run, now: DataFrame, config: ClvConfig) -> None:
    """Count repeat buyers whose mean spend is not positive; warn where many are, and the spend model ignores them."""
    repeaters, worthless = now.agg(
        F.count_if(F.col("spend_days") > 0),
        F.count_if((F.col("spend_days") > 0) & (F.col("monetary_value") <= 0)),
    ).collect()[0]
    run.metric("repeat buyers without positive spend", worthless)
    is_seen = config.spend_model == NormalNormalModel.__name__
    if worthless > _MANY_WORTHLESS * repeaters and not is_seen:
        run.warn(say_worthless(repeaters, worthless))


def _model_row(
    name: str,
    document: dict[str, Any],
    config: ClvConfig,
    as_of: date,
    champion: bool,
    version: str,
) -> tuple[Any, ...]:
    text = json.dumps(document, sort_keys=True)
    return (
        hashlib.sha256(text.encode()).hexdigest()[:16],
        as_of,
        "spend" if name in SPEND_MODELS else "transaction",
        name,
        champion,
        document["params"],
        document["standard_errors"],
        document["log_likelihood"],
        int(document["n_customers"]),
        text,
        config.value if name in SPEND_MODELS else None,
        version,
    )


def _champions(lake: Lakehouse, config: ClvConfig, as_of: date) -> DataFrame:
    """Champions of fits that knew no more than what was before `as_of`; the configured spend model of the value."""
    known = lake.read(MODEL).where(F.col("as_of_date") <= F.lit(as_of))
    prices = F.col("priced").eqNullSafe(F.lit(config.value)) & (F.col("name") == config.spend_model)
    return known.where("is_champion").where((F.col("kind") != "spend") | prices)


def read_champions(lake: Lakehouse, config: ClvConfig, as_of: date) -> tuple[str, ValueModels]:
    """The newest champions: id of the transaction model, and both models."""
    champions = _champions(lake, config, as_of)
    newest = champions.groupBy("kind").agg(F.max_by(F.struct("*"), "as_of_date").alias("_newest"))
    found = {row["kind"]: row for row in newest.select("_newest.*").collect()}
    if set(found) != {"transaction", "spend"}:
        raise MissingInputError(
            f"clv.model has no champion for 'clv.value: {config.value}' and 'clv.spend_model: {config.spend_model}' as "
            f"of {as_of} or before. Run first, with the same --config: clvspark fit --as-of {as_of}"
        )
    models = ValueModels(
        restore_transaction_model(json.loads(found["transaction"]["document"])),
        restore_spend_model(json.loads(found["spend"]["document"])),
    )
    return found["transaction"]["model_id"], models
