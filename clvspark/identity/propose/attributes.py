"""Which columns of a table are its records' id, and which become attributes of what kind."""

from __future__ import annotations

import re
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from clvspark.identity.propose.column_names import kind_of_name
from clvspark.identity.propose.kinds import Finding, detect_kind
from clvspark.identity.record_ids import refuse_bad_ids
from clvspark.identity.settings import Attribute, IdentitySettings
from clvspark.lakehouse.errors import ConfigError, ContractError

_SOURCE = r"(?i)^(source(_?system)?|system|data_?source|origin|quelle)$"
_LIKELY_ID = r"(?i)^(unique_?id|(source_?)?rec(ord)?_?id|id|row_?id|uuid|guid)$"
_PERHAPS_ID = r"(?i)(id|uid|key|no|nr|num|number|nummer|rec)$"
# Columns of one kind that back each other up, and kinds of which there may be several attributes.
_FALLBACKS, _SEVERAL = ("email", "phone"), {"identifier": 10, "text": 4}
# With more given names than this, an e-mail, a phone or a card belongs to a shop, an office or a family.
_MAX_NAMES = 6
_PART_OF_ID = 0.95


def find_unique_id(records: DataFrame, sample: pa.Table) -> list[str]:
    """Columns that tell every record apart, with the source if there is one; tested on all records.

    ConfigError if there are none.
    """
    usable = [n for n in sample.column_names if kind_of_name(n) != "truth"]
    sources = [n for n in usable if re.search(_SOURCE, n)]
    likely = [n for n in usable if re.search(_LIKELY_ID, n)]
    ids = likely + [n for n in usable if re.search(_PERHAPS_ID, n) and n not in likely]
    faults = []
    for columns in [[s, i] for s in sources for i in likely] + [[name] for name in ids]:
        repeats = sample.select(columns).group_by(columns).aggregate([]).num_rows < sample.num_rows
        if repeats and columns[-1] not in likely:
            continue
        try:
            refuse_bad_ids(records, IdentitySettings(unique_id=columns, attributes=[]))
        except ContractError as error:
            faults.append(str(error))
        else:
            return columns
    fault = (
        "no column named like an id, alone or with a source, tells every record apart; add one, for example a row "
        f"number named 'unique_id' (columns: {', '.join(sample.column_names)})"
    )
    raise ConfigError("records", [*faults, fault])


def find_attributes(
    sample: pa.Table, unique_id: list[str], *, country: str
) -> tuple[list[Attribute], dict[str, Finding]]:
    """Attributes in the order of their columns, and what was found about every other column that is no id."""
    ids = pc.binary_join_element_wise(*(sample[name] for name in unique_id), ":").to_pylist()
    findings = [
        _as_part_of_id(
            detect_kind(name, sample[name].combine_chunks(), country=country), sample, ids
        )
        for name in sample.column_names
        if name not in unique_id
    ]
    by_kind: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda f: (not f.named, -round(f.filled, 2), -f.distinct)):
        if finding.kind:
            by_kind.setdefault(finding.kind, []).append(finding)
    parts_known = {"given_name", "surname"} <= by_kind.keys()
    attributes = []
    for kind, ranked in by_kind.items():
        backed = kind in _FALLBACKS
        for finding in ranked[: _SEVERAL.get(kind, 1)]:
            bounded = kind in ("email", "phone", "identifier") and "given_name" in by_kind
            attributes.append(
                Attribute(
                    column=finding.column,
                    kind=finding.kind,  # type: ignore[arg-type]
                    fallbacks=[other.column for other in ranked[1:]] if backed else [],
                    compare=not (kind == "full_name" and parts_known),
                    max_distinct_names=_MAX_NAMES if bounded else None,
                )  # type: ignore[call-arg]
            )
    place = {name: n for n, name in enumerate(sample.column_names)}
    return sorted(attributes, key=lambda a: place[a.column]), {f.column: f for f in findings}


def _as_part_of_id(finding: Finding, sample: pa.Table, ids: list[str]) -> Finding:
    """A column that the record's id repeats tells the truth, or nothing."""
    pairs = [(v, i) for v, i in zip(sample[finding.column].to_pylist(), ids, strict=True) if v]
    inside = sum(len(value) > 1 and value in id_ for value, id_ in pairs)
    if pairs and inside >= _PART_OF_ID * len(pairs):
        return replace(finding, kind=None, reason="the record's id repeats it")
    return finding
