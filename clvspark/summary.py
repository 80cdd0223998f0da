"""What is told at the end of a run: from records to files, with every sum reconciled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from pyspark.sql import functions as F
from rich.markup import escape

from clvspark import console
from clvspark.clv.tables import BACKTEST, MODEL, NEWEST_FOLD
from clvspark.config import Config
from clvspark.findings import Findings, Metrics, is_date
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.reporting.tables import DIM_AUDIENCE, FACT_CLV_DECILE, FACT_PROFILE_BY_AUDIENCE
from clvspark.sources.tables import QUARANTINE


def print_summary(
    findings: Findings,
    lake: Lakehouse,
    config: Config,
    as_of: date,
    reports: Sequence[RunReport],
) -> None:
    """Print what the pipeline left for `as_of`."""
    _print_identity(findings.metrics)
    _print_revenue(lake, findings)
    _print_quarantine(lake, findings)
    _print_models(lake, config, as_of)
    _print_deciles(lake, config, as_of)
    _print_audiences(lake, as_of)
    _print_files(config, as_of)
    _print_seconds(reports)
    for stage, warnings in findings.warnings.items():
        for warning in warnings:
            console.print_warning(stage, warning)
    console.out.print(_name_next_step(Path(config.reporting.page)), soft_wrap=True)


def _name_next_step(page: Path) -> str:
    if page.exists():
        return (
            "Next step: open the page in a browser, or see the tables: clvspark status. The page: "
            f"{escape(str(page))}"
        )
    return (
        "Next step: see the tables: clvspark status. There is no page, as 'reporting.dashboards' names none; see "
        "docs/dashboards.md."
    )


def _print_identity(metrics: Metrics) -> None:
    found = {name: value for (stage, name), value in metrics.items() if stage == "resolve"}
    if not found:
        return
    rows = [("records", _whole(found.get("records"))), ("persons", _whole(found.get("persons")))]
    if "pairwise_f1" in found:
        rows += [
            (name, f"{found[f'pairwise_{name}']:.4f}") for name in ("precision", "recall", "f1")
        ]
        rows += [
            ("records of the largest person", _whole(found.get("largest_person"))),
            ("records of the largest person in truth", _whole(found.get("largest_true_person"))),
        ]
    else:
        rows.append(("precision and recall", "no truth is known"))
    console.table("Who is who", ["measure", "value"], rows)


def _print_revenue(lake: Lakehouse, findings: Findings) -> None:
    sums = findings.revenue
    names = {
        "landing files": findings.landed_revenue,
        "sources.event": sums["events"],
        "sources.quarantine, where readable": sums["quarantine"],
        "history.order of persons": sums["persons"],
        "history.order, anonymous": sums["anonymous"],
    }
    console.table(
        f"Revenue, {lake.config.currency}",
        ["where", "net revenue"],
        [(n, _money(v)) for n, v in names.items()],
    )
    rows = [
        (what, _money(left), _money(right), _verdict(left, right))
        for what, left, right in findings.reconciliation
    ]
    console.table("Revenue reconciled", ["what", "left", "right", "difference"], rows)


def _print_quarantine(lake: Lakehouse, findings: Findings) -> None:
    groups = lake.read_or_empty(QUARANTINE).groupBy("target_table", "reason")
    counted = groups.agg(F.count(F.lit(1)).alias("rows"), F.sum("net_revenue").alias("revenue"))
    found = counted.orderBy(F.desc("rows"), "target_table", "reason").limit(30).collect()
    rows = [
        (f"{r['target_table']}: {escape(r['reason'])}", r["rows"], _money(r["revenue"]))
        for r in found
    ]
    columns = ["table and reason", "rows", f"readable revenue ({lake.config.currency})"]
    console.table("Rows in quarantine", columns, rows or [("none", 0, "-")])
    rejected = findings.metrics.get(("ingest", "rows_quarantined"))
    if rejected is not None and findings.planted_rows is not None:
        console.out.print(
            f"Broken rows planted by the simulation: {findings.planted_rows:,}; rows in quarantine: "
            f"{rejected:,.0f}.\n"
        )


def _print_models(lake: Lakehouse, config: Config, as_of: date) -> None:
    models = (
        lake.read_or_empty(MODEL)
        .where(is_date(as_of))
        .drop("document")
        .orderBy("kind", "name")
        .collect()
    )
    parameters = [
        (
            f"* {m['name']}" if m["is_champion"] and m["kind"] == "transaction" else m["name"],
            ", ".join(f"{name} {value:.5g}" for name, value in m["parameters"].items()),
            f"{m['log_likelihood']:,.2f}" if m["log_likelihood"] is not None else "-",
        )
        for m in models
    ]
    champion = {m["name"] for m in models if m["is_champion"] and m["kind"] == "transaction"}
    parameters += [
        (row["model"], f"left out: {escape(row['reason'])}", "-")
        for row in lake.read_or_empty(BACKTEST)
        .where(is_date(as_of))
        .where(NEWEST_FOLD)
        .where("reason IS NOT NULL")
        .orderBy("model")
        .collect()
    ]
    console.table(
        "Models (* champion)", ["model", "parameters", "log-likelihood"], parameters, left=2
    )
    measures: dict[str, dict[str, float]] = {}
    judged = lake.read_or_empty(BACKTEST).where(is_date(as_of)).where(NEWEST_FOLD)
    judged = judged.where("reason IS NULL")
    for row in judged.orderBy("model").collect():
        measures.setdefault(row["model"], {})[row["measure"]] = row["value"]
    rows = [
        (
            f"* {name}" if name in champion else name,
            _whole(found.get("predicted_purchases")),
            _whole(found.get("actual_purchases")),
            _percent(found.get("total_error")),
            found.get("mae"),
            _percent(found.get("top_decile_share")),
        )
        for name, found in measures.items()
    ]
    columns = ["model", "predicted", "actual", "error", "MAE", "top decile"]
    title = f"Purchases in the holdout of {config.clv.holdout_days} days"
    rule = f"* champion: {config.clv.champion_rule}"
    console.table(f"{title}\n{rule}", columns, rows)


def _print_deciles(lake: Lakehouse, config: Config, as_of: date) -> None:
    deciles = (
        lake.read_or_empty(FACT_CLV_DECILE)
        .where(is_date(as_of))
        .where("metric = 'clv'")
        .orderBy("decile")
        .collect()
    )
    rows = [
        (
            str(d["decile"]),
            d["count_of_profiles"],
            f"{d['value'] / d['count_of_profiles']:,.2f}",
            _whole(d["value"]),
            _percent(d["p_alive"]),
            _whole(d["residual_value"]),
            _whole(d["revenue_after"]),
        )
        for d in deciles
    ]
    columns = [
        "decile",
        "persons",
        "CLV a person",
        "CLV",
        "P(alive)",
        f"next {config.clv.horizon_days} days",
    ]
    columns.append(f"revenue, {config.measurement.window_days} days after")
    console.table(
        f"Deciles of CLV ({config.clv.value}, {lake.config.currency}), 1 is the best", columns, rows
    )


def _print_audiences(lake: Lakehouse, as_of: date) -> None:
    names = lake.read_or_empty(DIM_AUDIENCE).select("audience_id", "name")
    sizes = (
        lake.read_or_empty(FACT_PROFILE_BY_AUDIENCE)
        .where(is_date(as_of))
        .join(names, on="audience_id", how="left")
    )
    rows = [
        (
            escape(a["name"] or a["audience_id"]),
            a["count_of_profiles"],
            a["contactable_email"],
            _whole(a["clv"]),
        )
        for a in sizes.orderBy(F.desc("count_of_profiles"), "audience_id").collect()
    ]
    columns = ["audience", "members", "reach by e-mail", f"CLV ({lake.config.currency})"]
    console.table("Audiences", columns, rows or [("none", 0, 0, "-")])


def _print_files(config: Config, as_of: date) -> None:
    """Files of the date's deliveries, as their manifests list them."""
    rows: list[tuple[str, object, object]] = []
    for destination in config.activation.destinations:
        folder = Path(config.activation.exports) / destination.id
        # Later deliveries of a date have its number behind the date.
        for manifest in sorted(folder.glob(f"{as_of}*/manifest.json")):
            told = json.loads(manifest.read_text(encoding="utf-8"))
            persons = {
                a["audience_id"]: a["persons_added"] + a["persons_removed"]
                for a in told.get("audiences", [])
            }
            rows += [
                (
                    escape(str(manifest.with_name(f["name"]))),
                    f["rows"],
                    persons.get(f["audience_id"]),
                )
                for f in told["files"]
            ]
    columns = ["file", "entries (one an address)", "persons"]
    console.table("Files written", columns, rows or [("none: no list has changed", 0, 0)])


def _print_seconds(reports: Sequence[RunReport]) -> None:
    if not reports:
        return
    rows: list[tuple[str, str, str]] = [
        (report.stage, report.status, f"{report.seconds:,.1f}") for report in reports
    ]
    rows.append(("all stages", "", f"{sum(report.seconds for report in reports):,.1f}"))
    console.table("Seconds", ["stage", "status", "seconds"], rows, left=2)


def _verdict(left: Decimal | None, right: Decimal | None) -> str:
    if left is None or right is None:
        return "not known"
    return f"{left - right:,.2f}" + (" (equal)" if left == right else " (NOT EQUAL)")


def _money(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value * 100:,.1f} %"
