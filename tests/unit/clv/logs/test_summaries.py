"""From purchase days to what the models are fitted to."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clvspark.clv.logs import (
    LogColumns,
    SplitLog,
    open_log,
    split_log,
    summarise_periods,
    summarise_purchases,
)
from clvspark.clv.logs.spend import count_worthless, summarise_holdout_spend, summarise_spend
from clvspark.clv.models.units import TimeUnit
from clvspark.lakehouse.errors import ConfigError

Writer = Callable[..., Path]
COLUMNS = LogColumns("who", "when", "amount")
END = date(2024, 2, 5)


def rows_of(found: dict[str, np.ndarray], *names: str) -> list[tuple[float, ...]]:
    return sorted(zip(*(found[name].tolist() for name in names), strict=True))


def test_summary_in_weeks(write_log: Writer) -> None:
    """dan came after the end; cat and bob have not come back by then; bob does later."""
    with open_log(write_log(), COLUMNS) as log:
        split = split_log(log, time_unit="week", calibration_end=END)
        found = summarise_purchases(split)
    names = ("frequency", "recency", "T", "holdout_purchases", "weight")
    assert rows_of(found, *names) == [(0, 0, 1, 0, 1), (0, 0, 3, 1, 1), (2, 3, 5, 0, 1)]
    assert split.horizon == 2.0
    at = found["frequency"].argmax()
    assert found["log_intervals"][at] == pytest.approx(math.log(1) + math.log(2))
    assert found["recent_purchases"][at] == 0  # in the two weeks before the end


def test_everything_is_known_without_an_end(write_log: Writer) -> None:
    with open_log(write_log(), COLUMNS) as log:
        split = split_log(log, time_unit="day")
        found = summarise_purchases(split)
    assert (split.calibration_end, split.holdout_end) == (date(2024, 2, 19), None)
    expected = [(0, 0, 7), (0, 0, 21), (1, 35, 35), (2, 21, 49)]
    assert rows_of(found, "frequency", "recency", "T") == expected
    assert found["holdout_purchases"].tolist() == [0, 0, 0, 0]


def test_customers_alike_are_one_row(write_log: Writer) -> None:
    lines = [f"c{at},2024-01-{day:02},1" for at in range(500) for day in (1, 8)]
    with open_log(write_log("who,when,amount\n" + "\n".join(lines)), COLUMNS) as log:
        found = summarise_purchases(split_log(log, time_unit="week"))
    assert rows_of(found, "frequency", "recency", "T", "weight") == [(1, 1, 1, 500)]


def test_the_end_is_after_the_first_day_and_not_in_the_future(write_log: Writer) -> None:
    with open_log(write_log(), COLUMNS) as log:
        for end in (date(2023, 12, 31), date(2924, 2, 20)):
            with pytest.raises(ConfigError, match="from 2024-01-01, its first day, to 20"):
                split_log(log, time_unit="week", calibration_end=end)
        with pytest.raises(ConfigError, match="holdout end: 2024-02-01 needs a calibration end"):
            split_log(log, time_unit="week", calibration_end=END, holdout_end=date(2024, 2, 1))
        later = split_log(log, time_unit="week", calibration_end=END, holdout_end=date(2024, 2, 26))
        assert later.horizon == 3.0


def test_nobody_has_bought_between_the_last_day_and_a_later_end(write_log: Writer) -> None:
    end = date(2024, 3, 18)
    with open_log(write_log(), COLUMNS) as log:
        split = split_log(log, time_unit="week", calibration_end=end)
        assert (split.calibration_end, split.holdout_end) == (end, None)
        assert summarise_purchases(split)["T"].max() == (end - log.first_day).days / 7
        with pytest.raises(ConfigError, match="leaves no holdout, as the log ends on 2024-02-19"):
            split_log(log, time_unit="week", calibration_end=end, holdout_end=date(2024, 4, 1))


def test_days_after_today_are_counted(write_log: Writer) -> None:
    with open_log(
        write_log("who,when,amount\nann,2024-01-01,1\nann,9999-12-31,2\n"), COLUMNS
    ) as log:
        assert log.rows_after_today == 1


def test_spend_is_the_mean_of_repeat_days(write_log: Writer) -> None:
    """ann: 25 and 30 after her first day. bob spent 9 in the holdout."""
    with open_log(write_log(), COLUMNS) as log:
        split = split_log(log, time_unit="week", calibration_end=END)
        spend, holdout = summarise_spend(split), summarise_holdout_spend(split)
    assert rows_of(spend, "frequency", "monetary_value", "weight") == [(2, 27.5, 1)]
    names = ("frequency", "monetary_value", "holdout_spend", "weight")
    assert rows_of(holdout, *names) == [(0, 0, 9, 1)]


def test_who_comes_back_for_nothing_has_no_spend(write_log: Writer) -> None:
    text = "who,when,amount\nann,2024-01-01,5\nann,2024-01-02,0\nbob,2024-01-01,5\nbob,2024-01-02,3"
    with open_log(write_log(text), COLUMNS) as log:
        split = split_log(log, time_unit="day")
        assert count_worthless(split) == 1
        assert rows_of(summarise_spend(split), "frequency", "monetary_value") == [(1, 3)]


def test_many_spends_become_fewer_with_the_same_mean(write_log: Writer) -> None:
    cents = range(10_000, 10_030)
    lines = [
        f"c{at},{day},{one / 100}"
        for at, one in enumerate(cents)
        for day in ("2024-01-01", "2024-01-02", "2024-01-09")
    ]
    with open_log(write_log("who,when,amount\n" + "\n".join(lines)), COLUMNS) as log:
        split = split_log(log, time_unit="day", calibration_end=date(2024, 1, 5))
        for summarise in (summarise_spend, summarise_holdout_spend):
            exact, fewer = summarise(split), summarise(split, exact_rows=5)
            assert len(exact["weight"]) == 30
            assert len(fewer["weight"]) <= 5
            for name in set(exact) - {"weight"}:
                assert fewer["weight"] @ fewer[name] == pytest.approx(exact["weight"] @ exact[name])


def test_opportunities_are_calendar_periods_after_that_of_acquisition(write_log: Writer) -> None:
    """ann: January, then February to June: two visits of March are one opportunity used."""
    text = """who,when
