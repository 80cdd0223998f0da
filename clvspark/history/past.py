"""What was known as of a date: who was whom, and what had landed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.history.histories import Sources
from clvspark.identity.tables import PERSON_LINK, current_links, links_as_of
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.side_by_side import all_of
from clvspark.sources.tables import EVENT, PRODUCT, SURVEY_RESPONSE, is_known


def read_sources(lake: Lakehouse, versions: Mapping[str, int] | None = None) -> Sources:
    """All that is known today, or was when the tables had these versions, by name."""
    found = versions or {}
    return Sources(
        lake.read(EVENT, version=found.get(EVENT.name)),
        lake.read_or_empty(SURVEY_RESPONSE, version=found.get(SURVEY_RESPONSE.name)),
        lake.read(PRODUCT, version=found.get(PRODUCT.name)),
        current_links(lake.read(PERSON_LINK, version=found.get(PERSON_LINK.name))),
    )


def find_past(
    lake: Lakehouse, as_of: date, versions: Mapping[str, int] | None = None
) -> Sources | None:
    """What was known as of a date; None where that is all there is, or was at these versions of the tables."""
    found = versions or {}
    sources = read_sources(lake, found)
    links = lake.read(PERSON_LINK, version=found.get(PERSON_LINK.name))
    later = [rows.where(~is_known(as_of)) for rows in (sources.events, sources.answers)]
    is_renamed, *nothing_later = all_of(
        lambda: is_of_the_past(links, as_of), *(rows.isEmpty for rows in later)
    )
    if not is_renamed and all(nothing_later):
        return None
    return Sources(
        sources.events.where(is_known(as_of)),
        sources.answers.where(is_known(as_of)),
        sources.products,
        links_as_of(links, as_of) if is_renamed else sources.links,
    )


def is_of_the_past(links: DataFrame, day: date) -> bool:
    """Whether the identities of a day may be other ones than those of today.

    Of a day before the ledger began nothing is known: then the identities of today stand in.
    """
    changes = F.greatest("valid_from", "valid_to")
    first, last = links.agg(F.min("valid_from"), F.max(changes)).collect()[0]
    return first is not None and first <= day < last
