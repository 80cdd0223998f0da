"""The command that compares models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from clvspark import console
from clvspark.cli.clv.options import (
    LOGS,
    AsJson,
    CalibrationEnd,
    CustomerColumn,
    Cut,
    DateColumn,
    DateFormat,
    DecimalComma,
    HoldoutEnd,
    SkipFaultyRows,
    Transactions,
    Unit,
    ValueColumn,
    app,
    opened,
    say,
)
from clvspark.cli.options import with_examples
from clvspark.clv.models.units import TimeUnit

if TYPE_CHECKING:
    from clvspark.clv.logs.compare import Contender

_OF_OTHER_THINGS = {
    "bg_bb": "time units with a purchase",
    "sbg": "customers who stay",
    "gamma_gamma": "spend a purchase",
}
_SHOWN = ("bias", "mae", "rmse", "normalised_gini", "decile_mape", "top_decile_share")


@app.command(
    rich_help_panel=LOGS,
    help=with_examples(
        "Fit all models that apply to a log, beside two baselines: as many repeat purchases as in the last period of "
        "equal length (last_period), and at the customer's average rate (average_rate). Log-likelihood and BIC compare "
        "models of purchase times with each other; bg_bb counts time units with a purchase, gamma_gamma is about "
        "spend. sbg, for contracts, is fitted where it is named. A model that cannot be fitted is shown with the "
        "reason.",
        "clvspark clv compare --transactions sales.csv --customer-column customer --date-column day "
        "--calibration-end 2024-06-30",
        "clvspark clv compare --transactions sales.csv --customer-column customer --date-column day "
        "--models bg_nbd,mbg_cnbd_3,pareto_nbd --json",
    ),
)
def compare(
    transactions: Transactions,
    customer_column: CustomerColumn,
    date_column: DateColumn,
    models: Annotated[
        str | None,
        typer.Option("--models", help="names with commas, as of clv fit; default: all that apply"),
    ] = None,
    value_column: ValueColumn = None,
    date_format: DateFormat = None,
    decimal_comma: DecimalComma = False,
    calibration_end: CalibrationEnd = None,
    holdout_end: HoldoutEnd = None,
    time_unit: Unit = TimeUnit.WEEK,
    skip_faulty_rows: SkipFaultyRows = False,
    as_json: AsJson = False,
) -> None:
    """Compare models on a log."""
    from clvspark.clv.logs import LogColumns, compare_models
    from clvspark.clv.logs.compare import BASELINES
    from clvspark.clv.logs.summarise import count_customers
    from clvspark.clv.names import make_model
    from clvspark.lakehouse.errors import TrainingError

    names = [name.strip() for name in (models or "").split(",") if name.strip()]
    for name in names:
        make_model(name, time_unit=time_unit)
    columns = LogColumns(customer_column, date_column, value_column, date_format, decimal_comma)
    cut = Cut(time_unit, calibration_end, holdout_end)
    with console.progress() as show:
        show("reading", str(transactions))
        with opened(transactions, columns, cut, skip_faulty_rows=skip_faulty_rows) as split:
            found = compare_models(split, names, step=lambda name: show("comparing", name))
            told = {
                "customers": count_customers(split),
                "time_unit": time_unit.value,
                "calibration_end": str(split.calibration_end),
                "holdout_end": str(split.holdout_end) if split.holdout_end else None,
                "models": [one.to_dict() for one in found],
            }
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        print_comparison(found)
    fits = [one for one in found if one.name not in BASELINES]
    if all(one.reason for one in fits):
        raise TrainingError(f"None of {len(fits)} models could be fitted: {fits[0].reason}")


def print_comparison(found: Sequence[Contender]) -> None:
    """One row a model, in a table of the fits and one of the holdout; below, why some could not be fitted."""
    told = [one.to_dict() for one in found]
    fits = [(one["model"], one["log_likelihood"], one["bic"]) for one in told]
    console.table("Fits", ["model", "log-likelihood", "BIC"], fits)
    held = [one for one in told if one["holdout"]]
    if held:
        titles = [name.replace("_", " ") for name in _SHOWN]
        rows = [(one["model"], *(one["holdout"].get(name) for name in _SHOWN)) for one in held]
        console.table("Holdout", ["model", *titles], rows)
        apart = [one["model"] for one in held if one["model"] in _OF_OTHER_THINGS]
        say(
            *(
                f"{name} predicts {_OF_OTHER_THINGS[name]}: compare it with no other."
                for name in apart
            )
        )
    say(*(f"{one.name} could not be fitted: {one.reason}" for one in found if one.reason))
