"""Settings proposed from the data: kinds of columns, blocking rules under a pair budget, rules to train with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import AtomicType, BinaryType, BooleanType

from clvspark.identity.cleaning.standardise import column_as_text, standardise_records
from clvspark.identity.propose.attributes import find_attributes, find_unique_id
from clvspark.identity.propose.rules import (
    MAX_RULES,
    RuleCost,
    candidate_rules,
    choose_rules,
    count_rules,
)
from clvspark.identity.propose.training import choose_training, deterministic_candidates
from clvspark.identity.propose.write_settings import write_settings
from clvspark.identity.record_files import read_records
from clvspark.identity.settings import Attribute, IdentitySettings, TrainingSettings
from clvspark.lakehouse.errors import ConfigError

_PLAIN = r"^[^\W\d]\w*$"
_FEWEST = 2
_SAMPLE = 20_000
_PAIRS_A_RECORD = 30
_LEAST_BUDGET = 1_000_000


@dataclass(frozen=True)
class Proposal:
    """Proposed settings.

    text : the settings as YAML, with a comment on every choice. left_out : columns that are not used, and why.
    blocking : what each blocking rule costs and finds.
    """

    settings: IdentitySettings
    text: str
    left_out: dict[str, str]
    blocking: list[RuleCost]


def propose_settings(
    records: DataFrame,
    *,
    pair_budget: int | None = None,
    country: str = "GB",
    truth_column: str | None = None,
) -> Proposal:
    """Settings for a table of records nobody has described yet.

    Kinds are told from a sample of 20,000 records on the driver, ids and the pairs of blocking rules from all of
    them. `pair_budget` bounds the pairs of all rules together; by default 30 a record. `truth_column` tells who is who
    and is left out. ConfigError says what the records lack: an id, anything to compare, or a rule within the budget.
    """
    sample, left_out = _sample(_without_truth(records, truth_column))
    if truth_column is not None:
        left_out[truth_column] = "it is the truth, which must not reach a model"
    unique_id = find_unique_id(records, sample)
    attributes, findings = find_attributes(sample, unique_id, country=country)
    used = {name for a in attributes for name in (a.column, *a.fallbacks)}
    kinds = {a.kind: a.column for a in attributes}
    for name, finding in findings.items():
        if name not in used:
            left_out[name] = (
                finding.reason
                if finding.kind is None
                else f"{kinds[finding.kind]} is of the kind too"
            )
    draft = _draft(unique_id, country, attributes)
    standard = standardise_records(records, draft).persist()
    try:
        total = standard.count()
        budget = pair_budget or max(_LEAST_BUDGET, _PAIRS_A_RECORD * total)
        blocking = candidate_rules(attributes)
        rules = dict.fromkeys([*blocking, *deterministic_candidates(attributes)])
        counted = count_rules(standard, list(rules)[:MAX_RULES], draft)
    finally:
        standard.unpersist()
    chosen = choose_rules(counted.only(blocking), draft, pair_budget=budget)
    if not chosen:
        raise ConfigError(
            "records", [f"no blocking rule that finds a record stays within {budget:,} pairs"]
        )
    settings, left = _with_training(draft, chosen, counted.costs, total)
    text = write_settings(
        settings,
        findings=findings,
        blocking=chosen,
        left_out=left_out | left,
        records=total,
        pair_budget=budget,
    )
    return Proposal(settings, text, left_out | left, chosen)


def propose_from_file(
    spark: SparkSession,
    path: str | Path,
    *,
    pair_budget: int | None = None,
    country: str = "GB",
    truth_column: str | None = None,
) -> Proposal:
    """`propose_settings` for a CSV file with a header, or Parquet."""
    return propose_settings(
        read_records(spark, path),
        pair_budget=pair_budget,
        country=country,
        truth_column=truth_column,
    )


def _without_truth(records: DataFrame, truth_column: str | None) -> DataFrame:
    if truth_column is None:
        return records
    if truth_column not in records.columns:
        fault = f"have no column {truth_column!r}; they have {', '.join(records.columns)}"
        raise ConfigError("records", [fault])
    return records.drop(F.col(f"`{truth_column}`"))


def _sample(records: DataFrame) -> tuple[pa.Table, dict[str, str]]:
    """Texts of at most 20,000 records, the same for any order of rows; and columns that are no texts."""
    left_out = {}
    for field in records.schema:
        text = isinstance(field.dataType, AtomicType)
        if not text or isinstance(field.dataType, BinaryType | BooleanType):
            left_out[field.name] = (
                f"columns of type {field.dataType.simpleString()} are not compared"
            )
        elif not re.search(_PLAIN, field.name):
            left_out[field.name] = "rename it: letters, digits and underscores, no digit first"
    names = [name for name in records.columns if name not in left_out]
    if not names:
        faults = [f"column {name!r}: {reason}" for name, reason in left_out.items()]
        fault = "no column can be used; are the columns of the file parted by commas (.csv) or tabs (.tsv)?"
        raise ConfigError("records", [*faults, fault])
    texts = records.select(*(column_as_text(records, name) for name in names))
    order = F.xxhash64(*(F.col(f"`{name}`") for name in names))
    sample = texts.orderBy(order, *(f"`{name}`" for name in names)).limit(_SAMPLE).toArrow()
    if sample.num_rows < _FEWEST:
        fault = f"there is {sample.num_rows} of them; kinds and rules are told from many. Next step: give a larger file"
        raise ConfigError("records", [fault])
    return sample, left_out


def _draft(unique_id: list[str], country: str, attributes: list[Attribute]) -> IdentitySettings:
    compared = [a.column for a in attributes if a.compare]
    if not compared:
        fault = "no column is of a kind that could be compared; name columns by what they hold"
        raise ConfigError("records", [fault])
    rules = [[compared[0]]]
    return IdentitySettings(
        unique_id=unique_id,
        country=country,
        attributes=attributes,
        blocking_rules=rules,
        training=TrainingSettings(deterministic_rules=rules, em_rules=rules),  # type: ignore[call-arg]
    )  # type: ignore[call-arg]


def _with_training(
    draft: IdentitySettings, blocking: list[RuleCost], costs: list[RuleCost], records: int
) -> tuple[IdentitySettings, dict[str, str]]:
    """Settings whose every comparison can be trained, and the attributes that are no longer compared."""
    rules = [list(cost.rule) for cost in blocking]
    settings = draft.model_copy(update={"blocking_rules": rules})
    dropped: dict[str, str] = {}
    while settings.compared:
        training, untrained = choose_training(settings, costs, records=records)
        if not untrained:
            data = settings.model_copy(update={"training": training}).model_dump()
            return IdentitySettings.model_validate(data), dropped
        for name in untrained:
            dropped[name] = "kept, but not compared: no rule meets enough pairs to train it"
        attributes = [
            a.model_copy(update={"compare": False}) if a.column in untrained else a
            for a in settings.attributes
        ]
        settings = settings.model_copy(update={"attributes": attributes})
    raise ConfigError(
        "records", ["no comparison can be trained: too few records agree on anything"]
    )
