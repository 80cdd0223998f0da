"""Estimate the Fellegi-Sunter model with Splink's own estimators, on a sample in DuckDB."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.model.estimate import Estimates, estimate_model
from clvspark.identity.model.training_report import TrainingReport
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.errors import TrainingError

# What training may hold in memory beside Spark.
TRAINING_MEMORY = "4GB"


@dataclass(frozen=True)
class IdentityModel:
    """A trained linkage model in Splink's JSON form, which Splink itself loads; and how it was trained, if known."""

    settings: dict[str, Any]
    records_sampled: int
    report: TrainingReport | None = field(default=None, compare=False)

    @property
    def model_id(self) -> str:
        """Digest of the trained parameters."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def columns(self) -> set[str]:
        """Columns of a record that its comparisons read."""
        levels = [level for c in self.settings["comparisons"] for level in c["comparison_levels"]]
        conditions = " ".join(level["sql_condition"] for level in levels)
        return set(re.findall(r"(\w+?)_[lr]\b", conditions))

    def save(self, path: str | Path) -> None:
        """Write the model as Splink JSON."""
        Path(path).write_text(json.dumps(self.settings, indent=2), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> IdentityModel:
        """Read a model saved by `save` or by Splink."""
        return cls(json.loads(Path(path).read_text(encoding="utf-8")), records_sampled=0)


def sample_records(standard: DataFrame, *, records: int) -> pa.Table:
    """A sample of standardised records on the driver, the same for any order and partitioning.

    Bounded by `records`, whatever the size of the input: the smallest hashes of the ids are taken.
    """
    return standard.orderBy(F.xxhash64("unique_id"), "unique_id").limit(records).toArrow()


def train_model(
    sample: pa.Table, settings: IdentitySettings, *, memory: str = TRAINING_MEMORY
) -> IdentityModel:
    """Train on a sample: prior from deterministic rules, u by random sampling, m by EM.

    Beyond `memory` DuckDB spills to a temporary folder. Raises TrainingError naming the comparisons whose parameters
    the sample cannot determine, and columns without any value.
    """
    if settings.training is None:
        raise TrainingError("These settings compare nothing; there is no model to train.")
    _refuse_empty(sample, settings)
    with (
        tempfile.TemporaryDirectory(prefix="clvspark-training-") as spill,
        duckdb.connect(
            ":memory:", config={"memory_limit": memory, "temp_directory": spill}
        ) as connection,
    ):
        try:
            estimates = estimate_model(connection, sample, settings)
        except (
            Exception
        ) as error:  # Splink raises many kinds, some of them with data in the message
            raise TrainingError(
                f"The linkage model could not be trained ({type(error).__name__}): {len(sample)} records may hold too "
                "few pairs for 'identity.training'. Next step: give other 'deterministic_rules' or 'em_rules'; or, "
                "for a small shop, link by equal identifiers alone: identity: {settings: !include identity_exact.yaml}."
            ) from error
    _refuse_untrained(estimates, settings)
    return IdentityModel(estimates.model, len(sample), estimates.report)


def refuse_other_columns(model: IdentityModel, settings: IdentitySettings) -> None:
    """TrainingError where the model compares columns that these settings do not have, or not all that they compare."""
    named = model.columns
    absent = sorted(named - set(settings.columns))
    if absent:
        raise TrainingError(
            f"The model compares {', '.join(absent)}, which records of these settings do not have; they have "
            f"{', '.join(sorted(settings.columns))}. Train a model for these settings, or use its own."
        )
    unknown = [a.column for a in settings.compared if not named & {a.column, *a.derived}]
    if unknown:
        raise TrainingError(
            f"The settings compare {', '.join(unknown)}, of which the model knows nothing. Train a model for these "
            "settings, or say 'compare: false' there."
        )


def _refuse_empty(sample: pa.Table, settings: IdentitySettings) -> None:
    """TrainingError where there is nothing to compare: too few records, or columns without a value."""
    if len(sample) < 2:
        raise TrainingError(
            f"There is nothing to learn from: {len(sample)} records, and a pair takes two. Next step: look whether "
            "the records were read at all."
        )
    empty = [a.column for a in settings.compared if sample[a.column].null_count == len(sample)]
    if empty:
        is_bounded = any(a.max_distinct_names for a in settings.compared if a.column in empty)
        shared = ", or too many given names share each (max_distinct_names)" if is_bounded else ""
        raise TrainingError(
            f"No record has a value of {', '.join(empty)} that could be read{shared}, so nothing can be learnt of it. "
            "Next step: take it out of 'attributes' and of the rules of the settings, or give 'column' the name of the "
            "column that has it."
        )


def _refuse_untrained(estimates: Estimates, settings: IdentitySettings) -> None:
    if not estimates.untrained or settings.training is None:
        return
    blind = [
        c for c in estimates.model["comparisons"] if c["output_column_name"] in estimates.untrained
    ]
    looked_at = {name for comparison in blind for name in columns_of(comparison)}
    columns = [a.column for a in settings.attributes if {a.column, *a.derived} & looked_at]
    rules = "; ".join(", ".join(rule) for rule in settings.training.em_rules)
    raise TrainingError(
        f"No EM run could estimate the comparisons {', '.join(estimates.untrained)}: every rule of "
        f"'training.em_rules' ({rules}) blocks on a column that they look at, or meets no pair that knows them. Add a "
        f"rule on other columns than {', '.join(columns)}."
    )


def columns_of(comparison: dict[str, Any]) -> list[str]:
    """Columns that a comparison of a model looks at."""
    conditions = " ".join(level["sql_condition"] for level in comparison["comparison_levels"])
    return sorted(set(re.findall(r"(\w+?)_[lr]\b", conditions)))
