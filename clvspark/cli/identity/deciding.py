"""The command by which people decide about two records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from clvspark import console
from clvspark.cli.identity.options import PERSONS, app
from clvspark.cli.identity.show import Record, say
from clvspark.cli.options import DEFAULT_CONFIG, ConfigFile, with_examples
from clvspark.lakehouse.errors import ConfigError


@app.command(
    rich_help_panel=PERSONS,
    help=with_examples(
        "Decide about two records: same or different person. It goes before the model and survives retraining. A "
        "decision that contradicts others is refused.",
        "clvspark identity decide crm:C1 web_shop:W7 --same --by anna",
        "clvspark identity decide crm:C1 crm:C2 --different",
        "clvspark identity decide crm:C1 crm:C2 --remove",
    ),
)
def decide(
    left: Record,
    right: Record,
    config: ConfigFile = DEFAULT_CONFIG,
    same: Annotated[bool, typer.Option("--same", help="they are one person")] = False,
    different: Annotated[bool, typer.Option("--different", help="they are two persons")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="take the decision back")] = False,
    by: Annotated[str | None, typer.Option("--by", help="who decided")] = None,
) -> None:
    """Write or take back a decision."""
    if same + different + remove != 1:
        fault = "give one of --same, --different and --remove"
        raise ConfigError("identity decide", [fault])
    from clvspark.config import read_config
    from clvspark.identity.review.decide import record_decision, remove_decision
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    with console.progress() as show:
        lake = open_lakehouse(settings, writes="identity decide")
        show("writing the decision")
        if remove:
            remove_decision(lake, (left, right))
        else:
            record_decision(
                lake,
                settings.identity.settings,
                (left, right),
                "same" if same else "different",
                by=by,
                at=datetime.now(UTC),
            )
    say("Taken back." if remove else f"Decided: {'same' if same else 'different'}.")
    say("Next step: clvspark resolve, which follows the decision.")
