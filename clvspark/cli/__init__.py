"""The command line. Every command reads a configuration, opens the lakehouse and runs stages; nothing else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from clvspark import __version__, console
from clvspark.cli import activation, pipeline, upkeep  # noqa: F401 - they give `app` its commands, in this order
from clvspark.cli.audiences import app as audiences_app
from clvspark.cli.clv import app as clv_app
from clvspark.cli.identity import app as identity_app
from clvspark.cli.options import CLV, IDENTITY, PIPELINE, STAGE, app
from clvspark.cli.stream import app as stream_app
from clvspark.guard import guarded
from clvspark.lakehouse.logs import configure_logging

app.add_typer(stream_app, rich_help_panel=PIPELINE)
app.add_typer(audiences_app, rich_help_panel=STAGE)
app.add_typer(identity_app, rich_help_panel=IDENTITY)
app.add_typer(clv_app, rich_help_panel=CLV)


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