ann,2024-01-10
ann,2024-01-20
ann,2024-03-01
ann,2024-03-31
ann,2024-05-02
ann,2024-07-01
ann,2024-07-09
ann,2024-09-01
bob,2024-06-30
eve,2024-06-01
eve,2024-08-01
"""
    with open_log(write_log(text), LogColumns("who", "when")) as log:
        split = split_log(log, time_unit="month", calibration_end=date(2024, 6, 30))
        found = summarise_periods(split)
        assert not split.is_cut_within_period
        assert split.holdout_periods == 3
        assert split_log(log, time_unit="month").is_cut_within_period
    names = ("frequency", "recency", "T", "holdout_purchases", "weight")
    assert rows_of(found, *names) == [(0, 0, 0, 0, 1), (0, 0, 0, 1, 1), (2, 4, 5, 2, 1)]


@pytest.mark.parametrize("unit", list(TimeUnit))
@given(day=st.dates(date(1901, 1, 1), date(2199, 12, 31)))
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_periods_are_the_same_in_python_and_sql(
    day: date, unit: TimeUnit, small_split: SplitLog
) -> None:
    split = SplitLog(small_split.log, unit, day, None)
    query = f"SELECT {split.period_sql('$day')}"
    found = small_split.log.connection.execute(query, {"day": day}).fetchone()
    assert found == (split.period_of(day),)


@pytest.fixture(scope="module")
def small_split(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    file = tmp_path_factory.mktemp("log") / "log.csv"
    file.write_text("who,when\nann,2024-01-01\n")
    with open_log(file, LogColumns("who", "when")) as log:
        yield split_log(log, time_unit="day")


FIRST = date(2024, 1, 1)
PURCHASES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 60)), min_size=1, max_size=40
)


@given(purchases=PURCHASES, cut=st.integers(0, 60), random=st.randoms(use_true_random=False))
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_summary_agrees_with_its_definition_in_any_order(  # type: ignore[no-untyped-def]
    purchases, cut, random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("log") / "log.csv"
    shuffled = list(purchases)
    random.shuffle(shuffled)
    first, last = (side(day for _, day in purchases) for side in (min, max))
    end = min(max(cut, first), last)
    summaries = []
    for order in (purchases, shuffled):
        file.write_text(
            "who,when\n" + "".join(f"{who},{FIRST + timedelta(day)}\n" for who, day in order)
        )
        with open_log(file, LogColumns("who", "when")) as log:
            split = split_log(log, time_unit="day", calibration_end=FIRST + timedelta(end))
            summaries.append(summarise_purchases(split))
    np.testing.assert_equal(summaries[1], summaries[0])

    expected = []
    for who in {who for who, _ in purchases}:
        days = sorted({day for one, day in purchases if one == who})
        known = [day for day in days if day <= end]
        if known:
            age, recency = end - known[0], known[-1] - known[0]
            expected.append((len(known) - 1, recency, age, len(days) - len(known)))
    found = pd.DataFrame(summaries[0])
    names = ["frequency", "recency", "T", "holdout_purchases"]
    repeated = found.loc[found.index.repeat(found["weight"].astype(int)), names]
    assert sorted(map(tuple, repeated.to_numpy())) == sorted(expected)
