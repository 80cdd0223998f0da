"""The command line. Every command reads a configuration, opens the lakehouse and runs stages; nothing else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clvspark import __version__, console
from clvspark.guard import guarded
from clvspark.lakehouse.logs import configure_logging

if TYPE_CHECKING:
    from clvspark.config import Config
    from clvspark.findings import Findings
    from clvspark.lakehouse import RunReport

app = typer.Typer(
    name="clvspark",
    help="Who is who across channels, what each customer will be worth, and what to do about it.",
    epilog="Start with: clvspark demo. Then: clvspark COMMAND --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PIPELINE, STAGE, DATA, CARE = "Pipeline", "Stages, in their order", "Data", "Care"

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", help="configuration file", envvar="CLVSPARK_CONFIG")
]
AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        formats=["%Y-%m-%d"],
        help="first day not known; default: as_of of the configuration",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="run although nothing has changed")]
DEFAULT_CONFIG = Path("conf/local.yaml")

HELP = {
    "ingest": "Landing files -> sources.*; bad rows go to quarantine.",
    "resolve": "Customer records -> persons (identity.*).",
    "history": "Events and persons -> orders, days and purchase summaries (history.*).",
    "fit": "Backtest and fit the CLV models (clv.model, clv.backtest).",
    "score": "Value every person (clv.customer_value).",
    "audiences": "Rank deciles and evaluate audience rules (audiences.*).",
    "activate": "Consent gate, holdout, outbox, files at the destinations (activation.*).",
    "responses": "Join responses to audiences and deciles (measurement.response).",
    "measure": "Treatment against holdout (measurement.experiment, measurement.incremental_value).",
    "report": "Refresh the star schema and the HTML page (reporting.*).",
}


def _with_examples(text: str, *examples: str) -> str:
    """Help of a command: what it does, then commands to copy."""
    return "\n\n".join([text, "Examples:", "\b\n" + "\n".join(f"  {line}" for line in examples)])


def _execute(
    config: Config, names: Sequence[str], as_of: datetime | None, force: bool
) -> list[RunReport]:
    """Run stages with progress, one printed line each."""
    from clvspark.pipeline import open_lakehouse, run_stages

    day = as_of.date() if as_of else config.as_of
    reports = []
    with console.progress(*names) as show:
        lake = open_lakehouse(config, progress=show)
        for report in run_stages(lake, config, names, as_of=day, force=force):
            console.print_report(report)
            reports.append(report)
    return reports


def _stage_command(name: str) -> Callable[..., None]:
    def command(
        config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, force: Force = False
    ) -> None:
        from clvspark.config import read_config

        _execute(read_config(config), [name], as_of, force)

    return command


@app.command(
    rich_help_panel=PIPELINE,
    help=_with_examples(
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
    help=_with_examples(
        "Simulate the demo's landing files in demo/ if they are missing, run the whole pipeline, print what came "
        "out and whether it is what the demo promises.",
        "clvspark demo",
        "clvspark demo --fresh --seed 7 --customers 1000",
    ),
)
def demo(
    seed: Annotated[
        int | None, typer.Option(help="equal seeds give equal people", show_default="20260401")
    ] = None,
    customers: Annotated[
        int | None,
        typer.Option(min=1, help="only the first N of the 23,570 customers", show_default="all"),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="throw the last demo away first")] = False,
) -> None:
    """Prepare the landing files, run all stages, hold the results against the promises."""
    from clvspark import demo as demonstration
    from clvspark.config import read_config, shipped_config
    from clvspark.lakehouse import build_session

    config = read_config(shipped_config("demo.yaml"))
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


def _run_and_summarise(config: Config, as_of: datetime | None, force: bool) -> Findings:
    from clvspark.findings import find
    from clvspark.pipeline import STAGES, open_lakehouse
    from clvspark.summary import print_summary

    reports = _execute(config, list(STAGES), as_of, force)
    day = as_of.date() if as_of else config.as_of
    lake = open_lakehouse(config)
    findings = find(lake, config, day)
    print_summary(findings, lake, config, day, reports)
    return findings


@app.command(
    rich_help_panel=PIPELINE,
    help=_with_examples(
        "Watch the landing folder; every drop runs from ingest to activation (Structured Streaming). "
        "Ctrl-C lets the drop at hand finish, then stops.",
        "clvspark stream --config conf/mine.yaml",
        "clvspark stream --config conf/mine.yaml --available-now",
    ),
)
def stream(
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d"],
            help="first day not known; default: the day (UTC) on which a drop is taken",
        ),
    ] = None,
    available_now: Annotated[
        bool, typer.Option("--available-now", help="take what is there, then stop")
    ] = False,
    every: Annotated[str, typer.Option(help="interval of the micro-batches")] = "30 seconds",
) -> None:
    """Run the stages for every new drop of files."""
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse
    from clvspark.stream import STREAMED, stream_landing

    settings = read_config(config)
    with console.progress(*STREAMED) as show:
        stream_landing(
            open_lakehouse(settings, progress=show),
            settings,
            as_of=as_of.date() if as_of else None,
            every=None if available_now else every,
            report=console.print_report,
        )


for _name, _help in HELP.items():
    _examples = (
        f"clvspark {_name} --config conf/mine.yaml",
        f"clvspark {_name} --config conf/mine.yaml --as-of 2026-05-01",
    )
    app.command(_name, help=_with_examples(_help, *_examples), rich_help_panel=STAGE)(
        _stage_command(_name)
    )


@app.command(
    rich_help_panel=DATA,
    help=_with_examples(
        "Write landing files of any size, with purchases from a known process and the truth beside them.",
        "clvspark simulate --persons 20000 --out shop",
        "clvspark simulate --persons 1000000 --seed 1 --out big --driver-memory 6g",
    ),
)
def simulate(
    persons: Annotated[int, typer.Option(min=1, help="number of persons")],
    out: Annotated[Path, typer.Option(help="folder to write landing/ and truth/ to")],
    seed: Annotated[int, typer.Option(help="equal seeds give equal files")] = 20260401,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what is there")] = False,
    driver_memory: Annotated[str, typer.Option(help="memory of the local Spark")] = "6g",
) -> None:
    """Simulate a population of any size."""
    from clvspark.lakehouse import SparkConfig, build_session
    from clvspark.simulate import simulate_population

    with console.progress() as show:
        spark = build_session(SparkConfig(driver_memory=driver_memory))  # type: ignore[call-arg]
        show("simulate")
        summary = simulate_population(
            spark,
            out,
            persons=persons,
            seed=seed,
            overwrite=overwrite,
            progress=lambda step: show("simulate", step),
        )
    console.out.print(
        f"simulated {summary.records:,} records of {summary.persons:,} persons in {out}/landing",
        markup=False,
        soft_wrap=True,
    )


@app.command(
    rich_help_panel=CARE,
    help=_with_examples(
        "Erase a person: every record of theirs, everywhere; sales stay as anonymous sums.",
        "clvspark forget --record crm:C123 --config conf/mine.yaml",
    ),
)
def forget(
    record: Annotated[
        list[str], typer.Option(help="record of the person, as SYSTEM:ID; may be repeated")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    requested_on: AsOf = None,
) -> None:
    """Erase a person."""
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse
    from clvspark.privacy.erase import erase_persons

    settings = read_config(config)
    day = requested_on.date() if requested_on else settings.as_of
    with console.progress() as show:
        erased = erase_persons(open_lakehouse(settings, progress=show), record, requested_on=day)
    console.table("Erased", ["table", "rows deleted or anonymised"], sorted(erased.items()))
    console.out.print(
        "The records will not be ingested again. Files of earlier table versions are removed by VACUUM once the "
        "retention of 7 days has passed. Next step: clvspark run, so that persons, audiences and lists follow."
    )


@app.command(
    rich_help_panel=CARE,
    help=_with_examples(
        "Show tables with rows and versions, and how the last run of every stage ended.",
        "clvspark status --config conf/demo.yaml",
    ),
)
def status(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Show tables and runs."""
    from clvspark.config import read_config
    from clvspark.status import print_status, read_status

    print_status(read_status(read_config(config)))


@app.command(
    rich_help_panel=CARE,
    help=_with_examples(
        "Fetch the JARs of Delta once, and find a Java; afterwards no network is needed.",
        "clvspark setup",
    ),
)
def setup() -> None:
    """Set up what Spark needs."""
    from clvspark.lakehouse import runtime

    runtime.ensure_java()
    runtime.ensure_jars()
    runtime.write_spark_conf()
    console.out.print("Java and JARs are in place.")


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="log more")] = False,
) -> None:
    configure_logging("INFO" if verbose else "WARNING")
    if version:
        console.out.print(f"clvspark {__version__}")
        raise typer.Exit


def run_stage(name: str) -> None:
    """Entry point of the jobs: ``spark-submit jobs/X.py --config FILE --as-of DATE [--force]``."""
    guarded(lambda: app(args=[name, *sys.argv[1:]], standalone_mode=False))


def main() -> None:
    """Entry point of the console script."""
    guarded(lambda: app(standalone_mode=False))
