"""The uplift curve is held to a slow, obvious computation over persons, and to known effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.measurement.targeting import cut_steps, draw_curves, trace_curve

Person = tuple[float, str, float]  # score, group, margin


def tabulate(persons: list[Person]) -> pd.DataFrame:
    """Rows of `tabulate_scores` of one audience and score."""
    frame = pd.DataFrame(persons, columns=["value", "split_group", "total"])
    frame = frame.assign(persons=1, squares=frame["total"] ** 2)
    rows = frame.groupby(["value", "split_group"], as_index=False).sum()
    return rows.assign(audience_id="top", score="clv")


# Two scores, of which acting moves the higher: 6 a person there, 0 below.
WORKED: list[Person] = [
    *((9.0, "treatment", margin) for margin in (8.0, 8.0, 6.0, 10.0)),
    *((9.0, "holdout", margin) for margin in (1.0, 3.0)),
    *((2.0, "treatment", margin) for margin in (5.0, 5.0, 4.0, 6.0)),
    *((2.0, "holdout", margin) for margin in (4.0, 6.0)),
]


def test_a_worked_example() -> None:
    curve = draw_curves({}, otherwise=0.0, min_persons=2)(tabulate(WORKED))
    assert curve["difference"].tolist() == pytest.approx([6.0, 0.0])
    assert curve["share_targeted"].tolist() == pytest.approx([0.5, 1.0])
    assert curve["lowest_score"].tolist() == [9.0, 2.0]
    # Half of the persons bring 6 each, so 3 a person of the audience; the rest nothing more.
    assert curve["cumulative_gain"].tolist() == pytest.approx([3.0, 3.0])
    # The area: a triangle to (0.5, 3), then 3 on to 1; by chance it is that under the line to (1, 3).
    assert curve["auuc"].iloc[0] == pytest.approx(0.5 * 3 / 2 + 0.5 * 3)
    assert curve["qini"].iloc[0] == pytest.approx(0.5 * 3 / 2 + 0.5 * 3 - 3 / 2)
    assert curve["qini_ci_low"].iloc[0] < 0.75 < curve["qini_ci_high"].iloc[0]


def test_a_contact_costs_whether_or_not_it_moves_anybody() -> None:
    curve = draw_curves({"top": 2.0}, otherwise=0.0, min_persons=2)(tabulate(WORKED))
    assert curve["difference"].tolist() == pytest.approx([4.0, -2.0])
    assert curve["cumulative_gain"].tolist() == pytest.approx([2.0, 1.0])
    assert curve["qini"].iloc[0] == pytest.approx(0.75), (
        "the same cost everywhere changes no ranking"
    )


def test_persons_of_one_score_cannot_be_ranked() -> None:
    alike = [(1.0, group, margin) for _, group, margin in WORKED]
    assert draw_curves({}, otherwise=0.0, min_persons=2)(tabulate(alike)).empty


def test_steps_have_enough_of_both_groups() -> None:
    random = np.random.default_rng(2)
    persons = [
        (float(random.integers(0, 500)), "holdout" if random.random() < 0.05 else "treatment", 1.0)
        for _ in range(2_000)
    ]
    steps = cut_steps(tabulate(persons), 20)
    assert 2 <= len(steps) <= 10
    assert steps["persons_holdout"].min() >= 20
    assert steps[["persons_treatment", "persons_holdout"]].to_numpy().sum() == 2_000
    assert steps["lowest_score"].is_monotonic_decreasing


scores = st.integers(0, 6).map(float)
margins = st.sampled_from([0.0, 0.0, 1.0, 7.0])
groups = st.sampled_from(["treatment", "holdout"])


@given(st.lists(st.tuples(scores, groups, margins), min_size=30, max_size=120))
def test_the_curve_is_that_of_adding_up_steps_one_by_one(persons: list[Person]) -> None:
    steps = cut_steps(tabulate(persons), 2)
    if len(steps) < 2:
        return
    curve = trace_curve(steps, cost=0.5)
    gain, area, above = 0.0, 0.0, float("inf")
    for row in curve.to_dict("records"):
        within = [p for p in persons if row["lowest_score"] <= p[0] < above]
        means = [
            np.mean([m for _, g, m in within if g == group]) for group in ("treatment", "holdout")
        ]
        share, before = len(within) / len(persons), gain
        gain += share * (means[0] - means[1] - 0.5)
        area += share * (before + gain) / 2
        above = row["lowest_score"]
        assert row["cumulative_gain"] == pytest.approx(gain)
    assert curve["auuc"].iloc[0] == pytest.approx(area)
    assert curve["qini"].iloc[0] == pytest.approx(area - gain / 2, abs=1e-12)


def test_the_interval_of_qini_covers_what_the_score_is_worth() -> None:
    """Acting brings as much as the score says: of ten equal steps up to 1 the Qini coefficient is (1 - 1/100) / 12."""
    covered = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        score = np.ceil(random.random(1_500) * 10)
        held = random.random(1_500) < 0.2
        margin = random.gamma(0.5, 2.0, 1_500) + np.where(held, 0.0, score / 10)
        rows = tabulate(
            [
                (float(s), "holdout" if h else "treatment", float(m))
                for s, h, m in zip(score, held, margin, strict=True)
            ]
        )
        curve = draw_curves({}, otherwise=0.0, min_persons=5)(rows)
        low, high = curve["qini_ci_low"].iloc[0], curve["qini_ci_high"].iloc[0]
        covered.append(low <= 0.0825 <= high)
    assert 0.91 <= np.mean(covered) <= 0.99
