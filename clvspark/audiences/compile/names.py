"""Names of the columns that conditions read: equal questions have one name, so that each is computed once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from pydantic import BaseModel

# Of a condition, what only says how its measure is compared.
_BOUNDS = frozenset({"at_least", "at_most", "above", "below"})


def measure_name(kind: str, *parts: BaseModel | None, without: Iterable[str] = ()) -> str:
    """Name of what is measured: the kind and a digest of the parts, bounds and the fields `without` left out."""
    left_out = _BOUNDS.union(without)
    told = [
        part and part.model_dump(mode="json", exclude_none=True, exclude=set(left_out))
        for part in parts
    ]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return f"{kind}_{digest[:16]}"


def member_column(audience_id: str) -> str:
    """Column that says who is a member of an audience."""
    return f"in_{audience_id}"


def metric_column(ranked_as: str) -> str:
    """Column of the decile by a metric."""
    return f"decile_{hashlib.sha256(ranked_as.encode()).hexdigest()[:16]}"
