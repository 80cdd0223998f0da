"""What records said about being addressed, read from the tables of the sources."""

from __future__ import annotations

from pyspark.sql import DataFrame

from clvspark.lakehouse import Lakehouse
from clvspark.privacy.consent import gather_statements

CONSENT, EVENT, UNREAD = "sources.consent", "sources.event", "sources.unread_consent"


def read_statements(lake: Lakehouse) -> DataFrame:
    """Rows of `gather_statements`: statements of consent, refusals among the events, and what nobody could read."""
    events, unread = (lake.read_or_empty(lake.tables[name]) for name in (EVENT, UNREAD))
    return gather_statements(lake.read(lake.tables[CONSENT]), events, unread)
