"""Whether the values can be believed: models against the holdout."""

from __future__ import annotations

from clvspark.reporting.blocks import Block, Chart, Grid, Note, Section
from clvspark.reporting.charts import draw_predicted
from clvspark.reporting.figures import Figures
from clvspark.reporting.formats import UNKNOWN, decimal, percent, significant, whole

_MEASURES = {
    "customers": ("Customers", whole),
    "predicted_purchases": ("Predicted purchases", whole),
    "actual_purchases": ("Actual purchases", whole),
    "total_error": ("Error of the total", percent),
    "mae": ("MAE a customer", lambda value: decimal(value, 4)),
    "rmse": ("RMSE a customer", lambda value: decimal(value, 4)),
    "top_decile_share": ("Held by top decile", percent),
}


def describe_models(figures: Figures) -> Section:
    """Backtest and parameters of the fitted models; the champion is marked."""
    lead = (
        "Each model was fitted on what was known before a holdout period, then judged by what "
        "customers bought in it. "
        "The champion (★) predicts best by the measure that is configured, and values everybody."
    )
    if not figures.models and not figures.backtest:
        return Section(
            "models", "Model fit", lead, [Note(f"No model was fitted as of {figures.as_of} yet.")]
        )
    blocks = [*_backtest(figures), *_parameters(figures)]
    return Section("models", "Model fit", lead, blocks)


def _champions(figures: Figures) -> set[str]:
    return {
        row["name"] for row in figures.models if row["is_champion"] and row["kind"] == "transaction"
    }


def _starred(name: str, champions: set[str]) -> str:
    return f"{name} ★" if name in champions else name


def _backtest(figures: Figures) -> list[Block]:
    found: dict[str, dict[str, float]] = {}
    left_out = {row["model"]: row["reason"] for row in figures.backtest if row.get("reason")}
    for row in figures.backtest:
        if row["model"] not in left_out:
            found.setdefault(row["model"], {})[row["measure"]] = row["value"]
    if not found:
        return [Note("No model was judged on a holdout.")]
    champions, names = _champions(figures), sorted(found)
    rows = [
        [
            _starred(name, champions),
            *(show(found[name].get(measure)) for measure, (_, show) in _MEASURES.items()),
        ]
        for name in names
    ]
    rows += [[f"{name} (left out)", *[UNKNOWN] * len(_MEASURES)] for name in sorted(left_out)]
    days = max(row["holdout_days"] for row in figures.backtest)
    columns = ["Model", *(title for title, _ in _MEASURES.values())]
    marked = frozenset(number for number, name in enumerate(names) if name in champions)
    hint = (
        "MAE and RMSE are in purchases; 'held by top decile' is the share of the actual "
        "purchases made by the tenth of customers with the highest prediction."
    )
    grid = Grid(
        f"Holdout of {days} days: predicted against actual", columns, rows, marked=marked, hint=hint
    )
    data = [
        {
            "name": name,
            "value": found[name].get("predicted_purchases"),
            "series": "champion" if name in champions else "other model",
        }
        for name in names
    ]
    actual = max(measures.get("actual_purchases") or 0 for measures in found.values())
    title = f"Purchases predicted for the {days} days of the holdout, by model"
    text = (
        f"The line is what customers really bought: {whole(actual)}. The closer a bar ends to "
        "it, the better."
    )
    spec = draw_predicted(data, actual, unit="Purchases", description=title)
    reasons = [
        Note(f"{name} is left out of the competition. {reason}")
        for name, reason in sorted(left_out.items())
    ]
    return [grid, *reasons, Chart("holdout", title, text, spec)]


def _parameters(figures: Figures) -> list[Block]:
    champions = _champions(figures)
    rows = [
        [
            _starred(model["name"], champions),
            name,
            significant(value),
            significant((model["standard_errors"] or {}).get(name), 3),
        ]
        for model in figures.models
        for name, value in model["parameters"].items()
    ]
    if not rows:
        return []
    fits = "; ".join(
        f"{m['name']} {decimal(m['log_likelihood'])} on {whole(m['customers'])} customers"
        for m in figures.models
    )
    columns = ["Model", "Parameter", "Estimate", "Standard error"]
    return [Grid("Fitted parameters", columns, rows, left=2, hint=f"Log-likelihood: {fits}.")]
