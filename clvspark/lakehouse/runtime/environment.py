"""The environment variables that a Spark session needs, set before Spark is imported."""

from __future__ import annotations

import os
import sys

from clvspark.lakehouse.runtime.java import ensure_java


def prepare_environment() -> None:
    """Point Spark to an accepted Java and to the running interpreter.

    ``PYSPARK_PYTHON`` and ``PYSPARK_DRIVER_PYTHON`` are kept when they are set: on a cluster the
    workers' interpreter has another path than the driver's. Under spark-submit the JVM runs
    already, so Java is left alone.
    """
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        os.environ["JAVA_HOME"] = str(ensure_java())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
