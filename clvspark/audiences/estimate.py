"""How large an audience will be, from a sample, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import functions as F

from clvspark.audiences.compile.names import member_column
from clvspark.audiences.dry_run import in_sample, mark_profiles
from clvspark.audiences.rules import AudienceDefinition
from clvspark.identity.tables import PERSON
from clvspark.lakehouse import Lakehouse

_Z = 1.959963984540054  # of 95 %


@dataclass(frozen=True)
class SizeEstimate:
    """Size of an audience; `state` is `exact` where everybody was read, else `sampled`."""

    audience_id: str
    estimated_size: int
    profiles_read: int
    profiles_matched: int
    total_rows: int
    standard_error: float
    confidence_interval: tuple[int, int]
    state: str


def estimate_sizes(
    lake: Lakehouse,
    definitions: Sequence[AudienceDefinition],
    names: Sequence[str],
    *,
    as_of: date,
    share: float = 1.0,
) -> list[SizeEstimate]:
    """Sizes of the audiences named, from a share of all persons."""
    total = lake.read(PERSON).count()
    who = in_sample(share) if share < 1 else None
    marked = mark_profiles(lake, definitions, as_of=as_of, who=who)
    counts = [F.count_if(F.col(member_column(name))) for name in names]
    read, *matched = marked.agg(F.count(F.lit(1)), *counts).collect()[0]
    return [infer_size(name, m, read, total) for name, m in zip(names, matched, strict=True)]


def infer_size(audience_id: str, matched: int, read: int, total: int) -> SizeEstimate:
    """Size of a population's part from `matched` of `read` persons drawn without putting back, of `total`.

    The standard error has the finite population correction (Cochran 1977, Sampling Techniques, eq. 3.8); the
    interval of 95 % is Wilson's (1927), which stays within bounds and is no point where nobody matched, narrowed by
    the same correction.
    """
    if read == 0:
        return SizeEstimate(audience_id, 0, 0, 0, total, 0.0, (0, total), "sampled")
    p = matched / read
    left = (total - read) / (total - 1) if total > 1 else 0.0
    error = total * math.sqrt(p * (1 - p) / max(read - 1, 1) * max((total - read) / total, 0.0))
    spread = _Z**2 * left / read
    centre = (p + spread / 2) / (1 + spread)
    half = math.sqrt(spread * p * (1 - p) + spread**2 / 4) / (1 + spread)
    # Whom the sample has seen is certain.
    low = max(matched, math.floor(total * (centre - half)))
    high = min(total - (read - matched), math.ceil(total * (centre + half)))
    size = round(total * p)
    state = "exact" if read >= total else "sampled"
    interval = (size, size) if state == "exact" else (low, high)
    return SizeEstimate(audience_id, size, read, matched, total, error, interval, state)
