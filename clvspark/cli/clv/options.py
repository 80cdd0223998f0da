"""What the commands of the group have in common: the log that they read, and where it is cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clvspark import console
from clvspark.cli.flags import Application
from clvspark.clv.models.units import TimeUnit

if TYPE_CHECKING:
    from clvspark.clv.logs import LogColumns, SplitLog

app = Application(
    name="clv",
    help="Lifetime value models for any transaction log: fit one, compare many, without Spark or a lakehouse.",
    epilog="Start with: clvspark clv compare --transactions FILE --customer-column C --date-column D",
    no_args_is_help=True,
)
LOGS = "Transaction logs"

Transactions = Annotated[
    Path,
    typer.Option("--transactions", help="one transaction a row: CSV with a header, or Parquet"),
]
CustomerColumn = Annotated[
    str, typer.Option("--customer-column", help="column that says who bought")
]
DateColumn = Annotated[
    str,
    typer.Option(
        "--date-column",
        help="column that says when: 2024-12-31 or 20241231, with or without a time",
    ),
]
ValueColumn = Annotated[
    str | None,
    typer.Option(
        "--value-column", help="column that says for how much, 0 or more; spend models need it"
    ),
]
DateFormat = Annotated[
    str | None,
    typer.Option("--date-format", help="how other dates are written, in strptime signs: %d/%m/%Y"),
]
DecimalComma = Annotated[
    bool,
    typer.Option("--decimal-comma", help="values are written with a comma: 1.234,50 or 1234,50"),
]
CalibrationEnd = Annotated[
    datetime | None,
    typer.Option(
        "--calibration-end",
        formats=["%Y-%m-%d"],
        help="last day that the models know, also after the log where nobody has bought since; what comes after judges "
        "them; default: last day of the log, no holdout",
    ),
]
HoldoutEnd = Annotated[
    datetime | None,
    typer.Option(
        "--holdout-end",
        formats=["%Y-%m-%d"],
        help="last day that judges; default: last day of the log",
    ),
]
Unit = Annotated[
    TimeUnit, typer.Option("--time-unit", help="unit of recency, T and the parameters")
]
SkipFaultyRows = Annotated[
    bool,
    typer.Option(
        "--skip-faulty-rows",
        help="leave out rows without customer, date or value, or with a negative value, and say how many",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object and nothing else")]


@dataclass(frozen=True)
class Cut:
    """Where a log is cut, and the unit in which time counts; see `split_log`."""

    time_unit: TimeUnit
    calibration_end: datetime | None
    holdout_end: datetime | None


@contextmanager
def opened(
    transactions: Path, columns: LogColumns, cut: Cut, *, skip_faulty_rows: bool
) -> Iterator[SplitLog]:
    """The log, read and cut, as long as the block lasts."""
    from clvspark.clv.logs import open_log, split_log

    with open_log(transactions, columns, skip_faulty_rows=skip_faulty_rows) as log:
        if log.skipped_rows:
            say(f"{log.skipped_rows:,} of {log.rows:,} rows are faulty and were left out")
        if log.rows_after_today:
            say(
                f"{log.rows_after_today:,} of {log.rows:,} rows are dated after today, the last one {log.last_day}; "
                "without --calibration-end everybody counts as observed until then"
            )
        yield split_log(
            log,
            time_unit=cut.time_unit,
            calibration_end=cut.calibration_end.date() if cut.calibration_end else None,
            holdout_end=cut.holdout_end.date() if cut.holdout_end else None,
        )


def say(*notes: str) -> None:
    """Print notes on standard error, so that standard output is the result alone."""
    for note in notes:
        console.err.print(f"Note: {note}", markup=False, soft_wrap=True)
