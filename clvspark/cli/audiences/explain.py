"""The command that says why a person is in an audience."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from clvspark import console
from clvspark.cli.audiences.options import AFTER, AsJson, app, print_json
from clvspark.cli.options import DEFAULT_CONFIG, AsOf, ConfigFile, with_examples


@app.command(
    rich_help_panel=AFTER,
    help=with_examples(
        "Why a person is in an audience, or is not: every condition with what was found. A retired id leads to the "
        "person that absorbed it. Shows personal data.",
        "clvspark audiences explain win_back p0123456789abcdef012 --config conf/mine.yaml",
        "clvspark audiences explain win_back p0123456789abcdef012 --version 1 --as-of 2026-04-01",
    ),
)
def explain(
    audience: Annotated[str, typer.Argument(metavar="AUDIENCE", help="id of the audience")],
    person: Annotated[str, typer.Argument(metavar="PERSON", help="id of the person")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_of: AsOf = None,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="version; default: as configured")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a membership."""
    from clvspark.audiences.explain import explain_membership
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse

    settings = read_config(config)
    day = as_of.date() if as_of else settings.as_of
    with console.progress() as show:
        lake = open_lakehouse(settings)
        show("explaining")
        found = explain_membership(
            lake, settings.audiences, audience, person, as_of=day, version=version
        )
    if as_json:
        print_json(found)
        return
    state = "is in" if found.is_member else "is not in"
    title = f"{found.person_id} {state} {found.audience_id} (version {found.version}) as of {day}"
    rows = [
        (escape("  " * v.depth + v.says), "yes" if v.holds else "no", escape(v.observed or "-"))
        for v in found.verdicts
    ]
    console.table(title, ["condition", "holds", "found"], rows, left=3)
