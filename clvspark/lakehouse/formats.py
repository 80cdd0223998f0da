"""The format of a lakehouse: which contracts its tables were written by."""

from __future__ import annotations

from collections.abc import Mapping

from clvspark.lakehouse.errors import VersionError
from clvspark.lakehouse.table import Table

FORMAT_VERSION = 2
"""Raised where rows that are stored need a change to meet their contracts (docs/adr/0024)."""

FORMAT_PROPERTY = "clvspark.format"
"""Property of every table; that of the run log stands for the whole lakehouse."""


def properties_of(table: Table) -> dict[str, str]:
    """Delta properties that the table is made with."""
    return {FORMAT_PROPERTY: str(FORMAT_VERSION), **table.properties}


def format_of(properties: Mapping[str, str]) -> int:
    """Format that the properties of a table tell; the first one told none."""
    return int(properties.get(FORMAT_PROPERTY, "1"))


def refuse_other_format(properties: Mapping[str, str], *, migrating: bool = False) -> None:
    """VersionError if the run log is that of a newer lakehouse, or of an older one that nobody is about to migrate."""
    found = format_of(properties)
    if found > FORMAT_VERSION:
        raise VersionError(
            f"This lakehouse has format {found}; this clvspark knows up to {FORMAT_VERSION}. "
            "Upgrade clvspark, or open another lakehouse."
        )
    if found < FORMAT_VERSION and not migrating:
        raise VersionError(
            f"This lakehouse has format {found}, of an earlier release; this clvspark needs format {FORMAT_VERSION}. "
            "Nothing was read or written. Next step, with the same --config: clvspark migrate --dry-run shows what "
            "would be done, clvspark migrate does it."
        )
