"""The commands of the stream: run it, look how it does, stop it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import typer

from clvspark import console
from clvspark.cli.flags import Application
from clvspark.cli.options import DEFAULT_CONFIG, ConfigFile, with_examples

app = Application(
    name="stream",
    invoke_without_command=True,
    subcommand_metavar="[status|stop]",
)


def _interval(text: str) -> str:
    """An interval as Spark reads it; wrong usage otherwise."""
    if not re.fullmatch(r"\s*0*[1-9]\d{0,5}\s+(second|minute|hour)s?\s*", text):
        raise typer.BadParameter(
            f"{text!r} is no interval. Write a whole number from 1, then seconds, minutes or hours: --every '5 minutes'"
        )
    return text.strip()


@app.callback(
    help=with_examples(
        "Take what lands within seconds: recognise, decide, tell; histories and values follow (Structured Streaming). "
        "A day is begun by the stages from ingest to activate. Ctrl-C lets the batch at hand finish, then stops.",
        "clvspark stream --config conf/mine.yaml",
        "clvspark stream --config conf/mine.yaml --available-now",
        "clvspark stream status --config conf/mine.yaml",
        "clvspark stream stop --config conf/mine.yaml",
    ),
)
def stream(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d"],
            help="first day not known; default: tomorrow (UTC), so that today counts",
        ),
    ] = None,
    available_now: Annotated[
        bool, typer.Option("--available-now", help="take what is there, then stop")
    ] = False,
    every: Annotated[
        str,
        typer.Option(
            callback=_interval, help="interval of the micro-batches, e.g. '1 second', '5 minutes'"
        ),
    ] = "1 second",
    restart: Annotated[
        bool,
        typer.Option("--restart", help="set the checkpoint aside and begin with a new one"),
    ] = False,
) -> None:
    """Take what lands until stopped."""
    if context.invoked_subcommand:
        return
    from clvspark.config import read_config
    from clvspark.live.query import OPENING, run_stream
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    with console.progress(*OPENING) as show:
        run_stream(
            open_lakehouse(settings, progress=show, writes="stream"),
            settings,
            as_of=as_of.date() if as_of else None,
            every=None if available_now else every,
            report=console.print_report,
            restart=restart,
        )


@app.command(
    rich_help_panel="While it runs",
    help=with_examples(
        "Show what the newest micro-batches took, how long from arrival to the outbox, and what came of moments.",
        "clvspark stream status --config conf/mine.yaml",
    ),
)
def status(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Show the newest micro-batches."""
    from clvspark.config import read_config
    from clvspark.live.status import print_batches, print_moments, read_batches, read_moments

    settings = read_config(config)
    print_batches(read_batches(settings))
    print_moments(read_moments(settings))


@app.command(
    rich_help_panel="While it runs",
    help=with_examples(
        "Let the stream finish the batch at hand, let histories catch up, and end.",
        "clvspark stream stop --config conf/mine.yaml",
    ),
)
def stop(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Ask the stream to end."""
    from clvspark.config import read_config
    from clvspark.live.status import ask_to_stop

    console.out.print(ask_to_stop(read_config(config)), soft_wrap=True)
