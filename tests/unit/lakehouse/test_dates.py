"""The day on which something is acted upon that was decided as of a date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from clvspark.lakehouse.dates import find_day_of_acting

MAY = date(2026, 5, 2)
EAST = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 5, 1, 23, 59, tzinfo=UTC), date(2026, 5, 1)),  # the stream, as of tomorrow
        (datetime(2026, 5, 2, 0, 0, tzinfo=UTC), MAY),
        (datetime(2026, 5, 2, 8, 0, tzinfo=EAST), date(2026, 5, 1)),  # days are those of UTC
        (datetime(2026, 8, 1, tzinfo=UTC), MAY),  # a past date
        (datetime(2026, 4, 1, tzinfo=UTC), MAY),  # a date to come
    ],
)
def test_a_batch_acts_on_its_date_and_the_stream_on_the_day_before(
    now: datetime, day: date
) -> None:
    assert find_day_of_acting(MAY, now) == day
