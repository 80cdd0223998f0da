"""The command group ``clvspark identity``: judge, propose, explain, decide."""

from clvspark.cli.identity import (  # noqa: F401 - they give `app` its commands, in this order
    deciding,
    measure,
    show,
)
from clvspark.cli.identity.options import app

__all__ = ["app"]
