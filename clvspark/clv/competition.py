"""Every candidate is backtested on the same folds and fitted to all that is known; the best becomes the champion."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import fmean
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame

from clvspark.clv.calibration import collect_judged, measure_intervals
from clvspark.clv.challenger.challenge import predict_by_features
from clvspark.clv.challenger.two_part import NAME as CHALLENGER
from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import (
    FoldModels,
    collect_histories,
    fit_spend_model,
    fit_transaction_model,
)
from clvspark.clv.folds import Fold
from clvspark.clv.models import GammaGammaModel
from clvspark.clv.models.errors import SpendFrequencyCorrelationWarning
from clvspark.clv.models.transactions import TransactionModel
from clvspark.clv.validate import (
    condense_predictions,
    list_deciles,
    measure_outcome,
    predict_holdouts,
)
from clvspark.lakehouse.errors import TrainingError

SPEND_MODEL = GammaGammaModel.__name__
_MORE_IS_BETTER = ("log_likelihood", "normalised_gini", "value_normalised_gini")
# Customers up to whom equal predictions alone are grouped before they go to the driver.
_FEW = 100_000


@dataclass
class Competition:
    """How the candidates did.

    Parameters
    ----------
    fitted : models fitted to all that is known, by name; the spend model among them.
    measures : of `measure_outcome`, `measure_intervals` and ``log_likelihood``, by model and origin of the fold.
        Baselines and the challenger are judged too, but never crowned; they have no intervals.
    deciles : rows of `list_deciles`, by model, origin and outcome.
    newest : transaction models of the newest fold, by name.
    refused : why a model could not be fitted, by name and origin of the fold; None: to all that is known.
    warnings : what a model that was fitted says of its assumptions.
    """

    fitted: dict[str, TransactionModel | GammaGammaModel] = field(default_factory=dict)
    measures: dict[str, dict[date, dict[str, float]]] = field(default_factory=dict)
    deciles: dict[tuple[str, date, str], list[dict[str, Any]]] = field(default_factory=dict)
    newest: dict[str, TransactionModel] = field(default_factory=dict)
    refused: dict[tuple[str, date | None], str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def candidates(self) -> list[str]:
        """Transaction models that are fitted to all that is known and were judged on every fold, by name.

        Where none was judged on every fold: those that were judged on most.
        """
        names = [name for name in self.measures if name in self.fitted]
        most = max((len(self.measures[name]) for name in names), default=0)
        return sorted(name for name in names if len(self.measures[name]) == most)

    @property
    def can_value(self) -> bool:
        """Whether there is a model that counts purchases, and one that prices them."""
        return bool(self.candidates) and SPEND_MODEL in self.fitted

    def average(self, name: str, measure: str) -> float | None:
        """Mean of a measure over the folds, None where a fold has not got it.

        Log-likelihoods too: models are compared on the same folds.
        """
        found = [measures.get(measure) for measures in self.measures[name].values()]
        known = [value for value in found if value is not None]
        return fmean(known) if known and len(known) == len(found) else None

    def averages(self, name: str) -> dict[str, float]:
        """Measures of a model that all its folds have, averaged over them; none of the spend model."""
        measures = {measure for fold in self.measures.get(name, {}).values() for measure in fold}
        found = {measure: self.average(name, measure) for measure in sorted(measures)}
        return {measure: value for measure, value in found.items() if value is not None}

    def champion(self, by: str) -> str:
        """The candidate with the best average of the measure `by`; of equal ones the first by name.

        Where it is not defined for all, e.g. a share of purchases where nobody bought, the MAE decides.
        """
        if any(self.average(name, by) is None for name in self.candidates):
            by = "mae"
        sign = -1.0 if by in _MORE_IS_BETTER else 1.0
        averages = {name: self.average(name, by) for name in self.candidates}
        return min(averages, key=lambda name: (sign * (averages[name] or 0.0), name))

    def beats(self, name: str, champion: str, by: str) -> bool:
        """Whether a model that may not be crowned has a better average than the champion, on the same folds."""
        if self.measures.get(name, {}).keys() != self.measures[champion].keys():
            return False
        theirs, ours = self.average(name, by), self.average(champion, by)
        if theirs is None or ours is None:
            return False
        return theirs > ours if by in _MORE_IS_BETTER else theirs < ours

    def judge(self, groups: pd.DataFrame, origins: dict[int, date]) -> None:
        """Take measures and deciles of rows of `condense_predictions`; origins by lag."""
        order = ["predicted", "actual"]
        for key, rows in groups.groupby(["lag_days", "model", "outcome"]):
            lag, name, outcome = map(str, key)
            origin, ordered = origins[int(lag)], rows.sort_values(order)
            measures = self.measures.setdefault(name, {}).setdefault(origin, {})
            measures.update(measure_outcome(ordered, outcome))
            self.deciles[name, origin, outcome] = list_deciles(ordered)

    def add_measures(self, origin: date, measures: Mapping[str, dict[str, float]]) -> None:
        """More measures of models that were judged on a fold, by model."""
        for name, found in measures.items():
            self.measures[name][origin].update(found)


def hold_competition(
    config: ClvConfig,
    folds: Sequence[Fold],
    cases: DataFrame,
    now: DataFrame,
    examples: DataFrame | None,
    step: Callable[[str], None],
) -> Competition:
    """Fit every model of ``clv.models`` and the spend model; one that cannot be fitted is left out with its reason.

    In: rows of `join_windows` of all folds, and history.clv_summary of all that is known, with `model_columns`; rows
    of `build_examples` for the challenger, None: without it. The models of a fold see what was before its origin
    alone. The others may suit these customers where one does not.
    """
    found = Competition()
    histories = collect_histories(cases)
    models = {}
    for fold in folds:
        step(f"fitting the models of the fold from {fold.origin}")
        models[fold.lag_days] = _fit_fold(found, config, fold, histories[fold.lag_days], cases)
    found.newest = dict(models[folds[0].lag_days].transaction)
    predictions = predict_holdouts(cases, models, holdout_days=config.holdout_days)
    if examples is not None:
        step("training the challenger")
        rivals, reasons = predict_by_features(examples, folds, config)
        found.refused |= {(CHALLENGER, fold.origin): reason for fold, reason in reasons.items()}
        predictions = predictions if rivals is None else predictions.unionByName(rivals)
    step("judging the models")
    most = max(int(rows["weight"].sum()) for rows in histories.values())
    groups = condense_predictions(predictions, is_exact=most <= _FEW).toPandas()
    found.judge(groups, {fold.lag_days: fold.origin for fold in folds})
    judged = collect_judged(cases, models, customers=most)
    for fold in folds:
        # Of a fold much smaller than the others maybe nobody was drawn.
        if fold.lag_days in judged:
            given = (judged[fold.lag_days], models[fold.lag_days])
            intervals = measure_intervals(*given, holdout_days=config.holdout_days)
            found.add_measures(fold.origin, intervals)
    for fold in folds:
        fitted = models[fold.lag_days].transaction
        likelihoods = {name: {"log_likelihood": m.log_likelihood_} for name, m in fitted.items()}
        found.add_measures(fold.origin, likelihoods)
    step("fitting the models to all that is known")
    _fit_now(found, config, now)
    return found


def _fit_fold(
    found: Competition, config: ClvConfig, fold: Fold, histories: pd.DataFrame, cases: DataFrame
) -> FoldModels:
    transaction: dict[str, TransactionModel] = {}
    spend = None
    for name in config.models:
        try:
            transaction[name] = fit_transaction_model(name, histories)
        except TrainingError as error:
            found.refused[name, fold.origin] = str(error)
    with warnings.catch_warnings():
        # It is told of the fit to all that is known.
        warnings.simplefilter("ignore", SpendFrequencyCorrelationWarning)
        try:
            spend = fit_spend_model(cases.where(cases["lag_days"] == fold.lag_days))
        except TrainingError as error:
            found.refused[SPEND_MODEL, fold.origin] = str(error)
    return FoldModels(transaction, spend)


def _fit_now(found: Competition, config: ClvConfig, now: DataFrame) -> None:
    (histories,) = collect_histories(now).values()
    for name in config.models:
        try:
            found.fitted[name] = fit_transaction_model(name, histories)
        except TrainingError as error:
            found.refused[name, None] = str(error)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpendFrequencyCorrelationWarning)
        try:
            found.fitted[SPEND_MODEL] = fit_spend_model(now)
        except TrainingError as error:
            found.refused[SPEND_MODEL, None] = str(error)
    found.warnings += [
        f"{SPEND_MODEL}: {one.message}"
        for one in caught
        if one.category is SpendFrequencyCorrelationWarning
    ]
