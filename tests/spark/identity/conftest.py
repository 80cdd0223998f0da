"""Four hundred records of people with typos and shared homes, and a model trained on them once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession
from support.people import SETTINGS, make_people, make_records

from clvspark.identity import IdentityResolver, IdentitySettings


@pytest.fixture(scope="session")
def people(spark: SparkSession) -> SimpleNamespace:
    """Records, settings, resolver, standardised records and the trained model."""
    rows = make_people()
    settings = IdentitySettings.model_validate(SETTINGS)
    resolver = IdentityResolver(spark, settings)
    standard = resolver.standardise(make_records(spark, rows)).localCheckpoint()
    return SimpleNamespace(
        rows=rows,
        settings=settings,
        resolver=resolver,
        standard=standard,
        model=resolver.train(standard),
    )
