"""The report of an activation, CUPED beside the plain difference, segments, and the sizes of the groups."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.cuped import Slope, find_slopes
from clvspark.measurement.effects import list_effects
from clvspark.measurement.experiments import judge_experiments, list_mismatches, open_experiments
from clvspark.measurement.outcomes import OUTCOMES
from clvspark.measurement.plan import HoldoutPlan
from clvspark.measurement.segments import judge_segments
from clvspark.measurement.tables import EFFECT, EXPERIMENT_SEGMENT

DAY = date(2026, 4, 1)
CONFIG = MeasurementConfig(  # type: ignore[call-arg]
    min_persons=3,
    window_days=30,
    cost_per_contact=Decimal("0.10"),
    costs_per_contact={"top": Decimal("0.25")},
)
PLAN = HoldoutPlan(10.0)
MEASURES = {"difference": 1.0, "ci_low": 0.5, "ci_high": 1.5, "p_value": 0.01}


def opened(treated: int = 900, held: int = 100, **how: Any) -> list[dict[str, Any]]:
    sizes = [
        {"audience_id": "top", "split_group": group, "persons": persons}
        for group, persons in (("treatment", treated), ("holdout", held))
    ]
    given = {"as_of": DAY, "days_observed": 30, **how}
    return open_experiments(sizes, CONFIG, PLAN, **given)


def compared(method: str, **measures: float) -> list[dict[str, Any]]:
    means = {"treatment_mean": 3.0, "holdout_mean": 2.0}
    row = {"method": method, "audience_id": "top", **means, **MEASURES, **measures}
    return [{**row, "outcome": outcome} for outcome in OUTCOMES]


SLOPES = {("top", outcome): Slope(0.5, 10.0, 0.6) for outcome in OUTCOMES}


def test_effects_are_of_all_in_treatment_and_the_predicted_one_of_a_person() -> None:
    both = [*compared("plain"), *compared("cuped", difference=0.8, ci_low=0.6, ci_high=1.0)]
    rows = list_effects(judge_experiments(opened(), both, SLOPES), CONFIG)
    assert [row["effect"] for row in rows] == [
        "people",
        "extra_visits",
        "extra_purchases",
        "extra_revenue",
        "extra_margin",
        "extra_margin_net_of_cost",
        "extra_clv_per_person",
    ]
    assert all(set(row) == set(EFFECT.names) for row in rows)
    found = {row["effect"]: row for row in rows}
    assert (found["people"]["value"], found["people"]["kind"]) == (900, "count")
    margin = found["extra_margin"]
    assert (margin["value"], margin["ci_low"], margin["ci_high"]) == (900, 450, 1350)
    assert (margin["cuped_value"], margin["cuped_ci_low"]) == pytest.approx((720, 540))
    net = found["extra_margin_net_of_cost"]
    assert (net["value"], net["ci_low"]) == (900 - 225, 450 - 225), "900 contacts at 0.25"
    clv = found["extra_clv_per_person"]
    assert (clv["value"], clv["ci_high"], clv["kind"]) == (1.0, 1.5, "predicted")


def test_what_is_not_measured_has_no_numbers_but_people_are_known() -> None:
    rows = list_effects(judge_experiments(opened(days_observed=3), []), CONFIG)
    values = {row["effect"]: (row["status"], row["value"]) for row in rows}
    assert values.pop("people") == ("measured", 900)
    assert set(values.values()) == {("not_yet_observed", None)}


def test_without_a_model_the_predicted_value_alone_is_not_judged() -> None:
    rows = judge_experiments(opened(is_valued=False), compared("plain"))
    states = {row["outcome"]: row["status"] for row in rows}
    assert states.pop("residual_value") == "not_valued"
    assert set(states.values()) == {"measured"}
    assert {row["cuped_difference"] for row in rows} == {None}, "nothing was known before"


def test_groups_of_other_sizes_than_planned_are_told() -> None:
    assert list_mismatches(opened(900, 100)) == []
    assert list_mismatches(opened(900, 160)) == ["top"]
    own = HoldoutPlan(10.0, {"top": 15.0})
    assert own.share("top") == 0.15
    sizes = [
        {"audience_id": "top", "split_group": g, "persons": n}
        for g, n in (("treatment", 900), ("holdout", 160))
    ]
    assert list_mismatches(open_experiments(sizes, CONFIG, own, as_of=DAY, days_observed=30)) == []


def test_slopes_are_those_of_least_squares() -> None:
    random = np.random.default_rng(3)
    x = random.gamma(1.0, 20.0, 200)
    y = 0.3 * x + random.normal(0, 4, 200)
    sums = {"persons": 200, "x": x.sum(), "y": y.sum(), "xx": x @ x, "xy": x @ y, "yy": y @ y}
    flat = {"persons": 3, "x": 6.0, "y": 1.0, "xx": 12.0, "xy": 2.0, "yy": 1.0}
    found = find_slopes(
        [
            {"audience_id": "top", "outcome": name, **row}
            for name, row in (("margin", sums), ("visits", flat))
        ]
    )
    assert set(found) == {("top", "margin")}, "equal values before explain nothing"
    slope = found["top", "margin"]
    assert slope.theta == pytest.approx(np.polyfit(x, y, 1)[0])
    assert slope.correlation == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert slope.mean_before == pytest.approx(x.mean())


def test_segments_are_corrected_over_all_of_their_kind_and_small_ones_are_not_judged() -> None:
    keys = [
        ("top", "clv_decile", "1"),
        ("top", "clv_decile", "2"),
        ("top", "lifecycle_stage", "core"),
    ]
    names = ("audience_id", "segment_kind", "segment")
    counts = [
        {
            **dict(zip(names, key, strict=True)),
            "outcome": "margin",
            "treatment_persons": 90,
            "holdout_persons": held,
        }
        for key, held in zip(keys, (10, 10, 2), strict=True)
    ]
    means = {"treatment_mean": 3.0, "holdout_mean": 2.0}
    cut = [
        {
            **dict(zip(names, key, strict=True)),
            "outcome": "margin",
            **means,
            **MEASURES,
            "p_value": p,
        }
        for key, p in zip(keys[:2], (0.03, 0.04), strict=True)
    ]
    rows = judge_segments(counts, cut, as_of=DAY, min_persons=3)
    assert all(set(row) == set(EXPERIMENT_SEGMENT.names) for row in rows)
    found = {row["segment"]: row for row in rows}
    assert found["1"]["p_value_adjusted"] == pytest.approx(0.06)
    assert not found["1"]["is_significant"]
    assert (found["core"]["status"], found["core"]["difference"]) == ("too_few_persons", None)
