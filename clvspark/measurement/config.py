"""Configuration of measurement."""

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel


class MeasurementConfig(StrictModel):
    """How long after activation responses and outcomes count, and the holdout share that was planned."""

    window_days: int = Field(91, ge=1)
    holdout_percent: float = Field(
        10.0, ge=0, le=50, description="as in activation.holdout.percent"
    )
    min_persons: int = Field(30, ge=2, description="smaller groups are not judged")
