"""Every candidate is backtested on the same folds and fitted to all that is known; the best becomes the champion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import fmean
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.calibration import collect_judged, measure_intervals
from clvspark.clv.candidates import by_segment, fit_candidates, fit_segments, takes_segments
from clvspark.clv.challenger.challenge import predict_by_features
from clvspark.clv.challenger.two_part import NAME as CHALLENGER
from clvspark.clv.config import ClvConfig
from clvspark.clv.fit import FoldModels, collect_histories
from clvspark.clv.folds import Fold
from clvspark.clv.label_models import PurchaseModel, count_parameters
from clvspark.clv.uncertainty.outcomes import SpendModel
from clvspark.clv.validate import (
    condense_predictions,
    list_deciles,
    measure_outcome,
    predict_holdouts,
)
from clvspark.lakehouse.errors import TrainingError

_MORE_IS_BETTER = ("log_likelihood", "normalised_gini", "value_normalised_gini")
# Customers up to whom equal predictions alone are grouped before they go to the driver.
_FEW = 100_000
# Averages that are nearer to each other, relative to the better one, are one: digits of two ways to calculate it.
_EQUAL = 1e-6


@dataclass
class Competition:
    """How the candidates did.

    Parameters
    ----------
    fitted : transaction models fitted to all that is known, by name.
    spend : the spend model fitted to all that is known, None where it could not be.
    measures : of `measure_outcome`, `measure_intervals` and ``log_likelihood``, by model and origin of the fold.
        Baselines and the challenger are judged too, but never crowned; they have no intervals.
    deciles : rows of `list_deciles`, by model, origin and outcome.
    newest : transaction models of the newest fold, by name.
    refused : why a model could not be fitted, by name and origin of the fold; None: to all that is known.
    warnings : what a model that was fitted says of its assumptions.
    """

    fitted: dict[str, PurchaseModel] = field(default_factory=dict)
    spend: SpendModel | None = None
    measures: dict[str, dict[date, dict[str, float]]] = field(default_factory=dict)
    deciles: dict[tuple[str, date, str], list[dict[str, Any]]] = field(default_factory=dict)
    newest: dict[str, PurchaseModel] = field(default_factory=dict)
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
        return bool(self.candidates) and self.spend is not None

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

    def champion(self, by: str, *, among: Sequence[str] | None = None) -> str:
        """The candidate with the best average of the measure `by`; of equal ones the simplest, then the first by name.

        Where it is not defined for all, e.g. a share of purchases where nobody bought, the MAE decides. `among` some of
        the candidates; None: all of them.
        """
        names = self.candidates if among is None else among
        if any(self.average(name, by) is None for name in names):
            by = "mae"
        sign = -1.0 if by in _MORE_IS_BETTER else 1.0
        averages = {name: sign * (self.average(name, by) or 0.0) for name in names}
        best = min(averages.values())
        equal = [name for name in names if averages[name] <= best + _EQUAL * abs(best)]
        return min(equal, key=lambda name: (count_parameters(self.fitted[name]), name))

    def beats(self, name: str, champion: str, by: str) -> bool:
        """Whether a model that may not be crowned has a better average than the champion, on the same folds."""
        if self.measures.get(name, {}).keys() != self.measures[champion].keys():
            return False
        theirs, ours = self.average(name, by), self.average(champion, by)
        if theirs is None or ours is None:
            return False
        return theirs > ours if by in _MORE_IS_BETTER else theirs < ours

    def refuse(self, reasons: Mapping[str, str], fold: Fold | None) -> None:
        """Keep why models could not be fitted in a fold; None: to all that is known."""
        origin = None if fold is None else fold.origin
        self.refused |= {(name, origin): reason for name, reason in reasons.items()}

    def judge(
        self, groups: pd.DataFrame, folds: Sequence[Fold], models: Mapping[int, FoldModels]
    ) -> None:
        """Take measures and deciles of rows of `condense_predictions`, and likelihoods of the models by lag."""
        origins = {fold.lag_days: fold.origin for fold in folds}
        order = ["predicted", "actual"]
        for key, rows in groups.groupby(["lag_days", "model", "outcome"]):
            lag, name, outcome = map(str, key)
            origin, ordered = origins[int(lag)], rows.sort_values(order)
            measures = self.measures.setdefault(name, {}).setdefault(origin, {})
            measures.update(measure_outcome(ordered, outcome))
            self.deciles[name, origin, outcome] = list_deciles(ordered)
        for of_lag, fitted in models.items():
            for name, model in fitted.transaction.items():
                self.measures[name][origins[of_lag]]["log_likelihood"] = model.log_likelihood_

    def add_measures(self, origin: date, measures: Mapping[str, dict[str, float]]) -> None:
        """More measures of models that were judged on a fold, by model."""
        for name, found in measures.items():
            self.measures[name][origin].update(found)


@dataclass(frozen=True)
class _Known:
    """What a fit may know: histories before the origin of a fold (None: all there are), and counts of them."""

    fold: Fold | None
    summaries: DataFrame
    histories: pd.DataFrame


def hold_competition(
    config: ClvConfig,
    folds: Sequence[Fold],
    cases: DataFrame,
    now: DataFrame,
    examples: DataFrame | None,
    step: Callable[[str], None],
) -> Competition:
    """Fit every model of ``clv.models``, with and without covariates, the best by segment, and the spend model.

    In: rows of `join_windows` of all folds, and history.clv_summary of all that is known, with `model_columns` and
    ``clv.labels``; rows of `build_examples` for the challenger, None: without it. The models of a fold see what was
    before its origin alone. One that cannot be fitted is left out with its reason; others may suit these customers.
    """
    found = Competition()
    histories = collect_histories(cases, config.labels)
    known = [_Known(fold, _of_folds(cases, [fold]), histories[fold.lag_days]) for fold in folds]
    models = {}
    for one, fold in zip(known, folds, strict=True):
        step(f"fitting the models of the fold from {fold.origin}")
        fitted = fit_candidates(config, one.histories, one.summaries)
        found.refuse(fitted.refused, fold)
        models[fold.lag_days] = fitted.models
    found.newest = dict(models[folds[0].lag_days].transaction)
    predictions = predict_holdouts(cases, models, holdout_days=config.holdout_days)
    if examples is not None:
        step("training the challenger")
        rivals, reasons = predict_by_features(examples, folds, config)
        for fold, reason in reasons.items():
            found.refuse({CHALLENGER: reason}, fold)
        predictions = predictions if rivals is None else predictions.unionByName(rivals)
    step("judging the models")
    most = max(int(rows["weight"].sum()) for rows in histories.values())
    found.judge(_condensed(predictions, most), folds, models)
    _judge_intervals(found, cases, models, folds, config, most)
    step("fitting the models to all that is known")
    (all_histories,) = collect_histories(now, config.labels).values()
    fitted = fit_candidates(config, all_histories, now)
    found.refuse(fitted.refused, None)
    found.fitted, found.spend = dict(fitted.models.transaction), fitted.models.spend
    found.warnings = fitted.warnings
    families = [name for name in found.candidates if takes_segments(name)]
    if config.segments.by and families:
        family = found.champion(config.champion_by, among=families)
        step(f"fitting {family} by {', '.join(config.segments.by)}")
        judged = _fit_segments(found, config, family, [*known, _Known(None, now, all_histories)])
        found.newest |= judged.get(folds[0].lag_days, {})
        entered = {lag: FoldModels(own, models[lag].spend) for lag, own in judged.items()}
        rows = _of_folds(cases, [fold for fold in folds if fold.lag_days in entered])
        predictions = predict_holdouts(rows, entered, holdout_days=config.holdout_days)
        own = predictions.where(F.col("model") == by_segment(family))
        found.judge(_condensed(own, most), folds, entered)
        _judge_intervals(found, cases, entered, folds, config, most)
    return found


def _judge_intervals(
    found: Competition,
    cases: DataFrame,
    models: Mapping[int, FoldModels],
    folds: Sequence[Fold],
    config: ClvConfig,
    customers: int,
) -> None:
    """Take the measures of the intervals that the models gave, by lag of their fold."""
    judged = collect_judged(cases, models, customers=customers)
    for fold in folds:
        # Of a fold much smaller than the others maybe nobody was drawn.
        if fold.lag_days in judged and fold.lag_days in models:
            given = (judged[fold.lag_days], models[fold.lag_days])
            intervals = measure_intervals(*given, holdout_days=config.holdout_days)
            found.add_measures(fold.origin, intervals)


def _fit_segments(
    found: Competition, config: ClvConfig, family: str, known: Sequence[_Known]
) -> dict[int, dict[str, PurchaseModel]]:
    """Fit a family by segment to all that is known, and in each fold: models by name, by lag of the fold."""
    name = by_segment(family)
    by_lag: dict[int, dict[str, PurchaseModel]] = {}
    for one in known:
        try:
            model = fit_segments(family, one.summaries, one.histories, config.segments)
        except TrainingError as error:
            found.refuse({name: str(error)}, one.fold)
            continue
        if one.fold is None:
            found.fitted[name] = model
        else:
            by_lag[one.fold.lag_days] = {name: model}
    return by_lag


def _of_folds(cases: DataFrame, folds: Sequence[Fold]) -> DataFrame:
    return cases.where(F.col("lag_days").isin([fold.lag_days for fold in folds]))


def _condensed(predictions: DataFrame, customers: int) -> pd.DataFrame:
    """Predictions as the driver takes them, of so many customers at most."""
    return condense_predictions(predictions, is_exact=customers <= _FEW).toPandas()
