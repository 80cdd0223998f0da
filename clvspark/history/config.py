"""Configuration of the histories."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel


class HistoryConfig(StrictModel):
    """What counts as margin, and for which dates purchase summaries are kept."""

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

    def keeping(self, lags_days: Iterable[int]) -> Self:
        """The same, with summaries of these lags too."""
        lags = sorted({*self.summary_lags_days, *lags_days})
        return self.model_copy(update={"summary_lags_days": lags})
