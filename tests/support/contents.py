"""What tables hold, in a form in which two lakehouses can be compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clvspark.catalogue import TABLES
from support.shops import BY_PEOPLE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

VOLATILE = {
    "activation.sync_log": {"run_id"},
    # Of values, whose last digit the model decides.
    "audiences.state": {"state_hash"},
    # MLflow numbers every registration, also one that a killed run made.
    "clv.model": {"registry_version"},
    # Threads add up in any order, so the last digit of a trained weight, and with it the digest, may differ.
    "identity.model": {"model_id", "registry_version"},
    "identity.evidence": {"basis"},
    "identity.person_change": {"recorded_at", "run_id"},
    "identity.person_link": {"recorded_at"},
    "measurement.checkpoint": {"recorded_at", "last_table_version"},
    # What landed late in one lakehouse was there from the beginning in the other.
    "sources.event": {"known_as_of"},
    "sources.survey_response": {"known_as_of"},
}
COMPARED = sorted(
    name
    for name, table in TABLES.items()
    if table.room not in ("ops", "privacy") and name not in BY_PEOPLE
)


def contents(table: DataFrame, name: str) -> list[str]:
    """Sorted rows of a table as texts, without what differs from run to run; fractions to 9 digits, also in JSON."""
    columns = [c for c in TABLES[name].names if c not in VOLATILE.get(name, ())]
    return sorted(repr(_rounded(list(row))) for row in table.select(*columns).collect())


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, str) and value.startswith("{"):
        try:
            return _rounded(json.loads(value))
        except ValueError:  # a landing row that is no JSON
            return value
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return value
