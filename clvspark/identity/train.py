"""Estimate the Fellegi-Sunter model with Splink's own estimators, on a sample in DuckDB."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from splink import DuckDBAPI, Linker, block_on

from clvspark.identity.comparisons import splink_settings
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.errors import TrainingError


@dataclass(frozen=True)
class IdentityModel:
    """A trained linkage model in Splink's JSON form, which Splink itself loads."""

    settings: dict[str, Any]
    records_sampled: int

    @property
    def model_id(self) -> str:
        """Digest of the trained parameters."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]

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


def train_model(sample: pa.Table, settings: IdentitySettings) -> IdentityModel:
    """Train on a sample: prior from deterministic rules, u by random sampling, m by EM.

    Raises TrainingError naming the comparisons whose parameters the sample cannot determine.
    """
    training = settings.training
    if training is None:
        raise TrainingError("These settings compare nothing; there is no model to train.")
    for logger in ("splink", "splink.internals"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    with duckdb.connect(":memory:") as connection:
        api = DuckDBAPI(connection=connection)
        linker = Linker(
            api.register(sample, dataset_display_name="sample"), splink_settings(settings)
        )
        estimate = linker.training
        try:
            estimate.estimate_probability_two_random_records_match(
                [block_on(*rule) for rule in training.deterministic_rules],
                recall=training.deterministic_recall,
            )
            estimate.estimate_u_using_random_sampling(
                max_pairs=training.u_max_pairs, seed=training.seed
            )
            for rule in training.em_rules:
                estimate.estimate_parameters_using_expectation_maximisation(
                    block_on(*rule), estimate_without_term_frequencies=True
                )
        except (
            Exception
        ) as error:  # Splink raises many kinds, some of them with data in the message
            raise TrainingError(
                f"The linkage model could not be trained ({type(error).__name__}): {len(sample)} records may hold too "
                "few pairs for 'identity.training'. Give other 'deterministic_rules' or 'em_rules'."
            ) from error
        model = linker.misc.save_model_to_json(None, overwrite=True)
    _refuse_untrained(model)
    return IdentityModel(model, records_sampled=len(sample))


def refuse_other_columns(model: IdentityModel, settings: IdentitySettings) -> None:
    """TrainingError where the model compares columns that records of these settings do not have."""
    text = json.dumps(model.settings["comparisons"])
    named = set(re.findall(r"(\w+?)_[lr]\b", text))
    absent = sorted(named - set(settings.columns))
    if absent:
        raise TrainingError(
            f"The model compares {', '.join(absent)}, which records of these settings do not have; they have "
            f"{', '.join(sorted(settings.columns))}. Train a model for these settings, or use its own."
        )


def _refuse_untrained(model: dict[str, Any]) -> None:
    untrained = [
        comparison["output_column_name"]
        for comparison in model["comparisons"]
        if all(
            level.get("m_probability") is None
            for level in comparison["comparison_levels"]
            if not level.get("is_null_level")
        )
    ]
    if untrained:
        raise TrainingError(
            f"No EM run could estimate the comparisons {', '.join(untrained)}: every rule blocks on them or meets "
            "no pair. Add a rule on other columns to 'identity.training.em_rules'."
        )
