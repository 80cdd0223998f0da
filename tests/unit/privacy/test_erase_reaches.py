"""An erasure reaches every table that says anything of a person or a record."""

from __future__ import annotations

import pytest

from clvspark.catalogue import TABLES
from clvspark.privacy.erase import _matching_keys
from clvspark.privacy.tombstones import RECORD

OWNERS = ("identity.person", "sources.customer_record")


@pytest.mark.parametrize("name", TABLES)
def test_columns_that_name_a_person_or_a_record_are_ways_to_find_them(name: str) -> None:
    table = TABLES[name]
    names = {column.name for column in table.columns if column.references in OWNERS}
    reached = {ours for key in _matching_keys(table) for ours in key}
    assert names <= reached or set(RECORD) <= reached


@pytest.mark.parametrize("name", TABLES)
def test_what_is_personal_belongs_to_somebody_who_can_be_found(name: str) -> None:
    table = TABLES[name]
    personal = [column.name for column in table.columns if column.pii]
    assert not personal or _matching_keys(table)
