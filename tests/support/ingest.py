"""The stage `ingest` on a lakehouse of a test."""

from __future__ import annotations

from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.sources import stage
from clvspark.sources.config import SourcesConfig


def ingest(lake: Lakehouse, config: SourcesConfig) -> RunReport:
    """Bring sources.* up to the landing files, as the command does."""
    with lake.writing(stage.STAGE):
        return stage.run(lake, config)
