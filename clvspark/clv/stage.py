"""Fit: `history.*` -> `clv.model`, `clv.backtest`, `clv.backtest_decile`. Score: -> `clv.customer_value`."""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.backtest_rows import list_backtest, list_backtest_deciles
from clvspark.clv.challenger.challenge import build_examples
from clvspark.clv.challenger.two_part import NAME as CHALLENGER
from clvspark.clv.competition import SPEND_MODEL, Competition, hold_competition
from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import (
    TRANSACTION_MODELS,
    ValueModels,
    model_columns,
    restore_transaction_model,
)
from clvspark.clv.folds import Fold, count_windows, join_windows, list_folds
from clvspark.clv.intervals import doubt_links, learn_uncertainty
from clvspark.clv.models import GammaGammaModel
from clvspark.clv.pictures import draw_champion
from clvspark.clv.registry import register_fit
from clvspark.clv.score import score_customers
from clvspark.clv.tables import BACKTEST, BACKTEST_DECILE, CUSTOMER_VALUE, MODEL, VALUE_CHANGE
from clvspark.clv.value_change import compare_values, read_last_state
from clvspark.history.tables import CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY
from clvspark.identity.tables import PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport, Table
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import MissingInputError
from clvspark.lakehouse.side_by_side import keep_all
from clvspark.lakehouse.tracking import open_tracker
from clvspark.sources.tables import SURVEY_RESPONSE

FIT_STAGE, SCORE_STAGE = "fit", "score"
_FIT_READS = (CLV_SUMMARY, PERSON_DAY, ORDER, INTERACTION, PERSON_LINK, SURVEY_RESPONSE)
_FIT_WRITES = (MODEL, BACKTEST, BACKTEST_DECILE)
_SHORTEST_HOLDOUT_DAYS = 7
# Share of the repeat buyers from which it is told that the spend model does not see them.
_MANY_WORTHLESS = 0.02


def run_fit(lake: Lakehouse, config: ClvConfig, as_of: date) -> RunReport:
    """Backtest every model on rolling origins, choose the champion, fit all on everything before `as_of`.

    A model that cannot be fitted is left out with its reason. Where none can, or nobody had bought before the holdout,
    the run warns and the champion of an earlier date stays, if there is one: what needs no model still runs.
    """
    with lake.run(
        FIT_STAGE, as_of=as_of, config=config, reads=_FIT_READS, writes=_FIT_WRITES
    ) as run:
        if not run.is_current:
            _fit(run, lake, config, as_of)
    return run.report


def run_score(lake: Lakehouse, config: ClvConfig, as_of: date) -> RunReport:
    """Value every person with the champion, as of `as_of`; values of other dates stay as they are."""
    reads = (CLV_SUMMARY, MODEL, PERSON_LINK)
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
    now, then = (_lagged(summary, days) for days in (0, config.decline_days))
    known = learn_uncertainty(now, models, config)
    if known is None:
        run.warn(
            "values have no intervals: nobody is valued, or the mean spend is close to infinite. Next step: look at "
            "'q' of GammaGammaModel in clv.model, and at the highest net_revenue of history.order."
        )
    links = lake.read_or_empty(PERSON_LINK).where("valid_to IS NULL")
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


