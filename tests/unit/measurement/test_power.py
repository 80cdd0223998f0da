"""What an experiment can find is told before it begins, and comes true."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_ind

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.plan import HoldoutPlan
from clvspark.measurement.power import minimum_detectable_effect, power_rows

DAY = date(2026, 4, 1)


def test_a_worked_example() -> None:
    # z of 0.975 is 1.95996, of 0.8 is 0.84162; the error of the difference is 10 * sqrt(1/900 + 1/100).
    effect = minimum_detectable_effect(10, 900, 100, power=0.8)
    assert effect == pytest.approx((1.95996 + 0.84162) * 10 * (1 / 900 + 1 / 100) ** 0.5, rel=1e-4)
    assert minimum_detectable_effect(10, 900, 100, power=0.8, correlation=0.6) == pytest.approx(
        0.8 * effect
    )


def test_the_effect_is_found_as_often_as_was_said() -> None:
    random = np.random.default_rng(4)
    effect = minimum_detectable_effect(5, 1_800, 200, power=0.8)
    found = [
        ttest_ind(random.normal(effect, 5, 1_800), random.normal(0, 5, 200)).pvalue <= 0.05
        for _ in range(600)
    ]
    assert 0.76 <= np.mean(found) <= 0.84


def sums(audience: str, held: int | None) -> dict[str, Any]:
    """1,000 persons, half of whom brought 2."""
    counts = {"persons": 1_000, "held": held, "total": 1_000.0, "squares": 2_000.0}
    return {"audience_id": audience, "outcome": "margin", **counts}


def test_an_audience_is_judged_by_its_groups_or_by_the_plan_before_there_are_any() -> None:
    config = MeasurementConfig(min_persons=30)  # type: ignore[call-arg]
    plan = HoldoutPlan(10.0, {"own": 20.0})
    rows = power_rows(
        [sums("own", None), sums("dealt", 150), sums("tiny", 5)], config, plan, as_of=DAY
    )
    found = {row["audience_id"]: row for row in rows}
    assert [row["audience_id"] for row in rows] == ["dealt", "own", "tiny"]
    assert (found["dealt"]["basis"], found["dealt"]["holdout_persons"]) == ("assigned", 150)
    own = found["own"]
    assert (own["basis"], own["treatment_persons"], own["holdout_persons"]) == ("members", 800, 200)
    assert own["standard_deviation_before"] == pytest.approx((1_000 / 999) ** 0.5)
    assert own["minimum_detectable_effect"] == pytest.approx(
        minimum_detectable_effect((1_000 / 999) ** 0.5, 800, 200, power=0.8)
    )
    assert (own["status"], own["power"]) == ("foreseen", 0.8)
    tiny = found["tiny"]
    assert (tiny["status"], tiny["power"]) == ("too_few_persons", None)
    assert tiny["minimum_detectable_effect"] is None


def test_where_nobody_did_anything_before_nothing_is_foreseen() -> None:
    idle = {**sums("lapsed", 150), "total": 0.0, "squares": 0.0}
    (row,) = power_rows([idle], MeasurementConfig(), HoldoutPlan(10.0), as_of=DAY)  # type: ignore[call-arg]
    assert row["minimum_detectable_effect"] is None, "not 0, which would be the best of tests"
    assert (row["status"], row["power"]) == ("all_alike_before", None)
