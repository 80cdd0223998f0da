"""Ways to compute the same pairs and persons: on one machine, in a cluster, and by Splink on Spark as a reference."""

from __future__ import annotations

from typing import Literal

from pyspark.sql import SparkSession

from clvspark.identity.engines.distributed import DistributedEngine
from clvspark.identity.engines.evidence import Evidence
from clvspark.identity.engines.local import LOCAL_MEMORY, LocalEngine
from clvspark.identity.engines.reference import ReferenceEngine
from clvspark.identity.settings import IdentitySettings

Engine = LocalEngine | DistributedEngine | ReferenceEngine
EngineName = Literal["auto", "local", "distributed", "reference"]

__all__ = [
    "LOCAL_MEMORY",
    "DistributedEngine",
    "Engine",
    "EngineName",
    "Evidence",
    "LocalEngine",
    "ReferenceEngine",
    "choose_engine",
]


def choose_engine(
    spark: SparkSession, settings: IdentitySettings, name: EngineName, *, local_memory: str
) -> Engine:
    """The engine of that name; ``auto`` is local where Spark runs in one process.

    `local_memory` is what the local one may hold before it spills to disk.
    """
    is_local = str(spark.sparkContext.master).startswith("local")
    if name == "local" or (name == "auto" and is_local):
        return LocalEngine(spark, settings, memory=local_memory)
    if name == "reference":
        return ReferenceEngine(spark, settings)
    return DistributedEngine(spark, settings)