def _fit(run: Run, lake: Lakehouse, config: ClvConfig, as_of: date) -> None:
    summary = _summaries(lake, config, as_of)
    first = _first_purchase(summary)
    folds = [] if first is None else list_folds(config, as_of, first)
    if not folds:
        run.warn(_say_too_young(first, config, as_of))
        _leave_nothing(run, lake, as_of, *_FIT_WRITES)
        return
    if len(folds) < config.backtest.folds:
        run.step(f"{len(folds)} of {config.backtest.folds} folds have purchases before them")
    now, cases, *examples = keep_all(
        _lagged(summary, 0),
        _cases(lake, summary, folds, config, as_of),
        *([_examples(lake, folds, config)] if config.challenger.enabled else []),
    )
    _refuse_no_lag(cases, folds, as_of)
    found = hold_competition(config, folds, cases, now, examples[0] if examples else None, run.step)
    for (name, origin), reason in found.refused.items():
        run.metric(f"not fitted: {name}", 1)
        run.step(reason if origin is None else f"fold from {origin}: {reason}")
    for warning in [*found.warnings, *_say_worthless(run, now)]:
        run.warn(warning)
    backtest = {
        table: lake.spark.createDataFrame(rows, table.schema)
        for table, rows in (
            (BACKTEST, list_backtest(found, folds, config, as_of)),
            (BACKTEST_DECILE, list_backtest_deciles(found, as_of)),
        )
    }
    if not found.can_value:
        run.warn(_say_unfitted(found))
        _leave_nothing(run, lake, as_of, MODEL)
        run.overwrite_all(backtest, where=rows_of(as_of))
        return
    champion = found.champion(config.champion_by)
    if found.beats(CHALLENGER, champion, config.champion_by):
        run.warn(_say_beaten(found, champion, config.champion_by))
    plots = {}
    if champion in found.newest:
        run.step("drawing the champion")
        days, fold = lake.read(PERSON_DAY), folds[0]
        plots = draw_champion(found, champion, cases, days, fold=fold, config=config, as_of=as_of)
    _publish_models(run, lake, config, found, backtest, {champion: plots}, as_of)


def _cases(
    lake: Lakehouse, summary: DataFrame, folds: list[Fold], config: ClvConfig, as_of: date
) -> DataFrame:
    """Purchase histories at the origins of the folds, with what came before and after: rows of `join_windows`."""
    windows = count_windows(
        lake.read(PERSON_DAY),
        origins=[fold.origin for fold in folds],
        window_days=config.holdout_days,
        value=config.value,
    )
    known = summary.where(F.col("lag_days").isin([fold.lag_days for fold in folds]))
    return join_windows(known, windows, as_of=as_of)


