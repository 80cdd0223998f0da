"""Configuration of the histories."""

from typing import Annotated

from pydantic import Field

from clvspark.history.attribution.config import AttributionConfig
from clvspark.lakehouse.strict_model import StrictModel


class HistoryConfig(StrictModel):
    """What counts as margin, for which dates purchase summaries are kept, and how orders are attributed."""

    default_margin_rate: float = Field(
        0.3, ge=0, le=1, description="margin / net revenue of lines whose product has no cost"
    )
    summary_lags_days: list[Annotated[int, Field(ge=0)]] = Field(
        [0, 91, 182],
        description="CLV summaries are kept of what was known so many days before `as_of`",
    )
    attribution: AttributionConfig = AttributionConfig()  # type: ignore[call-arg]
