"""Configuration of customer lifetime value: what the business means by it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel, check, repeated

ModelName = Literal["BetaGeoModel", "ModifiedBetaGeoModel", "ParetoNBDModel", "NBDModel"]
Measure = Literal["mae", "rmse", "total_error", "log_likelihood"]


class LifecycleConfig(StrictModel):
    """Bounds of the lifecycle stages, read in this order: new, lapsed, slipping, core, else growing."""

    new_within_days: int = Field(60, ge=0, description="first purchase within so many days")
    lapsed_below: float = Field(0.2, ge=0, le=1, description="P(alive)")
    slipping_below: float = Field(0.5, ge=0, le=1, description="P(alive)")
    core_from_purchases: int = Field(4, ge=1, description="purchase days")


class ClvConfig(StrictModel):
    """Which value, over which horizon, at which discount rate, by which models."""

    value: Literal["revenue", "margin"] = "margin"
    horizon_days: int = Field(364, ge=28)
    annual_discount_rate: float = Field(0.1, ge=0, lt=10)
    models: list[ModelName] = Field(["BetaGeoModel", "ParetoNBDModel"], min_length=1)
    holdout_days: int = Field(182, ge=7, description="must be one of history.summary_lags_days")
    champion_by: Measure = Field(
        "mae", description="measure on the holdout that chooses the champion"
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

    @check
    def _each_model_once(self) -> Iterator[str]:
        if repeated(self.models):
            yield "'models' names a model twice"
