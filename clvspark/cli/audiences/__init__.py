"""The command group ``clvspark audiences``: evaluate; before that validate, estimate, diff; afterwards explain."""

from clvspark.cli.audiences import (  # noqa: F401 - they give `app` its commands, in this order
    check,
    dry_run,
    evaluate,
    explain,
)
from clvspark.cli.audiences.options import app

__all__ = ["app"]
