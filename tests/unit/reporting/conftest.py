"""The shipped dashboards of a small shop, without a lakehouse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.star import AS_OF, dataset_rows, shop_rows

from clvspark.config import shipped_config
from clvspark.lakehouse.load_config import load_config
from clvspark.reporting.config import ReportingConfig
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.dashboards.page import place_pages
from clvspark.reporting.dashboards.site import write_pages
from clvspark.reporting.datasets import DATASETS
from clvspark.reporting.moment import Window

Write = Callable[..., dict[str, str]]


@pytest.fixture(scope="session")
def shipped() -> list[Dashboard]:
    """Return the dashboards that clvspark ships."""
    files = sorted((shipped_config("base.yaml").parent / "dashboards").glob("*.yaml"))
    return [load_config(file, Dashboard) for file in files]


@pytest.fixture
def write(shipped: list[Dashboard], tmp_path: Path) -> Write:
    """Return a writer of pages: the texts by the id of their dashboard."""

    def write(
        rows: dict[str, pa.Table] | None = None, days_observed: int = 91, **settings: Any
    ) -> dict[str, str]:
        config = ReportingConfig(**{"dashboards": shipped, "title": "A shop", **settings})
        places = place_pages(tmp_path / "report.html", config.pages)
        write_pages(
            shop_rows() if rows is None else rows,
            config,
            places,
            window=Window(AS_OF, 91, days_observed),
            value="margin",
            horizon_days=364,
            champion_rule="smallest MAE of value",
            currency="EUR",
        )
        return {name: place.read_text(encoding="utf-8") for name, place in places.items()}

    return write


@pytest.fixture
def nothing() -> dict[str, pa.Table]:
    """Return the rows of a lakehouse in which no stage has run."""
    return {name: dataset_rows(name) for name in DATASETS}
