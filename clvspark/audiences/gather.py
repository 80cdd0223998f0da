"""The evidence of rules, read from the tables of the rooms before this one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.compile.conditions import group_column
from clvspark.audiences.compile.matching import list_line_filters
from clvspark.audiences.happenings import attach_lines, list_happenings
from clvspark.audiences.lists import find_listed
from clvspark.audiences.profile import ADDRESSES, Evidence
from clvspark.audiences.rules import Condition, Listed, Saved
from clvspark.audiences.tables import DECILE, SAVED, SAVED_MEMBER
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import INTERACTION, ORDER, RELATIONSHIP
from clvspark.identity.tables import ALIAS, PERSON, resolve_aliases
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, MissingInputError
from clvspark.privacy.addresses import WRITTEN, add_unread_entries, judge_entries, list_entries
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
        deciles=lake.read(DECILE),
        consent=consent_by_channel(consent, CHANNELS),
        addresses={kind: _judge(lake, links, consent, kind) for kind in ADDRESSES.values()},
        surveys=lake.read(SURVEY_RESPONSE).join(people, on=_RECORD),
        happenings=happenings,
        memberships=before,
        relationships=lake.read_or_empty(RELATIONSHIP),
        changes=lake.read_or_empty(VALUE_CHANGE),
        groups=_find_groups(lake, conditions, links),
    )


def list_files(conditions: Sequence[Condition]) -> dict[str, str]:
    """Digests of the uploaded lists that conditions name, by file; MissingInputError if one is not there."""
    files = sorted({condition.file for condition in conditions if isinstance(condition, Listed)})
    for file in files:
        if not Path(file).is_file():
            raise MissingInputError(
                f"The list {file}, which an audience names, is not there; put it there, or correct its name."
            )
    return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}


def _find_groups(lake: Lakehouse, conditions: Sequence[Condition], links: DataFrame) -> DataFrame:
    """``name, person_id`` of uploaded and saved lists."""
    rules = {group_column(c): c for c in conditions if isinstance(c, Listed | Saved)}
    nobody = lake.spark.createDataFrame([], "name string, person_id string")
    members = lake.read_or_empty(SAVED_MEMBER)
    found = [nobody]
    for name, rule in rules.items():
        if isinstance(rule, Saved):
            own = members.where(F.col("audience_id") == rule.id)
            persons = resolve_aliases(own.select("person_id"), lake.read_or_empty(ALIAS)).distinct()
        else:
            persons = _find_listed(lake, rule, links)
        found.append(persons.select(F.lit(name).alias("name"), "person_id"))
    return reduce(DataFrame.unionByName, found)


def refuse_unknown_lists(lake: Lakehouse, conditions: Sequence[Condition]) -> None:
    """ConfigError if a condition names a list that is not saved, or a column that an uploaded one does not have."""
    asked = {condition.id for condition in conditions if isinstance(condition, Saved)}
    known = (
        {row[0] for row in lake.read_or_empty(SAVED).select("audience_id").collect()}
        if asked
        else asked
    )
    if unknown := sorted(asked - known):
        there = ", ".join(sorted(known)) or "none"
        fault = (
            f"no list is saved as {', '.join(unknown)}; there are {there}. Next step: save_audience"
        )
        raise ConfigError("audiences.definitions", [fault])
    for rule in conditions:
        if isinstance(rule, Listed):
            columns = _read_list(lake, rule).columns
            if rule.column not in columns:
                fault = f"has no column {rule.column!r}; it has {', '.join(columns)}"
                raise ConfigError(rule.file, [fault])


def _read_list(lake: Lakehouse, rule: Listed) -> DataFrame:
    return lake.spark.read.option("header", True).csv(Path(rule.file).absolute().as_uri())


def _find_listed(lake: Lakehouse, rule: Listed, links: DataFrame) -> DataFrame:
    identifiers = _read_list(lake, rule).select(F.col(rule.column).alias("identifier"))
    persons, kind = lake.read(PERSON), rule.identifier
    entries = None
    if kind in WRITTEN:
        entries = list_entries(persons, lake.read_or_empty(CUSTOMER_RECORD), links, kind)
    return find_listed(identifiers, rule, persons=persons, entries=entries, links=links)


def _judge(lake: Lakehouse, links: DataFrame, consent: DataFrame, kind: str) -> DataFrame:
    """What those who share an address allow, by address."""
    records = lake.read_or_empty(CUSTOMER_RECORD)
    entries = list_entries(lake.read(PERSON), records, links, kind)
    unread = add_unread_entries(entries, lake.read_or_empty(UNREAD_ADDRESS), kind)
    return judge_entries(unread, consent)
