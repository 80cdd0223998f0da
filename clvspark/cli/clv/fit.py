"""The command that fits one model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

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
    from clvspark.clv.logs import LogFit

# As of clv.annual_discount_rate; 0 is not allowed here, as the whole future counts.
_MAX_RATE = 10.0


def _rate(value: float | None) -> float | None:
    """A rate that discounts the whole future to a finite number."""
    if value is None or 0.0 < value < _MAX_RATE:
        return value
    percent = f"; did you mean {value / 100:g}?" if _MAX_RATE <= value < 100.0 * _MAX_RATE else ""
    raise typer.BadParameter(
        f"{value:g} is no rate; allowed: above 0 and below {_MAX_RATE:g}, 0.1 being 10 % a year{percent}"
    )


@app.command(
    rich_help_panel=LOGS,
    help=with_examples(
        "Fit one model by maximum likelihood. A model that cannot be fitted ends with exit code 7; with --json the "
        "object says so as well: converged false, and the reason.",
        "clvspark clv fit --transactions sales.csv --customer-column customer --date-column day --model pareto_nbd",
        "clvspark clv fit --transactions sales.parquet --customer-column customer --date-column day --value-column "
        "amount --model gamma_gamma --calibration-end 2024-06-30 --json",
    ),
)
def fit(
    transactions: Transactions,
    customer_column: CustomerColumn,
    date_column: DateColumn,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="bg_nbd, mbg_nbd, bg_cnbd_K or mbg_cnbd_K with K from 1 to 12, pareto_nbd, nbd: purchases at any "
            "time; bg_bb: at one opportunity a time unit; sbg: contracts renewed each time unit; gamma_gamma: spend",
        ),
    ],
    value_column: ValueColumn = None,
    date_format: DateFormat = None,
    decimal_comma: DecimalComma = False,
    calibration_end: CalibrationEnd = None,
    holdout_end: HoldoutEnd = None,
    time_unit: Unit = TimeUnit.WEEK,
    annual_discount_rate: Annotated[
        float | None,
        typer.Option(
            "--annual-discount-rate",
            callback=_rate,
            help="tell as well the expected purchases still to come, discounted at this rate a year, above 0 and below "
            "10: 0.1 is 10 %",
        ),
    ] = None,
    skip_faulty_rows: SkipFaultyRows = False,
    as_json: AsJson = False,
) -> None:
    """Fit one model to a log."""
    from clvspark.clv.logs import LogColumns, fit_log
    from clvspark.clv.logs.fit import expected_residual
    from clvspark.clv.names import make_model
    from clvspark.lakehouse.errors import TrainingError

    make_model(
        model, time_unit=time_unit
    )  # so that a wrong name is told before a large log is read
    columns = LogColumns(customer_column, date_column, value_column, date_format, decimal_comma)
    cut = Cut(time_unit, calibration_end, holdout_end)
    with console.progress() as show:
        show("reading", str(transactions))
        with opened(transactions, columns, cut, skip_faulty_rows=skip_faulty_rows) as split:
            show("fitting", model)
            found = fit_log(split, model)
    say(*found.notes)
    told = found.to_dict()
    if found.model is not None and annual_discount_rate is not None:
        told["expected_residual"] = expected_residual(found, annual_discount_rate)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    if found.model is None:
        raise TrainingError(f"{model} could not be fitted: {found.reason}")
    if not as_json:
        print_fit(found, time_unit, told)


def print_fit(found: LogFit, time_unit: TimeUnit, told: dict[str, Any]) -> None:
    """Parameters with their uncertainty, the likelihood, and the holdout; `told` as the JSON has it."""
    from clvspark.clv.logs.fit import CORRELATION, wald_intervals

    if found.model is None:
        return
    intervals = wald_intervals(found.model)
    errors = found.model.standard_errors_
    console.table(
        f"{found.name}, in {time_unit.value}s: {found.customers:,} customers",
        ["parameter", "estimate", "standard error", "95 % from", "to"],
        [
            (name, value, errors[name], *intervals[name])
            for name, value in found.model.params_.items()
        ],
    )
    fitted = [("log-likelihood", found.model.log_likelihood_), ("BIC", found.bic)]
    if CORRELATION in told:
        fitted.append(("correlation of spend and frequency", told[CORRELATION]))
    if expected_residual := told.get("expected_residual"):
        coming = "renewals" if found.name == "sbg" else "purchases"
        fitted += [
            (
                f"expected {coming} still to come, discounted, per customer",
                expected_residual["per_customer"],
            ),
            ("in all", expected_residual["total"]),
        ]
    console.table("Fit", ["measure", "value"], fitted)
    if found.holdout is None:
        return
    held = found.holdout.to_dict()
    deciles = held.pop("decile_table")
    console.table("Holdout", ["measure", "value"], list(held.items()))
    console.table(
        f"Holdout {found.holdout.of} by decile of the prediction",
        ["decile", "customers", "mean predicted", "mean actual", "cumulative share"],
        [tuple(one.values()) for one in deciles],
    )
