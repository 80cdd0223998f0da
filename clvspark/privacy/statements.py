"""What records said about being addressed, read from the tables of the sources."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame

from clvspark.lakehouse import Lakehouse
from clvspark.privacy.addresses import add_unread_links
from clvspark.privacy.consent import MARKETING, gather_statements, resolve_consent

CONSENT, EVENT, UNREAD = "sources.consent", "sources.event", "sources.unread_consent"
ADDRESS = "sources.unread_address"


def read_consent(
    lake: Lakehouse,
    links: DataFrame,
    *,
    until: Column,
    later_refusals: bool = False,
    purpose: str = MARKETING,
) -> DataFrame:
    """Rows of `resolve_consent` to a purpose, of persons and of records with an address that nobody could read.

    In: current links. Statements are those of consent, refusals among the events, and what nobody could read.
    """
    events, unread, addresses = (
        lake.read_or_empty(lake.tables[name]) for name in (EVENT, UNREAD, ADDRESS)
    )
    return resolve_consent(
        gather_statements(lake.read(lake.tables[CONSENT]), events, unread, purpose=purpose),
        add_unread_links(links, addresses),
        purpose=purpose,
        until=until,
        later_refusals=later_refusals,
    )
