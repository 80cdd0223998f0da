"""The command group ``clvspark clv``: lifetime value models for any transaction log."""

from clvspark.cli.clv import (  # noqa: F401 - they give `app` its commands, in this order
    compare,
    fit,
)
from clvspark.cli.clv.options import app

__all__ = ["app"]
