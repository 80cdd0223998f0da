"""The stage `ingest` on a lakehouse of a test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.sources import stage
from clvspark.sources.config import SourcesConfig


def ingest(lake: Lakehouse, config: SourcesConfig) -> RunReport:
    """Bring sources.* up to the landing files, as the command does."""
    with lake.writing(stage.STAGE):
        return stage.run(lake, config)


def land(
    folder: Path,
    files: Mapping[str, Iterable[str]],
    outputs: Mapping[str, list[Any]],
    *,
    system: str,
) -> SourcesConfig:
    """Write CSV files, lines by name; what those of each path become is the configuration that is returned."""
    for name, lines in files.items():
        (folder / name).write_text("\n".join([*lines, ""]))
    kinds = [{"path": path, "format": "csv", "outputs": made} for path, made in outputs.items()]
    given = {"landing": str(folder), "systems": [{"system": system, "files": kinds}]}
    return SourcesConfig.model_validate(given)
