"""The environment variables that a Spark session needs, set before Spark is imported."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from clvspark.lakehouse.runtime.java import ensure_java

_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")


def jvm_log_level() -> str:
    """What the driver's JVM logs: nothing but its own death, warnings and up with ``CLVSPARK_DEBUG``."""
    return "WARN" if os.environ.get("CLVSPARK_DEBUG") else "FATAL"


def jvm_log_options() -> str:
    """Options of the driver's JVM that keep Spark from saying which log settings it has found."""
    file = shlex.quote(f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}")
    return f"{file} -Dclvspark.log={jvm_log_level()}"


def prepare_environment() -> None:
    """Point Spark to an accepted Java and to the running interpreter.

    ``PYSPARK_PYTHON`` and ``PYSPARK_DRIVER_PYTHON`` are kept when they are set: on a cluster the
    workers' interpreter has another path than the driver's. Under spark-submit the JVM runs
    already, so Java is left alone.
    """
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        os.environ["JAVA_HOME"] = str(ensure_java())
        os.environ.setdefault("SPARK_SUBMIT_OPTS", jvm_log_options())
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
