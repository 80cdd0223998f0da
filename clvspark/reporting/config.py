"""Configuration of reporting."""

from pydantic import Field

from clvspark.lakehouse.config import StrictModel


class ReportingConfig(StrictModel):
    """Where the page goes, and the window in which what came true is counted."""

    page: str = Field("report.html", description="HTML file; needs no network to be read")
    title: str = "Customer value"
    window_days: int = Field(91, ge=1, description="as measurement.window_days")
