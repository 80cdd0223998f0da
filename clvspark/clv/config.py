"""Configuration of customer lifetime value: what the business means by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel, check, repeated

ModelName = Literal[
    "BetaGeoModel",
    "ModifiedBetaGeoModel",
    "CondensedBetaGeoModel",
    "ModifiedCondensedBetaGeoModel",
    "ParetoNBDModel",
    "NBDModel",
]
SpendModelName = Literal["GammaGammaModel", "NormalNormalModel"]
Covariate = Literal["acquisition_channel", "country", "email_consent"]
SegmentLabel = Literal["acquisition_channel", "country", "email_consent", "cohort"]
Measure = Literal[
    "mae",
    "rmse",
    "rmsle",
    "total_error",
    "normalised_gini",
    "decile_mape",
    "log_likelihood",
    "value_mae",
    "value_rmse",
    "value_rmsle",
    "value_total_error",
    "value_normalised_gini",
    "value_decile_mape",
]
_IN_WORDS = {
    "mae": "smallest mean absolute error (MAE)",
    "rmse": "smallest root mean squared error (RMSE)",
    "rmsle": "smallest root mean squared logarithmic error (RMSLE)",
    "total_error": "smallest error of the total",
    "normalised_gini": "largest normalised Gini coefficient",
    "decile_mape": "smallest mean error of deciles (MAPE)",
    "log_likelihood": "largest log-likelihood",
}
_TAKE_COVARIATES = {"BetaGeoModel", "ModifiedBetaGeoModel", "ParetoNBDModel"}
_TAKE_SEGMENTS = _TAKE_COVARIATES | {"NBDModel"}


class LifecycleConfig(StrictModel):
    """Bounds of the lifecycle stages, read in this order: new, lapsed, slipping, core, else growing."""

    new_within_days: int = Field(60, ge=0, description="first purchase within so many days")
    lapsed_below: float = Field(0.2, ge=0, le=1, description="P(alive)")
    slipping_below: float = Field(0.5, ge=0, le=1, description="P(alive)")
    core_from_purchases: int = Field(4, ge=1, description="purchase days")


class DeclineConfig(StrictModel):
    """When the value of a person is declining: what it takes to begin, and to end."""

    below: float = Field(0.7, gt=0, lt=1, description="value / expectation that begins a decline")
    chance: float = Field(
        0.2, gt=0, le=1, description="of so few purchases by accident, at most, to begin one"
    )
    recovered_from: float = Field(
        0.85, gt=0, le=1, description="value / expectation that ends a decline"
    )

    @check
    def _ends_above_its_beginning(self) -> Iterator[str]:
        if self.recovered_from < self.below:
            yield "'recovered_from' must not lie below 'below'"


class BacktestConfig(StrictModel):
    """Rolling origins: the newest holdout ends at `as_of`, each other one `step_days` before the next."""

    folds: int = Field(3, ge=1, le=12, description="holdouts, as far back as there are purchases")
    step_days: int = Field(56, ge=1)


class ChallengerConfig(StrictModel):
    """The model of features, a random forest; it is judged with the others, but values nobody."""

    enabled: bool = True
    trees: int = Field(20, ge=1, le=500)
    depth: int = Field(5, ge=1, le=10)


class SegmentsConfig(StrictModel):
    """What customers are told apart by where the best family of models is fitted to each kind of them."""

    by: list[SegmentLabel] = Field([], description="none: one model for everybody")
    min_customers: int = Field(
        200, ge=1, description="of a segment that is fitted alone; smaller ones are pooled"
    )
    max_segments: int = Field(200, ge=1, le=1000)

    @check
    def _each_label_once(self) -> Iterator[str]:
        if repeated(self.by):
            yield "'by' names a label twice"


class ClvConfig(StrictModel):
    """Which value, over which horizon, at which discount rate, by which models."""

    value: Literal["revenue", "margin"] = "margin"
    spend_of: Literal["repeat_purchases", "all_purchases"] = Field(
        "repeat_purchases",
        description="purchase days that tell how much a person spends; all_purchases: the first one too",
    )
    horizon_days: int = Field(364, ge=28)
    annual_discount_rate: float = Field(0.1, ge=0, lt=10)
    models: list[ModelName] = Field(
        [
            "BetaGeoModel",
            "ModifiedBetaGeoModel",
            "ModifiedCondensedBetaGeoModel",
            "ParetoNBDModel",
        ],
        min_length=1,
    )
    covariates: list[Covariate] = Field(
        [],
        description="known at the first purchase; models that can take them are judged with and without",
    )
    segments: SegmentsConfig = SegmentsConfig()  # type: ignore[call-arg]
    spend_model: SpendModelName = Field(
        "GammaGammaModel",
        description="GammaGammaModel: positive amounts; NormalNormalModel: of either sign, as margins with returns",
    )
    holdout_days: int = Field(182, ge=7, description="what the models of a backtest predict")
    backtest: BacktestConfig = BacktestConfig()  # type: ignore[call-arg]
    challenger: ChallengerConfig = ChallengerConfig()  # type: ignore[call-arg]
    champion_by: Measure = Field(
        "value_mae",
        description="measure, averaged over the folds, that chooses the champion",
    )
    decline_days: int = Field(
        91, ge=7, description="values are compared with what was expected so many days before"
    )
    decline: DeclineConfig = DeclineConfig()  # type: ignore[call-arg]
    simple_relationship_years: float = Field(3.0, gt=0)
    lifecycle: LifecycleConfig = LifecycleConfig()  # type: ignore[call-arg]
    mlflow_uri: str | None = Field(
        None, description="tracking server; None: SQLite inside the lakehouse folder"
    )
    experiment: str = "clvspark"

    @property
    def champion_rule(self) -> str:
        """What the champion has of all candidates, in words."""
        measure, outcome = self.champion_by.removeprefix("value_"), "purchases"
        if self.champion_by.startswith("value_"):
            outcome = "value"
        return f"{_IN_WORDS[measure]} of the {outcome} of a customer"

    @property
    def fold_lags_days(self) -> list[int]:
        """Days from the origin of each fold to `as_of`, the newest origin first."""
        steps = range(self.backtest.folds)
        return [self.holdout_days + number * self.backtest.step_days for number in steps]

    @property
    def lags_days(self) -> list[int]:
        """Days before `as_of` at which the purchase histories must be known to fit and to score."""
        return sorted({0, self.decline_days, *self.fold_lags_days})

    @property
    def labels(self) -> list[str]:
        """What customers are told apart by, as covariates or as segments."""
        return list(dict.fromkeys([*self.covariates, *self.segments.by]))

    @check
    def _each_model_once(self) -> Iterator[str]:
        if repeated(self.models):
            yield "'models' names a model twice"

    @check
    def _each_covariate_once(self) -> Iterator[str]:
        if repeated(self.covariates):
            yield "'covariates' names a label twice"

    @check
    def _some_model_takes_them(self) -> Iterator[str]:
        if self.covariates and not _TAKE_COVARIATES & {*self.models}:
            yield f"'covariates' need one of {', '.join(sorted(_TAKE_COVARIATES))} in 'models'"
        if self.segments.by and not _TAKE_SEGMENTS & {*self.models}:
            yield f"'segments' need one of {', '.join(sorted(_TAKE_SEGMENTS))} in 'models'"
