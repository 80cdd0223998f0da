"""Which earlier windows the run of a day finishes."""

from __future__ import annotations

from datetime import date

import pytest

from clvspark.activation.tables import ASSIGNMENT
from clvspark.history.tables import ORDER
from clvspark.measurement.due import list_due, list_unseen, name_day, read_last_order_day
from clvspark.measurement.tables import WINDOW

pytestmark = pytest.mark.spark
MAY = date(2026, 5, 1)


def test_windows_that_were_open_and_are_over_are_due_once(spark):
    windows = [
        {"as_of_date": date(2026, 4, 1), "window_days": 10, "days_observed": 10},  # judged before
        {"as_of_date": date(2026, 4, 19), "window_days": 10, "days_observed": 4},
        {"as_of_date": date(2026, 4, 18), "window_days": 10, "days_observed": 0},
        {"as_of_date": date(2026, 4, 22), "window_days": 10, "days_observed": 0},  # a day is missing
        {"as_of_date": date(2026, 4, 20), "window_days": 30, "days_observed": 0},
        {"as_of_date": MAY, "window_days": 1, "days_observed": 0},  # of the run itself
    ]  # fmt: skip
    rows = WINDOW.rows(spark, windows)
    due = list_due(rows, date(2026, 4, 30), as_of=MAY)

    assert due == [date(2026, 4, 18), date(2026, 4, 19)]
    assert list_due(rows, None, as_of=MAY) == []


def test_days_on_which_only_the_stream_acted_are_due_once_their_window_is_over(spark):
    days = [
        (date(2026, 4, 10), None),  # by a batch, which is measured as of its own date
        (date(2026, 4, 12), date(2026, 4, 11)),
        (date(2026, 4, 13), date(2026, 4, 12)),
        (date(2026, 4, 13), date(2026, 4, 13)),
        (date(2026, 4, 29), date(2026, 4, 28)),
        (date(2026, 5, 2), MAY),  # of the run itself
    ]
    told = [
        {
            "as_of_date": day,
            "audience_id": "top",
            "person_id": str(n),
            "split_group": "treatment",
            "acted_on": acted,
        }
        for n, (day, acted) in enumerate(days)
    ]
    windows = [{"as_of_date": date(2026, 4, 12), "window_days": 10, "days_observed": 0}]
    found = list_unseen(
        ASSIGNMENT.rows(spark, told),
        WINDOW.rows(spark, windows),
        date(2026, 4, 30),
        as_of=MAY,
        window_days=10,
    )
    assert found == [date(2026, 4, 11)]


def test_a_day_that_goes_on_observes_nothing(lake):
    bought = {"channel": "web", "is_purchase": True, "row_type": "purchase"}
    bought |= {"net_revenue": 10, "cost": 4, "margin": 6}
    orders = [
        {**bought, "order_id": day, "ordered_at": f"{day} 00:30:00"}
        for day in ("2026-04-28", "2026-04-30")
    ]
    lake.overwrite(ORDER, ORDER.rows(lake.spark, orders))

    assert read_last_order_day(lake, today=date(2026, 4, 30)) == date(2026, 4, 28)
    assert read_last_order_day(lake, today=MAY) == date(2026, 4, 30)
    assert read_last_order_day(lake, today=date(2026, 4, 28)) is None


@pytest.mark.parametrize(
    ("today", "named"),
    [(date(2026, 5, 4), "2026-05-04"), (date(2026, 5, 11), "2026-05-11"), (date(2027, 1, 1), "2026-05-11")],
)  # fmt: skip
def test_with_its_window_the_days_that_a_run_depends_on_are_over(today, named):
    assert name_day(today, as_of=MAY, window_days=10) == {"today": named}
