"""Which channels a person may be written to on, as of a date: the same for journeys and for offers."""

from __future__ import annotations

from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.tables import PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse
from clvspark.privacy.consent import CHANNELS, consent_by_channel
from clvspark.privacy.statements import read_consent


def read_channels(lake: Lakehouse, as_of: date) -> DataFrame:
    """``person_id, consent_<channel>`` by what was said before `as_of`, one row a person who was ever spoken of."""
    links = current_links(lake.read(PERSON_LINK))
    said = read_consent(lake, links, until=F.lit(as_of).cast("timestamp"))
    return consent_by_channel(said, CHANNELS)
