"""Configuration of the histories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Self

from pydantic import Field

from clvspark.history.attribution.config import AttributionConfig
from clvspark.lakehouse.strict_model import StrictModel, check


class RelationshipConfig(StrictModel):
    """Bounds of the stages of a relationship, read in this order: new, lapsed, slipping, core, else growing."""

    new_within_days: int = Field(60, ge=0, description="first purchase within so many days")
    lapsed_after_gaps: float = Field(
        4.0, gt=0, description="silence, in multiples of the person's usual time between purchases"
    )
    slipping_after_gaps: float = Field(2.0, gt=0, description="as lapsed_after_gaps")
    slipping_below_trend: float = Field(
        0.5, ge=0, description="spend a day within trend_days / spend a day before them"
    )
    core_from_purchases: int = Field(4, ge=1, description="purchase days")
    trend_days: int = Field(182, ge=7)
    first_gap_days: int = Field(91, ge=1, description="usual time of who has bought once")
    shortest_gap_days: int = Field(14, ge=1, description="no usual time is shorter")
    compare_days: int = Field(
        91, ge=1, description="the previous stage is the one of so many days before"
    )

    @check
    def _slipping_before_lapsed(self) -> Iterator[str]:
        if self.slipping_after_gaps >= self.lapsed_after_gaps:
            yield "slipping_after_gaps must be below lapsed_after_gaps"


class KpiConfig(StrictModel):
    """Which months key figures are of, and how long somebody stays a customer without a purchase."""

    months: int = Field(13, ge=1, le=120, description="whole months before `as_of`")
    active_days: int = Field(
        182, ge=31, description="who has not bought for so many days has churned"
    )


class HistoryConfig(StrictModel):
    """What counts as margin, for which dates purchase summaries are kept, and what follows from both."""

    default_margin_rate: float = Field(
        0.3, ge=0, le=1, description="margin / net revenue of lines whose product has no cost"
    )
    session_gap_minutes: int = Field(
        30,
        ge=1,
        description="pause that ends a session, where systems do not name sessions themselves",
    )
    summary_lags_days: list[Annotated[int, Field(ge=0)]] = Field(
        [0],
        description="CLV summaries are kept of what was known so many days before `as_of`; those that the section clv "
        "asks for are kept anyway",
    )
    attribution: AttributionConfig = AttributionConfig()  # type: ignore[call-arg]
    relationship: RelationshipConfig = RelationshipConfig()  # type: ignore[call-arg]
    kpi: KpiConfig = KpiConfig()  # type: ignore[call-arg]

    def keeping(self, lags_days: Iterable[int]) -> Self:
        """The same, with summaries of these lags too."""
        lags = sorted({*self.summary_lags_days, *lags_days})
        return self.model_copy(update={"summary_lags_days": lags})
