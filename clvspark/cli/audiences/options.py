"""What the commands of the group have in common."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from typing import Annotated, Any

import typer

from clvspark.cli.flags import Application
from clvspark.cli.options import with_examples

app = Application(
    name="audiences",
    help=with_examples(
        "Rank deciles and evaluate audience rules (audiences.*). Without a command it does what 'evaluate' does.",
        "clvspark audiences --config conf/mine.yaml",
        "clvspark audiences validate --config conf/mine.yaml",
        "clvspark audiences diff top_customers --config conf/mine.yaml",
    ),
    epilog="Before a rule is published: validate, estimate, diff. Afterwards: explain. Reference: docs/audiences.md",
)

BEFORE, STAGE, AFTER = "Before a rule is published", "The stage", "Afterwards"
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="AUDIENCE", help="ids; default: all that are configured"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document and nothing else")]


def print_json(told: Any) -> None:
    """Print dataclasses, and what they consist of, as JSON."""
    typer.echo(json.dumps(told, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.isoformat() if isinstance(value, date) else str(value)
