"""The commands beside `activate`: what could not be delivered, and addresses that nobody may be told at."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from clvspark import console
from clvspark.cli.options import CARE, DEFAULT_CONFIG, AsOf, ConfigFile, app, with_examples


class Identifier(StrEnum):
    """What the lines of a suppression file are."""

    email = "email"
    phone = "phone"


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Put the dead letters of a destination into the outbox again; the next activate tells them.",
        "clvspark replay --destination crm_webhook --config conf/mine.yaml",
    ),
)
def replay(
    destination: Annotated[str, typer.Option(help="id of the destination")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
) -> None:
    """Replay dead letters."""
    from clvspark.activation import stage as activation
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    day = as_of.date() if as_of else settings.as_of
    with console.progress() as show:
        lake = open_lakehouse(settings, progress=show, writes="replay")
        revived = activation.replay(lake, settings.activation, destination, day)
    console.out.print(
        f"{revived:,} instructions wait again. Next step: clvspark activate"
        if revived
        else "No dead letter waits there; nothing was done."
    )


@app.command(
    rich_help_panel=CARE,
    help=with_examples(
        "Add addresses to the suppression list: no destination is told them, whatever was consented to.",
        "clvspark suppress --file bounces.txt --identifier email --reason hard_bounce --config conf/mine.yaml",
    ),
)
def suppress(
    file: Annotated[
        Path, typer.Option(help="text file, one address a line, plain or as SHA-256 of it")
    ],
    identifier: Annotated[Identifier, typer.Option(help="what the addresses are")],
    reason: Annotated[str, typer.Option(help="e.g. hard_bounce, complaint, do_not_contact")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Suppress addresses."""
    from clvspark.activation import stage as activation
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    today = datetime.now(UTC).date()
    with console.progress() as show:
        lake = open_lakehouse(settings, progress=show, writes="suppress")
        added = activation.suppress(
            lake, file, identifier=identifier.value, reason=reason, recorded_on=today
        )
    console.out.print(
        f"{added:,} addresses are suppressed from now on. Next step: clvspark activate, which takes them off all lists."
    )
