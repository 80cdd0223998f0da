"""Cut a log in two: what a model may know, and the holdout that judges it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from clvspark.clv.logs.read import TransactionLog, today
from clvspark.clv.models.units import TimeUnit
from clvspark.lakehouse.errors import ConfigError

# A Monday, the first of a month and of a year: periods are counted from here.
_EPOCH = date(1900, 1, 1)


@dataclass(frozen=True)
class SplitLog:
    """A log up to `calibration_end`, the last day that the models know, and after it up to `holdout_end`.

    `holdout_end` is None where nothing comes after. Durations are in `time_unit`.
    """

    log: TransactionLog
    time_unit: TimeUnit
    calibration_end: date
    holdout_end: date | None

    @property
    def horizon(self) -> float:
        """Length of the holdout in time units; 0 without one."""
        return (self.last_day - self.calibration_end).days / self.time_unit.days

    @property
    def last_day(self) -> date:
        """Last day that is looked at."""
        return self.holdout_end or self.calibration_end

    @property
    def holdout_periods(self) -> int:
        """Calendar periods after that of `calibration_end`, through that of the last day; 0 without a holdout."""
        return self.period_of(self.last_day) - self.period_of(self.calibration_end)

    @property
    def is_cut_within_period(self) -> bool:
        """Whether `calibration_end` is not the last day of its calendar period, which then is seen in part only."""
        tomorrow = self.calibration_end + timedelta(days=1)
        return self.period_of(tomorrow) == self.period_of(self.calibration_end)

    def period_of(self, day: date) -> int:
        """Number of the calendar period (day, week from Monday, month, year) that holds a day."""
        if self.time_unit is TimeUnit.YEAR:
            return day.year - _EPOCH.year
        if self.time_unit is TimeUnit.MONTH:
            return 12 * (day.year - _EPOCH.year) + day.month - 1
        return (day - _EPOCH).days // int(self.time_unit.days)

    def period_sql(self, column: str) -> str:
        """`period_of` a column, in SQL: date_diff counts the beginnings of periods that lie between."""
        return f"date_diff('{self.time_unit.value}', DATE '{_EPOCH}', {column})"


def split_log(
    log: TransactionLog,
    *,
    time_unit: TimeUnit | str,
    calibration_end: date | None = None,
    holdout_end: date | None = None,
) -> SplitLog:
    """Cut a log at the end of `calibration_end`; without it all is known and there is no holdout.

    An end after the last day of the log says that nobody has bought since. The holdout ends with the last day of the
    log, unless `holdout_end` says until when purchases would be in it. ConfigError for ends before the log or after
    today, and for a holdout of which the log knows nothing.
    """
    faults = []
    end = calibration_end or log.last_day
    newest = max(log.last_day, today())
    if not log.first_day <= end <= newest:
        faults.append(
            f"calibration end: {end} lies outside the log; allowed: from {log.first_day}, its first day, to {newest}"
        )
    elif holdout_end is not None and end >= log.last_day:
        faults.append(
            f"calibration end: {end} leaves no holdout, as the log ends on {log.last_day}; choose an earlier one, or "
            "drop the holdout end"
        )
    if holdout_end is not None and (calibration_end is None or holdout_end <= end):
        faults.append(
            f"holdout end: {holdout_end} needs a calibration end before it; give both, in this order"
        )
    if faults:
        raise ConfigError(log.where, faults)
    last = holdout_end or log.last_day
    return SplitLog(log, TimeUnit.parse(time_unit), end, last if last > end else None)
