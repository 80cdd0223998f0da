"""The command line. Every command reads a configuration, opens the lakehouse and runs stages; nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clvspark import __version__, console
from clvspark.cli_identity import app as identity_app
from clvspark.lakehouse.errors import ClvsparkError
from clvspark.lakehouse.logs import configure_logging

if TYPE_CHECKING:
    from clvspark.config import Config
    from clvspark.lakehouse import RunReport

app = typer.Typer(
    name="clvspark",
    help="Who is who across channels, what each customer will be worth, and what to do about it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(identity_app)

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
Seed = Annotated[int, typer.Option(help="equal seeds give equal data")]
DEFAULT_CONFIG = Path("conf/local.yaml")
DEMO_FOLDER = Path("demo")

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


def _execute(
    config: Config, names: Sequence[str], as_of: datetime | None, force: bool
) -> list[RunReport]:
    """Run stages with progress, one printed line each."""
    from clvspark.pipeline import open_lakehouse, run_stages

    day = as_of.date() if as_of else config.as_of
    reports = []
    with console.progress() as show:
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


for _name, _help in HELP.items():
    app.command(_name, help=_help)(_stage_command(_name))


@app.command()
def run(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, force: Force = False) -> None:
    """Run the whole pipeline, then print what came out."""
    from clvspark.config import read_config

    settings = read_config(config)
    _run_and_summarise(settings, as_of, force)


@app.command()
def demo(
    seed: Seed = 20260401,
    customers: Annotated[
        int | None, typer.Option(help="only the first N of the 23,570 customers")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="throw the last demo away first")] = False,
) -> None:
    """Simulate the demo's landing files if they are missing, run the whole pipeline, print what came out."""
    import shutil

    from clvspark.config import read_config, shipped_config
    from clvspark.lakehouse import build_session
    from clvspark.simulate import simulate_demo

    config = read_config(shipped_config("demo.yaml"))
    if fresh:
        shutil.rmtree(DEMO_FOLDER, ignore_errors=True)
    if not (DEMO_FOLDER / "landing").is_dir():
        with console.progress() as show:
            spark = build_session(config.spark)
            show("simulating the landing files")
            summary = simulate_demo(spark, DEMO_FOLDER, seed=seed, customers=customers)
        console.out.print(
            f"simulated {summary.records:,} records of {summary.persons:,} persons in {DEMO_FOLDER}/landing"
        )
    _run_and_summarise(config, None, force=False)


def _run_and_summarise(config: Config, as_of: datetime | None, force: bool) -> None:
    from clvspark.pipeline import STAGES, open_lakehouse
    from clvspark.summary import print_summary

    reports = _execute(config, list(STAGES), as_of, force)
    print_summary(open_lakehouse(config), config, as_of.date() if as_of else config.as_of, reports)


@app.command()
def simulate(
    persons: Annotated[int, typer.Option(min=1, help="number of persons")],
    out: Annotated[Path, typer.Option(help="folder to write landing/ and truth/ to")],
    seed: Seed = 20260401,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what is there")] = False,
    driver_memory: Annotated[str, typer.Option(help="memory of the local Spark")] = "6g",
) -> None:
    """Write landing files of any size, with purchases from a known process and the truth beside them."""
    from clvspark.lakehouse import SparkConfig, build_session
    from clvspark.simulate import simulate_population

    with console.progress() as show:
        spark = build_session(SparkConfig(driver_memory=driver_memory))  # type: ignore[call-arg]
        show(f"simulating {persons:,} persons")
        summary = simulate_population(spark, out, persons=persons, seed=seed, overwrite=overwrite)
    console.out.print(
        f"simulated {summary.records:,} records of {summary.persons:,} persons in {out}/landing"
    )


@app.command()
def stream(
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    available_now: Annotated[
        bool, typer.Option("--available-now", help="take what is there, then stop")
    ] = False,
    every: Annotated[str, typer.Option(help="interval of the micro-batches")] = "30 seconds",
) -> None:
    """Watch the landing folder; every drop runs from ingest to activation (Structured Streaming)."""
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse
    from clvspark.stream import stream_landing

    settings = read_config(config)
    day = as_of.date() if as_of else settings.as_of
    with console.progress() as show:
        lake = open_lakehouse(settings, progress=show)
        interval = None if available_now else every
        stream_landing(lake, settings, as_of=day, every=interval, report=console.print_report)


@app.command()
def forget(
    record: Annotated[
        list[str], typer.Option(help="record of the person, as SYSTEM:ID; may be repeated")
    ],
    config: ConfigFile = DEFAULT_CONFIG,
    requested_on: AsOf = None,
) -> None:
    """Erase a person: every record of theirs, everywhere; sales stay as anonymous sums."""
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


@app.command()
def status(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Show tables, rows, versions and the last runs."""
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse

    with console.progress():
        lake = open_lakehouse(read_config(config))
    console.print_status(lake)


@app.command()
def setup() -> None:
    """Fetch the JARs of Delta once, and find a Java; afterwards no network is needed."""
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
    _guarded(lambda: app(args=[name, *sys.argv[1:]], standalone_mode=False))


def main() -> None:
    """Entry point of the console script."""
    _guarded(lambda: app(standalone_mode=False))


# Typer raises the errors of its own copy of click, older ones those of the package.
_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]


def _guarded(call: Callable[[], Any]) -> None:
    """Run a command; errors meant for people become one message and an exit code, others one line and 70."""
    debugging = bool(os.environ.get("CLVSPARK_DEBUG"))
    try:
        code = call()
    except ClvsparkError as error:
        console.fail(error)
        code = error.exit_code
    except typer.Abort:
        code = 130
    except _USAGE_ERROR as error:
        error.show()
        code = error.exit_code
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if debugging:
            raise
        # The message of a foreign error may quote data, so only its kind is shown.
        console.err.print(
            f"[bold red]{type(error).__name__}[/]: an unexpected fault. Set CLVSPARK_DEBUG=1 to see the traceback."
        )
        code = 70
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
