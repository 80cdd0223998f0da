"""The commands that run stages: all of them, or one."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clvspark import console
from clvspark.cli.options import (
    DEFAULT_CONFIG,
    PIPELINE,
    STAGE,
    AsOf,
    ConfigFile,
    Force,
    app,
    with_examples,
)

if TYPE_CHECKING:
    from clvspark.config import Config
    from clvspark.findings import Findings
    from clvspark.lakehouse import RunReport

HELP = {
    "ingest": "Landing files -> sources.*; bad rows go to quarantine.",
    "resolve": "Customer records -> persons (identity.*).",
    "history": "Events and persons -> orders, days and purchase summaries (history.*).",
    "fit": "Backtest and fit the CLV models (clv.model, clv.backtest).",
    "score": "Value every person (clv.customer_value).",
    "moments": "Begin, advance and end journeys; send the steps that are due (audiences.journey, .journey_step).",
    "learn": "Sum what came of decisions whose window is over (measurement.offer_outcome).",
    "decide": "Decide what each person is offered, and why (audiences.decision).",
    "activate": "Consent gate, holdout, outbox, deliveries to the destinations (activation.*).",
    "responses": "Join responses to audiences and deciles (measurement.response).",
    "measure": "Treatment against holdout (measurement.experiment, measurement.incremental_value).",
    "report": "Refresh the star schema (reporting.*) and the dashboards.",
}


@app.command(
    rich_help_panel=PIPELINE,
    help=with_examples(
        "Run the whole pipeline, then print what came out.",
        "clvspark run --config conf/mine.yaml",
        "clvspark run --config conf/examples/complete_journey.yaml",
    ),
)
def run(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, force: Force = False) -> None:
    """Run all stages and print the summary."""
    from clvspark.config import read_config

    _run_and_summarise(read_config(config), as_of, force)


@app.command(
    rich_help_panel=PIPELINE,
    help=with_examples(
        "Simulate the demo's landing files in demo/ if they are missing, run the whole pipeline, print what came "
        "out and whether it is what the demo promises.",
        "clvspark demo",
        "clvspark demo --fresh --seed 7 --customers 1000",
        "clvspark demo --respond",
    ),
)
def demo(
    seed: Annotated[
        int | None, typer.Option(help="equal seeds give equal people; else 20260401")
    ] = None,
    customers: Annotated[
        int | None,
        typer.Option(min=1, help="only the first N of the 23,570 customers; else all"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="throw the last demo away first")] = False,
    respond: Annotated[
        bool,
        typer.Option(
            "--respond",
            help="then let those who were told buy more, by a known effect, run again, and compare",
        ),
    ] = False,
    postgres: Annotated[
        bool,
        typer.Option(
            "--postgres",
            help="keep lists in a PostgreSQL as well, by the connection string in CLVSPARK_POSTGRES",
        ),
    ] = False,
) -> None:
    """Prepare the landing files, run all stages, hold the results against the promises."""
    from clvspark import demo as demonstration
    from clvspark.config import read_config, shipped_config
    from clvspark.lakehouse import build_session
    from clvspark.pipeline import STAGES

    kind = "demo_postgres" if postgres else "demo_loop" if respond else "demo"
    config = read_config(shipped_config(f"{kind}.yaml"))
    with console.progress() as show:
        landing = demonstration.prepare(
            demonstration.FOLDER,
            lakehouse=Path(str(config.lakehouse.root)),
            seed=seed,
            customers=customers,
            fresh=fresh,
            session=lambda: build_session(config.spark),
            progress=show,
        )
    console.out.print(f"{demonstration.FOLDER}/landing: {landing}")
    findings = _run_and_summarise(config, None, force=False)
    demonstration.print_promises(demonstration.judge(findings, landing))
    if respond:
        demonstration.react(config, landing)
        execute(config, list(STAGES), None, force=False)
        demonstration.print_effects(config)


def _run_and_summarise(config: Config, as_of: datetime | None, force: bool) -> Findings:
    from clvspark.findings import find
    from clvspark.pipeline import STAGES, open_lakehouse
    from clvspark.summary import print_summary

    reports = execute(config, list(STAGES), as_of, force)
    day = as_of.date() if as_of else config.as_of
    lake = open_lakehouse(config)
    findings = find(lake, config, day)
    print_summary(findings, lake, config, day, reports)
    return findings


def execute(
    config: Config, names: Sequence[str], as_of: datetime | None, force: bool
) -> list[RunReport]:
    """Run stages with progress, one printed line each."""
    from clvspark.pipeline import name_command, open_lakehouse, refuse_failures, run_stages

    day = as_of.date() if as_of else config.as_of
    reports = []
    with console.progress(*names) as show:
        lake = open_lakehouse(config, progress=show, writes=name_command(names))
        for report in run_stages(lake, config, names, as_of=day, force=force):
            console.print_report(report)
            reports.append(report)
    refuse_failures(reports)
    return reports


def _stage_command(name: str) -> Callable[..., None]:
    def command(
        config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, force: Force = False
    ) -> None:
        from clvspark.config import read_config

        execute(read_config(config), [name], as_of, force)

    return command


for _name, _help in HELP.items():
    if _name == "report":  # a command of its own, above
        continue
    _examples = (
        f"clvspark {_name} --config conf/mine.yaml",
        f"clvspark {_name} --config conf/mine.yaml --as-of 2026-05-01",
    )
    app.command(_name, help=with_examples(_help, *_examples), rich_help_panel=STAGE)(
        _stage_command(_name)
    )


@app.command(
    "report",
    help=with_examples(
        HELP["report"],
        "clvspark report --config conf/mine.yaml",
        "clvspark report --config conf/mine.yaml --as-of 2026-05-01 --open",
    ),
    rich_help_panel=STAGE,
)
def report(
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    force: Force = False,
    open_page: Annotated[
        bool, typer.Option("--open", help="then show the first dashboard in the browser")
    ] = False,
) -> None:
    """Refresh the star schema, render the dashboards, and show them where that is asked for."""
    from clvspark.config import read_config

    settings = read_config(config)
    execute(settings, ["report"], as_of, force)
    page = Path(settings.reporting.page).absolute()
    console.out.print(f"Dashboards: {settings.reporting.page}")
    if open_page and not webbrowser.open(page.as_uri()):
        console.out.print(f"No browser could be started. Open {page.as_uri()} in one.")
