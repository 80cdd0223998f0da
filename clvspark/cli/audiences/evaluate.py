"""The stage, as the group itself and as a command of it."""

from __future__ import annotations

import typer

from clvspark.cli.audiences.options import STAGE, app
from clvspark.cli.options import DEFAULT_CONFIG, AsOf, ConfigFile, Force, with_examples


@app.callback(invoke_without_command=True)
def _stage(
    context: typer.Context,
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    force: Force = False,
) -> None:
    if context.invoked_subcommand is None:
        evaluate(config, as_of, force)
        return
    given = [
        p for p in context.params if str(context.get_parameter_source(p)).endswith("COMMANDLINE")
    ]
    if given:
        raise typer.BadParameter(
            f"write --{given[0].replace('_', '-')} behind {context.invoked_subcommand}"
        )


@app.command(
    rich_help_panel=STAGE,
    help=with_examples(
        "Rank deciles, evaluate all audiences whose turn it is, and write who entered and who left.",
        "clvspark audiences evaluate --config conf/mine.yaml",
        "clvspark audiences evaluate --config conf/mine.yaml --as-of 2026-05-01",
    ),
)
def evaluate(config: ConfigFile = DEFAULT_CONFIG, as_of: AsOf = None, force: Force = False) -> None:
    """Run the stage."""
    from clvspark.cli.pipeline import execute
    from clvspark.config import read_config

    execute(read_config(config), ["audiences"], as_of, force)
