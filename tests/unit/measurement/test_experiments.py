"""What may be judged, what is said of it, and what is said of what may not be."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.experiments import (
    compare_groups,
    incremental_values,
    judge_experiments,
    open_experiments,
)
from clvspark.measurement.outcomes import OUTCOMES
from clvspark.measurement.plan import HoldoutPlan
from clvspark.measurement.tables import EXPERIMENT, INCREMENTAL_VALUE

DAY = date(2026, 4, 1)
CONFIG = MeasurementConfig(min_persons=3, window_days=30)  # type: ignore[call-arg]
PLAN = HoldoutPlan(25.0, {"own": 50.0})
TREATED, HELD = [10.0, 12.0, 14.0, 11.0, 13.0, 12.5], [1.0, 2.0, 1.5]


def sizes(**audiences: tuple[int, int]) -> list[dict[str, Any]]:
    return [
        {"audience_id": audience, "split_group": group, "persons": persons}
        for audience, counts in audiences.items()
        for group, persons in zip(("treatment", "holdout"), counts, strict=True)
        if persons
    ]


def outcomes(audience: str, treated: list[float], held: list[float]) -> pd.DataFrame:
    """Rows of `tabulate_outcomes`, each value rounded by a tenth."""
    rows = [
        (audience, "margin", group, round(value, 0), 1, value, value**2)
        for group, values in (("treatment", treated), ("holdout", held))
        for value in values
    ]
    columns = ["audience_id", "outcome", "split_group", "value", "persons", "total", "squares"]
    keys = columns[:4]
    return pd.DataFrame(rows, columns=columns).groupby(keys, as_index=False).sum()


def found(audience: str, p_value: float, **measures: float) -> list[dict[str, Any]]:
    values = {
        "treatment_mean": 3.0,
        "holdout_mean": 2.0,
        "difference": 1.0,
        "ci_low": 0.5,
        "ci_high": 1.5,
    }
    row = {"audience_id": audience, "method": "plain", **values, "p_value": p_value, **measures}
    return [{**row, "outcome": outcome} for outcome in OUTCOMES]


def test_means_are_exact_although_values_are_rounded() -> None:
    (row,) = compare_groups(outcomes("top", TREATED, HELD)).to_dict("records")
    assert row["treatment_mean"] == pytest.approx(np.mean(TREATED))
    assert row["difference"] == pytest.approx(np.mean(TREATED) - np.mean(HELD))
    assert row["ci_low"] < row["difference"] < row["ci_high"]


def test_the_order_of_rows_changes_no_digit() -> None:
    table = outcomes("top", TREATED, HELD)
    shuffled = table.sample(frac=1, random_state=5).reset_index(drop=True)
    assert compare_groups(shuffled).equals(compare_groups(table))


def test_what_cannot_be_judged_says_why_and_has_no_numbers() -> None:
    groups = sizes(top=(6, 3), few=(6, 2), alone=(6, 0))
    opened = open_experiments(groups, CONFIG, PLAN, as_of=DAY, days_observed=30)
    states = {(row["audience_id"], row["status"]) for row in opened}
    assert states == {("top", "measured"), ("few", "too_few_persons"), ("alone", "too_few_persons")}
    assert {row["outcome"] for row in opened} == set(OUTCOMES)
    alone = next(row for row in opened if row["audience_id"] == "alone")
    assert (alone["treatment_persons"], alone["holdout_persons"]) == (6, 0)
    assert alone["sample_ratio_p_value"] == pytest.approx(binomtest(0, 6, 0.25).pvalue)

    early = open_experiments(groups, CONFIG, PLAN, as_of=DAY, days_observed=29)
    assert {row["status"] for row in early} == {"not_yet_observed"}
    assert {row["days_observed"] for row in early} == {29}
    for row in judge_experiments(early, []):
        assert set(row) == set(EXPERIMENT.names)
        assert row["difference"] is row["p_value"] is row["is_significant"] is None
    for row in incremental_values(early):
        assert set(row) == set(INCREMENTAL_VALUE.names)
        assert row["incremental_margin"] is row["ci_low"] is None


def test_significance_follows_from_the_p_value_corrected_for_all_audiences_of_the_date() -> None:
    names = ("a", "b", "c", "d")
    opened = open_experiments(
        sizes(**dict.fromkeys(names, (6, 3))), CONFIG, PLAN, as_of=DAY, days_observed=30
    )
    raw = dict(zip(names, (0.01, 0.04, 0.03, 0.2), strict=True))
    judged = judge_experiments(opened, [row for name in names for row in found(name, raw[name])])
    margins = {row["audience_id"]: row for row in judged if row["outcome"] == "margin"}
    assert {name: row["p_value"] for name, row in margins.items()} == raw
    assert {name: row["p_value_adjusted"] for name, row in margins.items()} == pytest.approx(
        {"a": 0.04, "b": 0.09, "c": 0.09, "d": 0.2}
    )
    assert [name for name, row in margins.items() if row["is_significant"]] == ["a"]
    alone = judge_experiments(opened[len(OUTCOMES) : 2 * len(OUTCOMES)], found("b", 0.04))
    assert all(row["is_significant"] for row in alone), "one audience needs no correction"


def test_the_value_of_an_audience_is_the_difference_times_those_assigned_to_treatment() -> None:
    opened = open_experiments(sizes(top=(600, 60)), CONFIG, PLAN, as_of=DAY, days_observed=30)
    (value,) = incremental_values(judge_experiments(opened, found("top", 0.01)))
    assert (value["treatment_persons"], value["status"]) == (600, "measured")
    assert (value["incremental_margin"], value["ci_low"], value["ci_high"]) == (600, 300, 900)
    assert value["is_significant"]


def test_an_interval_without_an_end_is_unknown() -> None:
    opened = open_experiments(sizes(top=(6, 3)), CONFIG, PLAN, as_of=DAY, days_observed=30)
    judged = judge_experiments(opened, found("top", 0.4, ci_low=-np.inf))
    assert {row["ci_low"] for row in judged} == {None}
    assert incremental_values(judged)[0]["ci_low"] is None
