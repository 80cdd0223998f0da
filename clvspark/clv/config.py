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


class LifecycleConfig(StrictModel):
    """Bounds of the lifecycle stages, read in this order: new, lapsed, slipping, core, else growing."""

    new_within_days: int = Field(60, ge=0, description="first purchase within so many days")
    lapsed_below: float = Field(0.2, ge=0, le=1, description="P(alive)")
    slipping_below: float = Field(0.5, ge=0, le=1, description="P(alive)")
    core_from_purchases: int = Field(4, ge=1, description="purchase days")


class BacktestConfig(StrictModel):
    """Rolling origins: the newest holdout ends at `as_of`, each other one `step_days` before the next."""

    folds: int = Field(3, ge=1, le=12, description="holdouts, as far back as there are purchases")
    step_days: int = Field(56, ge=1)


class ChallengerConfig(StrictModel):
    """The model of features, a random forest; it is judged with the others, but values nobody."""

    enabled: bool = True
    trees: int = Field(20, ge=1, le=500)
    depth: int = Field(5, ge=1, le=10)


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
    simple_relationship_years: float = Field(3.0, gt=0)
    lifecycle: LifecycleConfig = LifecycleConfig()  # type: ignore[call-arg]
    mlflow_uri: str | None = Field(
        None, description="tracking server; None: SQLite inside the lakehouse folder"
    )
    experiment: str = "clvspark"

    @property
    def fold_lags_days(self) -> list[int]:
        """Days from the origin of each fold to `as_of`, the newest origin first."""
        steps = range(self.backtest.folds)
        return [self.holdout_days + number * self.backtest.step_days for number in steps]

    @property
    def lags_days(self) -> list[int]:
        """Days before `as_of` at which the purchase histories must be known to fit and to score."""
        return sorted({0, self.decline_days, *self.fold_lags_days})

    @check
    def _each_model_once(self) -> Iterator[str]:
        if repeated(self.models):
            yield "'models' names a model twice"
