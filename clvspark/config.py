"""The configuration of everything: one section for each room."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from clvspark.activation.config import ActivationConfig
from clvspark.audiences.config import AudiencesConfig
from clvspark.clv.config import ClvConfig
from clvspark.history.config import HistoryConfig
from clvspark.identity.config import IdentityConfig
from clvspark.lakehouse.config import LakehouseConfig, SparkConfig, StrictModel, load_config
from clvspark.measurement.config import MeasurementConfig
from clvspark.reporting.config import ReportingConfig
from clvspark.sources.config import SourcesConfig


class StreamConfig(StrictModel):
    """How `clvspark stream` remembers which drops it has taken."""

    checkpoint: str | None = Field(
        None,
        description="folder of the checkpoint; None: inside the lakehouse folder (path mode only)",
    )


class Config(StrictModel):
    """What a configuration file holds."""

    as_of: dt.date = Field(description="first day not known; --as-of overrides it")
    spark: SparkConfig = SparkConfig()  # type: ignore[call-arg]
    lakehouse: LakehouseConfig
    sources: SourcesConfig
    identity: IdentityConfig
    history: HistoryConfig = HistoryConfig()  # type: ignore[call-arg]
    clv: ClvConfig = ClvConfig()  # type: ignore[call-arg]
    audiences: AudiencesConfig = AudiencesConfig()
    activation: ActivationConfig
    measurement: MeasurementConfig = MeasurementConfig()  # type: ignore[call-arg]
    reporting: ReportingConfig = ReportingConfig()  # type: ignore[call-arg]
    stream: StreamConfig = StreamConfig()  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _rooms_agree(self) -> Self:
        needed = {
            "holdout_days": self.clv.holdout_days,
            "decline_days": self.clv.decline_days,
            "as_of itself": 0,
        }
        absent = {
            name: lag for name, lag in needed.items() if lag not in self.history.summary_lags_days
        }
        faults = []
        if absent:
            lags = ", ".join(f"{lag} ({name})" for name, lag in absent.items())
            faults.append(f"history.summary_lags_days must hold {lags}")
        known = {definition.id for definition in self.audiences.definitions}
        unknown = {name for d in self.activation.destinations for name in d.audiences} - known
        if unknown:
            faults.append(
                f"activation.destinations name audiences that are not defined: {', '.join(sorted(unknown))}"
            )
        if self.measurement.holdout_percent != self.activation.holdout.percent:
            faults.append("measurement.holdout_percent must equal activation.holdout.percent")
        root = self.lakehouse.root
        if root is not None and Path(root).absolute() == Path(self.sources.landing).absolute():
            faults.append("lakehouse.root and sources.landing must be two folders")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def read_config(path: str | Path) -> Config:
    """Read a configuration file; ConfigError lists every fault."""
    return load_config(path, Config)


def shipped_config(name: str) -> Path:
    """A configuration that comes with clvspark: of the checkout, else of the installed package."""
    here = Path(__file__).resolve().parent
    for folder in (here.parent / "conf", here / "conf"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(f"clvspark ships no configuration {name}")
