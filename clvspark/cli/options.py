"""What the commands have in common: the application, options, help with examples."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from typer.models import OptionInfo

from clvspark.cli.flags import Application

app = Application(
    name="clvspark",
    help="Who is who across channels, what each customer will be worth, and what to do about it.",
    epilog="Start with: clvspark demo. Then: clvspark COMMAND --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PIPELINE, STAGE, DATA, CARE = "Pipeline", "Stages, in their order", "Data", "Care"
IDENTITY = "Identity, looked at closely"
CLV = "Lifetime value of any transaction log"

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", help="configuration file", envvar="CLVSPARK_CONFIG")
]


def as_of_option(meaning: str) -> OptionInfo:
    """The option ``--as-of``, a day."""
    return typer.Option("--as-of", formats=["%Y-%m-%d"], help=meaning)


AsOf = Annotated[
    datetime | None, as_of_option("first day not known; default: as_of of the configuration")
]
Force = Annotated[bool, typer.Option("--force", help="run although nothing has changed")]
DEFAULT_CONFIG = Path("conf/local.yaml")


def with_examples(text: str, *examples: str) -> str:
    """Help of a command: what it does, then commands to copy."""
    return "\n\n".join([text, "Examples:", "\b\n" + "\n".join(f"  {line}" for line in examples)])
