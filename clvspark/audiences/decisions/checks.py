"""What the configuration of moments and decisions names must be there."""

from __future__ import annotations

from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.tables import DEFINITION
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError


def refuse_unknown_audiences(lake: Lakehouse, config: DecisionsConfig) -> None:
    """ConfigError for every audience that is named and has never been evaluated.

    Nobody is in an audience that is not there, so that a misspelt name would leave out everybody.
    """
    rows = lake.read_or_empty(DEFINITION).select("audience_id").distinct().collect()
    known = sorted(row["audience_id"] for row in rows)
    faults = config.list_unknown_audiences(known)
    if faults:
        allowed = f"; audiences: {', '.join(known) or 'none'}. Correct the name, or run: clvspark audiences"
        raise ConfigError("audiences.decisions", [fault + allowed for fault in faults])
