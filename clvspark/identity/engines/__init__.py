"""Ways to compute the same pairs and persons: on one machine, in a cluster, and by Splink on Spark as a reference."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import SparkSession

from clvspark.identity.engines.distributed import DistributedEngine
from clvspark.identity.engines.evidence import Evidence
from clvspark.identity.engines.local import LocalEngine
from clvspark.identity.settings import IdentitySettings

Engine = LocalEngine | DistributedEngine
EngineName = Literal["auto", "local", "distributed"]

__all__ = ["DistributedEngine", "Engine", "EngineName", "Evidence", "LocalEngine", "choose_engine"]


def choose_engine(spark: SparkSession, settings: IdentitySettings, name: EngineName) -> Engine:
    """The engine of that name; ``auto`` is local where Spark runs in one process."""
    is_local = spark.sparkContext.master.startswith("local")
    if name == "local" or (name == "auto" and is_local):
        return LocalEngine(spark, settings)
    return DistributedEngine(spark, settings)
