"""Start the JVM of a session so that it says only what concerns somebody."""

from __future__ import annotations

import os
import threading

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

# Spark's launcher asks for this module, which only Spark ML's arithmetic uses, and no option takes that back; Java
# tells everybody who asks.
_NOISE = b"WARNING: Using incubator modules: jdk.incubator.vector\n"
_STDERR = 2


def start_context(conf: SparkConf) -> None:
    """Start a JVM and its SparkContext, unless there is one or spark-submit has started the JVM.

    What the JVM writes to standard error goes on to ours, line by line, without the line that Java writes of an option
    which Spark's launcher gives it. Ctrl-C goes to us alone: the JVM's Python workers would each print where they were.
    """
    if SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ:  # noqa: SLF001 - as PySpark asks
        return
    reading, writing = os.pipe()
    threading.Thread(target=_pass_on, args=(reading,), name="jvm-stderr", daemon=True).start()
    try:
        gateway = launch_gateway(conf, popen_kwargs={"stderr": writing, "process_group": 0})
    finally:
        os.close(writing)
    SparkContext(conf=conf, gateway=gateway)


def _pass_on(reading: int) -> None:
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            if line != _NOISE:
                os.write(_STDERR, line)
