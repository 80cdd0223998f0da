"""Treatment against holdout, held to SciPy's own Welch interval."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_ind

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.experiments import compare_groups, incremental_values, welch_margin

DAY = date(2026, 4, 1)
CONFIG = MeasurementConfig(min_persons=3, holdout_percent=25)  # type: ignore[call-arg]
amounts = st.lists(st.floats(0, 1000).map(lambda x: round(x, 2)), min_size=3, max_size=30)


@given(amounts, amounts, st.sampled_from([0.8, 0.95, 0.99]))
def test_margin_is_half_of_scipys_interval(a: list[float], b: list[float], level: float) -> None:
    margin = welch_margin(np.var(a, ddof=1), len(a), np.var(b, ddof=1), len(b), level=level)
    if np.var(a) + np.var(b) == 0:
        assert margin == 0
        return
    interval = ttest_ind(a, b, equal_var=False).confidence_interval(level)
    assert margin == pytest.approx((interval.high - interval.low) / 2, rel=1e-9)


def sums(treated: list[float], held: list[float], outcome: str = "margin") -> list[dict[str, Any]]:
    return [
        {
            "audience_id": "top",
            "split_group": group,
            "outcome": outcome,
            "n": len(values),
            "mean": float(np.mean(values)),
            "variance": float(np.var(values, ddof=1)),
        }
        for group, values in (("treatment", treated), ("holdout", held))
    ]


TREATED, HELD = [10.0, 12.0, 14.0, 11.0, 13.0, 12.5], [1.0, 2.0, 1.5]


def test_an_experiment_is_the_difference_with_its_interval() -> None:
    (row,) = compare_groups(sums(TREATED, HELD), CONFIG, as_of=DAY)
    interval = ttest_ind(TREATED, HELD, equal_var=False).confidence_interval()
    assert (row["treatment_persons"], row["holdout_persons"]) == (6, 3)
    assert row["difference"] == pytest.approx(np.mean(TREATED) - np.mean(HELD))
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((interval.low, interval.high))
    assert row["sample_ratio_p_value"] == pytest.approx(binomtest(3, 9, 0.25).pvalue)


def test_groups_that_are_too_small_or_alone_are_not_judged() -> None:
    assert compare_groups(sums(TREATED, HELD[:2]), CONFIG, as_of=DAY) == []
    assert compare_groups(sums(TREATED, HELD)[:1], CONFIG, as_of=DAY) == []


def test_the_value_of_an_audience_is_the_difference_times_the_treated() -> None:
    experiments = compare_groups(
        [*sums(TREATED, HELD), *sums(TREATED, HELD, "revenue")], CONFIG, as_of=DAY
    )
    (value,) = incremental_values(experiments)
    assert value["realised_margin"] == pytest.approx(6 * (np.mean(TREATED) - np.mean(HELD)))
    assert value["is_significant"]
    same = compare_groups(sums(HELD, HELD), CONFIG, as_of=DAY)
    assert not incremental_values(same)[0]["is_significant"]
    assert incremental_values(same)[0]["realised_margin"] == 0
