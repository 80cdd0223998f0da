"""The model that links: the champion of identity.model, until other settings or a retraining need another."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from importlib.metadata import version

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.identity.config import IdentityConfig
from clvspark.identity.model.train import IdentityModel
from clvspark.identity.tables import MODEL
from clvspark.lakehouse.run import code_digest

# What standardising and scoring are made of beside our own code.
_LIBRARIES = ("splink", "duckdb", "numpy", "phonenumbers", "email-validator", "anyascii")


def find_champion(models: DataFrame, config: IdentityConfig) -> IdentityModel | None:
    """The champion, if it was trained for these settings. In: identity.model."""
    fitting = F.col("is_champion") & (F.col("trained_for") == _purpose(config))
    row = models.where(fitting).first()
    return (
        None if row is None else IdentityModel(json.loads(row["settings"]), row["records_sampled"])
    )


def crown(
    models: DataFrame,
    model: IdentityModel,
    config: IdentityConfig,
    *,
    trained_on: date,
    registry_version: str | None = None,
) -> DataFrame:
    """identity.model with a new champion. In: the table before."""
    trained = {
        "model_id": model.model_id,
        "trained_on": trained_on,
        "records_sampled": model.records_sampled,
        "trained_for": _purpose(config),
        "settings": json.dumps(model.settings),
        "report": json.dumps(model.report.to_dict()) if model.report else None,
        "registry_version": registry_version,
        "is_champion": True,
    }
    retired = models.where(F.col("model_id") != model.model_id)
    row = tuple(trained[name] for name in MODEL.names)
    new = models.sparkSession.createDataFrame([row], MODEL.schema)
    return retired.withColumn("is_champion", F.lit(False)).unionByName(new)


def basis(model: IdentityModel | None, config: IdentityConfig) -> str:
    """Digest of all that persons depend on beside records and decisions: where it changes, all is resolved anew."""
    parts = [
        model.model_id if model is not None else "",
        config.settings.model_dump_json(),
        config.survivorship.model_dump_json(),
        code_digest("clvspark.identity"),
        *(version(name) for name in _LIBRARIES),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _purpose(config: IdentityConfig) -> str:
    """Digest of what the model depends on: attributes and training, not thresholds."""
    parts = config.settings.model_dump_json(include={"attributes", "training", "country"})
    return hashlib.sha256(parts.encode()).hexdigest()[:16]
