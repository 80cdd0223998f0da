"""Measures of predictions: small cases by hand, and what no order or grouping of rows may change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clvspark.clv import metrics
from clvspark.clv.models.errors import InvalidArgumentError

ACTUAL = [0.0, 1.0, 3.0, 0.0]
PREDICTED = [0.5, 1.0, 2.0, 1.0]


def test_errors_by_hand() -> None:
    assert metrics.bias(ACTUAL, PREDICTED) == pytest.approx(4.5 / 4.0 - 1.0)
    assert metrics.mean_absolute_error(ACTUAL, PREDICTED) == pytest.approx(2.5 / 4.0)
    assert metrics.root_mean_squared_error(ACTUAL, PREDICTED) == pytest.approx(math.sqrt(2.25 / 4))
    log_errors = [math.log(1.5), 0.0, math.log(3.0 / 4.0), math.log(2.0)]
    expected = math.sqrt(sum(error**2 for error in log_errors) / 4)
    assert metrics.root_mean_squared_log_error(ACTUAL, PREDICTED) == pytest.approx(expected)


def test_gini_by_hand() -> None:
    """Lorenz curve by prediction: 0, 0, 1/8 (the two equal ones share 1), 1/4, 1. By actual: 0, 0, 0, 1/4, 1."""
    by_prediction = 1 - (0 + 1 / 8 + 3 / 8 + 5 / 4) / 4
    by_actual = 1 - (0 + 0 + 1 / 4 + 5 / 4) / 4
    found = metrics.normalised_gini(ACTUAL, PREDICTED)
    assert found == pytest.approx(by_prediction / by_actual)


def test_perfect_reversed_and_constant_ranking() -> None:
    actual = [0.0, 1.0, 2.0, 5.0]
    assert metrics.normalised_gini(actual, [1.0, 2.0, 3.0, 4.0]) == pytest.approx(1.0)
    assert metrics.normalised_gini(actual, [4.0, 3.0, 2.0, 1.0]) == pytest.approx(-1.0)
    assert metrics.normalised_gini(actual, [7.0, 7.0, 7.0, 7.0]) == pytest.approx(0.0)


def test_deciles_of_twelve_customers() -> None:
    """Deciles end with customer 1, 2, 3, 4, 6, 7, ... of the ranking."""
    predicted = np.arange(12.0, 0.0, -1.0)
    actual = [6.0, 4.0, 3.0, 1.0, 2.0, *[1.0] * 7]
    table = metrics.decile_table(actual, predicted)
    assert [one.decile for one in table] == list(range(1, 11))
    assert [one.customers for one in table] == [1, 1, 1, 1, 2, 1, 1, 1, 1, 2]
    assert (table[0].mean_predicted, table[0].mean_actual) == (12.0, 6.0)
    assert (table[4].mean_predicted, table[4].mean_actual) == (7.5, 1.5)
    shares = [one.cumulative_share for one in table]
    assert shares[:5] == pytest.approx([6 / 23, 10 / 23, 13 / 23, 14 / 23, 17 / 23])
    assert shares[-1] == pytest.approx(1.0)
    assert metrics.top_decile_share(actual, predicted) == pytest.approx(6 / 23)


def test_equal_predictions_share_what_was_actual() -> None:
    """Twenty alike by prediction: whoever bought, each decile holds a tenth of it."""
    actual = [10.0, *[0.0] * 19]
    table = metrics.decile_table(actual, [1.0] * 20)
    assert [one.mean_actual for one in table] == pytest.approx([0.5] * 10)
    assert metrics.top_decile_share(actual, [1.0] * 20) == pytest.approx(0.1)


def test_decile_mape_leaves_out_deciles_without_actual_values() -> None:
    predicted = np.arange(10.0, 0.0, -1.0)
    actual = [5.0, 18.0, *[0.0] * 8]
    assert metrics.decile_mape(actual, predicted) == pytest.approx((1.0 + 0.5) / 2)
    assert math.isnan(metrics.decile_mape([0.0] * 10, predicted))


def test_few_customers_have_few_deciles() -> None:
    table = metrics.decile_table([3.0, 1.0, 0.0], [3.0, 2.0, 1.0])
    assert [(one.decile, one.customers) for one in table] == [(4, 1.0), (7, 1.0), (10, 1.0)]
    assert math.isnan(metrics.top_decile_share([3.0, 1.0, 0.0], [3.0, 2.0, 1.0]))


def test_coverage_counts_bounds_as_within() -> None:
    lower, upper = [0.0, 1.0, 2.0, 0.5], [0.0, 1.5, 2.5, 9.0]
    assert metrics.interval_coverage(ACTUAL, lower, upper) == pytest.approx(2 / 4)
    assert metrics.interval_coverage(ACTUAL, lower, upper, [3, 1, 0, 0]) == 1.0


def test_randomised_coverage_counts_a_jump_by_the_part_within() -> None:
    """Of the jump from 0 to 0.5 four fifths lie above 0.1; a value at 0.05 is missed, one at 0.95 too."""
    below, upto = [0.0, 0.05, 0.5, 0.95, 0.85], [0.5, 0.05, 0.5, 0.95, 0.95]
    assert metrics.randomised_coverage(below, upto) == pytest.approx((0.8 + 0 + 1 + 0 + 0.5) / 5)
    assert metrics.randomised_coverage(below, upto, [2, 0, 0, 1, 0]) == pytest.approx(1.6 / 3)
    assert metrics.randomised_coverage(below, upto, level=0.98) == pytest.approx(
        (0.49 / 0.5 + 4) / 5
    )


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=30), st.floats(0.05, 0.95))
def test_whoever_does_as_predicted_is_covered_as_the_level_says(
    chances: list[float], level: float
) -> None:
    """Outcomes of a discrete distribution, each as often as predicted: exactly the level, however few they are."""
    probability = np.array(chances) / np.sum(chances)
    upto = np.minimum(np.cumsum(probability), 1.0)
    below = np.append(0.0, upto[:-1])
    found = metrics.randomised_coverage(below, upto, probability, level=level)
    assert found == pytest.approx(level, abs=1e-9)


def test_the_mean_width_is_that_of_customers() -> None:
    assert metrics.mean_interval_width([0.0, 1.0], [4.0, 2.0], [1, 3]) == pytest.approx(7 / 4)


def test_what_is_not_defined_is_not_a_number() -> None:
    found = metrics.measure_predictions([0.0] * 20, np.arange(20.0))
    undefined = {name for name, value in found.items() if math.isnan(value)}
    assert undefined == {"bias", "normalised_gini", "decile_mape", "top_decile_share"}
    assert math.isnan(metrics.root_mean_squared_log_error([-1.0, 2.0], [1.0, 2.0]))


@pytest.mark.parametrize(
    ("actual", "predicted", "weight", "message"),
    [
        ([1.0], [1.0, 2.0], None, "differ in length"),
        ([1.0, math.nan], [1.0, 2.0], None, "actual: is not a finite number"),
        ([1.0, 2.0], [1.0, math.inf], None, "predicted: is not a finite number"),
        ([1.0], [1.0], [-1.0], "weight: no customers"),
        ([], [], None, "weight: no customers"),
    ],
)
def test_values_are_checked(
    actual: list[float], predicted: list[float], weight: list[float] | None, message: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        metrics.mean_absolute_error(actual, predicted, weight)


def test_bounds_are_in_order() -> None:
    with pytest.raises(InvalidArgumentError, match="lower: exceeds upper"):
        metrics.interval_coverage([1.0], [2.0], [1.5])


CUSTOMERS = st.lists(
    st.tuples(
        st.integers(0, 5),  # actual
        st.sampled_from([0.1, 0.2, 0.7, 1.3, 2.9]),  # predicted, with ties
        st.integers(1, 4),  # weight
    ),
    min_size=1,
    max_size=40,
)


@given(CUSTOMERS, st.randoms(use_true_random=False))
def test_order_and_grouping_of_rows_never_matter(customers, random) -> None:  # type: ignore[no-untyped-def]
    actual, predicted, weight = (np.array(one, dtype=float) for one in zip(*customers, strict=True))
    shuffled = list(customers)
    random.shuffle(shuffled)
    in_other_order = [np.array(one, dtype=float) for one in zip(*shuffled, strict=True)]
    one_by_one = [np.repeat(values, weight.astype(int)) for values in (actual, predicted)]
    found = metrics.measure_predictions(actual, predicted, weight)
    np.testing.assert_equal(metrics.measure_predictions(*in_other_order), found)
    assert metrics.measure_predictions(*one_by_one) == pytest.approx(found, nan_ok=True)


@given(CUSTOMERS)
def test_deciles_hold_every_customer_and_all_that_was_actual(customers) -> None:  # type: ignore[no-untyped-def]
    actual, predicted, weight = (np.array(one, dtype=float) for one in zip(*customers, strict=True))
    table = metrics.decile_table(actual, predicted, weight)
    assert sum(one.customers for one in table) == pytest.approx(weight.sum())
    assert sum(one.customers * one.mean_actual for one in table) == pytest.approx(weight @ actual)
    means = [one.mean_predicted for one in table]
    assert means == pytest.approx(sorted(means, reverse=True))
    sizes = [one.customers for one in table]
    assert max(sizes) - min(sizes) <= 1
