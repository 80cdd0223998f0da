"""What is shown, and tables of one's own, are no reason to build the delivered tables anew."""

from __future__ import annotations

from typing import Any

import pytest

from clvspark.reporting.config import ReportingConfig, SensitivityConfig
from clvspark.reporting.dashboards.definition import Dashboard
from clvspark.reporting.stage import Basis

TILE = {
    "kind": "number",
    "title": "Days",
    "dataset": "dim_date",
    "measure": {"label": "Days", "max": "year"},
}
PAGE = Dashboard.model_validate(
    {"id": "mine", "title": "Mine", "sections": [{"title": "Mine", "widgets": [TILE]}]}
)


@pytest.mark.parametrize(
    ("changed", "is_the_same"),
    [
        ({"own_dashboards": [PAGE]}, True),
        ({"page": "elsewhere.html", "title": "Ours", "note": "Read this."}, True),
        ({"smallest_group": 50}, True),
        (
            {"sensitivity": SensitivityConfig(horizon_months=[3], annual_discount_rates=[0.1])},
            False,
        ),
    ],
)
def test_only_what_the_numbers_follow_from_counts(
    changed: dict[str, Any], is_the_same: bool
) -> None:
    plain, other = ReportingConfig(), ReportingConfig(**changed)  # type: ignore[call-arg]
    assert (Basis.of(plain, "models") == Basis.of(other, "models")) is is_the_same
    assert Basis.of(plain, "models") != Basis.of(plain, "other models")
