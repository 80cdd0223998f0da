"""The evidence of rules, read from the tables of the rooms before this one."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame

from clvspark.audiences.compile.matching import list_line_filters
from clvspark.audiences.happenings import attach_lines, list_happenings
from clvspark.audiences.profile import ADDRESSES, Evidence
from clvspark.audiences.rules import Condition
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import INTERACTION, ORDER, RELATIONSHIP
from clvspark.identity.tables import PERSON
from clvspark.lakehouse import Lakehouse
from clvspark.privacy.addresses import add_unread_entries, judge_entries, list_entries
from clvspark.privacy.consent import CHANNELS, consent_by_channel
from clvspark.sources.tables import (
    CUSTOMER_RECORD,
    EVENT,
    PRODUCT,
    SURVEY_RESPONSE,
    UNREAD_ADDRESS,
)

_RECORD = ["source_system", "source_record_id"]


def gather_evidence(
    lake: Lakehouse,
    conditions: Sequence[Condition],
    *,
    before: DataFrame,
    consent: DataFrame,
    links: DataFrame,
) -> Evidence:
    """What profiles for these conditions are made of; nothing is computed yet.

    In: ``audience_id, person_id`` of the members of the day before; rows of `resolve_consent`; current links.
    """
    happenings = list_happenings(lake.read(ORDER), lake.read(INTERACTION))
    if filters := list_line_filters(conditions):
        lines, products = lake.read_or_empty(EVENT), lake.read_or_empty(PRODUCT)
        happenings = attach_lines(happenings, lines, products, filters)
    people = links.select(*_RECORD, "person_id")
    return Evidence(
        persons=lake.read(PERSON),
        values=lake.read(CUSTOMER_VALUE),
        deciles=lake.read(lake.tables["audiences.decile"]),
        consent=consent_by_channel(consent, CHANNELS),
        addresses={kind: _judge(lake, links, consent, kind) for kind in ADDRESSES.values()},
        surveys=lake.read(SURVEY_RESPONSE).join(people, on=_RECORD),
        happenings=happenings,
        memberships=before,
        relationships=lake.read_or_empty(RELATIONSHIP),
        changes=lake.read_or_empty(VALUE_CHANGE),
        groups=lake.spark.createDataFrame([], "name string, person_id string"),
    )


def _judge(lake: Lakehouse, links: DataFrame, consent: DataFrame, kind: str) -> DataFrame:
    """What those who share an address allow, by address."""
    records = lake.read_or_empty(CUSTOMER_RECORD)
    entries = list_entries(lake.read(PERSON), records, links, kind)
    unread = add_unread_entries(entries, lake.read_or_empty(UNREAD_ADDRESS), kind)
    return judge_entries(unread, consent)
