"""The command group ``clvspark identity``: judge, propose, explain, decide."""

from clvspark.cli.identity import measure  # noqa: F401 - it gives `app` its commands
from clvspark.cli.identity.options import app

__all__ = ["app"]