def _examples(lake: Lakehouse, folds: list[Fold], config: ClvConfig) -> DataFrame:
    """What the challenger learns from and is judged on: rows of `build_examples`."""
    current = lake.read_or_empty(PERSON_LINK).where("valid_to IS NULL")
    answers = lake.read_or_empty(SURVEY_RESPONSE).join(
        current.select("source_system", "source_record_id", "person_id"),
        on=["source_system", "source_record_id"],
        how="inner",
    )
    return build_examples(
        lake.read(PERSON_DAY),
        lake.read_or_empty(ORDER),
        lake.read_or_empty(INTERACTION),
        answers.select("person_id", "answered_at", "score"),
        folds=folds,
        config=config,
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
    champions = {*plots, SPEND_MODEL}
    versions, rows = {}, []
    for name, model in found.fitted.items():
        document, measures = model.to_dict(), found.averages(name)
        versions[name] = register_fit(
            tracker, name, document, measures, as_of=as_of, plots=plots.get(name, {})
        )
        rows.append(_model_row(name, document, config, as_of, name in champions, versions[name]))
    models = lake.spark.createDataFrame(rows, MODEL.schema)
    run.overwrite_all({**backtest, MODEL: models}, where=rows_of(as_of))
    # Last, so that the alias names no model that the table does not have.
    for name in champions:
        rivals = TRANSACTION_MODELS if name in TRANSACTION_MODELS else ()
        tracker.crown(name, versions[name], rivals=rivals)


def _summaries(lake: Lakehouse, config: ClvConfig, as_of: date) -> DataFrame:
    """Summaries of the date with the models' columns; MissingInputError where history has not made them."""
    return model_columns(
        lake.read_of(CLV_SUMMARY, as_of, stage="history"), config.value, config.spend_of
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


def _say_too_young(first: date | None, config: ClvConfig, as_of: date) -> str:
    """Why nothing could be fitted, and what to do."""
    if first is None:
        return (
            f"no model was fitted: {CLV_SUMMARY.name} is empty, no known person bought anything before {as_of}. Next "
            "step: see whether orders landed (sources.event, sources.quarantine), whether they name customers that are "
            "known, and whether 'as_of' is after them."
        )
    ready = first + timedelta(days=config.holdout_days + 1)
    age = (as_of - first).days
    shorter = (
        f" or set 'clv.holdout_days' below {age} and run again"
        if age > _SHORTEST_HOLDOUT_DAYS
        else ""
    )
    return (
        f"no model was fitted: the first purchase is of {first}, and a backtest over {config.holdout_days} days needs "
        f"purchases before {as_of - timedelta(days=config.holdout_days)}. Next step: run again as of {ready} or later"
        f"{shorter}."
    )


def _say_worthless(run: Run, now: DataFrame) -> list[str]:
    """Count repeat buyers whose mean spend is not positive, which no spend model knows; a sentence where many are."""
    repeaters, worthless = now.agg(
        F.count_if(F.col("spend_days") > 0),
        F.count_if((F.col("spend_days") > 0) & (F.col("monetary_value") <= 0)),
    ).collect()[0]
    run.metric("repeat buyers without positive spend", worthless)
    warning = (
        f"{worthless:,} of {repeaters:,} repeat buyers have brought nothing or a loss a purchase, by 'clv.value'. The "
        "spend model is for positive amounts: it does not see them, so those who bought once are rather valued too "
        "high, and their own future purchases count as a cent. Next step: see whether unit costs and refunds are "
        "right; or set 'clv.value: revenue'."
    )
    return [warning] if worthless > _MANY_WORTHLESS * repeaters else []


def _say_beaten(found: Competition, champion: str, by: str) -> str:
    """That features tell more than purchase histories do."""
    theirs, ours = (found.average(name, by) for name in (CHALLENGER, champion))
    return (
        f"{CHALLENGER} predicts better than the champion {champion}: {by} {theirs:.4g} against {ours:.4g} on average "
        "over the folds. It tells neither P(alive) nor values at other horizons, so the champion stays. Next step: see "
        "which channels or contacts tell more than purchases do, e.g. as covariates of the model."
    )


def _say_unfitted(found: Competition) -> str:
    """Why no persons can be valued by a model of this date, and what to do."""
    reasons = "; ".join(dict.fromkeys(found.refused.values()))
    return (
        f"no model was fitted, and the champion of an earlier date stays, if there is one: {reasons}. Revenue, its "
        "deciles and the audiences that ask for no predicted value are there all the same. Next step: run again when "
        "more people have come back to buy; or name another model under 'clv.models', e.g. NBDModel, for which nobody "
        "has to have left."
    )


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
        "transaction" if name in TRANSACTION_MODELS else "spend",
        name,
        champion,
        document["params"],
        document["standard_errors"],
        document["log_likelihood"],
        int(document["n_customers"]),
        text,
        config.value if name == SPEND_MODEL else None,
        version,
    )


def _champions(lake: Lakehouse, config: ClvConfig, as_of: date) -> DataFrame:
    """Champions of fits that knew no more than what was before `as_of`; spend models of the configured value."""
    known = lake.read(MODEL).where(F.col("as_of_date") <= F.lit(as_of))
    return known.where("is_champion").where(
        (F.col("kind") != "spend") | F.col("priced").eqNullSafe(F.lit(config.value))
    )


def read_champions(lake: Lakehouse, config: ClvConfig, as_of: date) -> tuple[str, ValueModels]:
    """The newest champions: id of the transaction model, and both models."""
    champions = _champions(lake, config, as_of)
    newest = champions.groupBy("kind").agg(F.max_by(F.struct("*"), "as_of_date").alias("_newest"))
    found = {row["kind"]: row for row in newest.select("_newest.*").collect()}
    if set(found) != {"transaction", "spend"}:
        raise MissingInputError(
            f"clv.model has no champion for 'clv.value: {config.value}' as of {as_of} or before. Run first, with the "
            f"same --config: clvspark fit --as-of {as_of}"
        )
    models = ValueModels(
        restore_transaction_model(json.loads(found["transaction"]["document"])),
        GammaGammaModel.from_dict(json.loads(found["spend"]["document"])),
    )
    return found["transaction"]["model_id"], models
