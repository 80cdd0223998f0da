"""Configuration of reporting."""

from pydantic import Field

from clvspark.lakehouse.strict_model import StrictModel


class ReportingConfig(StrictModel):
    """Where the page goes, and what it says of itself."""

    page: str = Field("report.html", description="HTML file; needs no network to be read")
    title: str = "Customer value"
    note: str | None = Field(
        None, description="sentence below the title: what readers must know about these data"
    )
