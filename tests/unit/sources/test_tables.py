"""What the contracts of the sources say of their columns."""

from __future__ import annotations

from clvspark.sources.tables import CUSTOMER_RECORD, TARGETS


def test_every_id_is_an_identifier_and_so_is_what_tells_persons_apart() -> None:
    ids = [c for table in TARGETS.values() for c in table.columns if c.name.endswith("_id")]

    assert [column.name for column in ids if not column.identifier] == []
    assert CUSTOMER_RECORD.column("loyalty_card").identifier
    assert not CUSTOMER_RECORD.column("street").identifier
