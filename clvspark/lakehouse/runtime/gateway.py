"""Start the JVM of a session so that it says only what concerns somebody."""

from __future__ import annotations

import os
import re
import signal
import threading
from contextlib import suppress
from typing import Any

from py4j.java_gateway import JavaClass
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

# Spark's launcher asks for this module, which only Spark ML's arithmetic uses, and no option takes that back; Java
# tells everybody who asks.
_INCUBATOR = re.compile(rb"WARNING: Using incubator modules: jdk\.incubator\.vector\n")
# VACUUM tells it for each table.
_VACUUMED = re.compile(rb"(Deleted|Found) \d+ files? .*director(y|ies).*\n")
_STDOUT, _STDERR = 1, 2
# Classes by the names under which PySpark asks for them with every column.
_FUNCTIONS = "org.apache.spark.sql.functions"
_UTILS = "org.apache.spark.api.python.PythonUtils"
_ASKED_OFTEN = {_FUNCTIONS: _FUNCTIONS, "functions": _FUNCTIONS, "PythonUtils": _UTILS}


def start_context(conf: SparkConf) -> None:
    """Start a JVM and its SparkContext, unless there is one or spark-submit has started the JVM.

    What the JVM writes goes on to our own output, line by line, without what concerns nobody. Ctrl-C goes to us alone:
    the JVM's Python workers would each print where they were.
    """
    if SparkContext._gateway is not None or "PYSPARK_GATEWAY_PORT" in os.environ:  # noqa: SLF001 - as PySpark asks
        return
    out, err = _filtered(_STDOUT, _VACUUMED), _filtered(_STDERR, _INCUBATOR)
    try:
        gateway = launch_gateway(
            conf, popen_kwargs={"stdout": out, "stderr": err, "process_group": 0}
        )
    finally:
        os.close(out)
        os.close(err)
    before = signal.getsignal(signal.SIGINT)
    SparkContext(conf=conf, gateway=gateway)
    if before is not signal.default_int_handler and signal.getsignal(signal.SIGINT) is not before:
        signal.signal(signal.SIGINT, before)  # PySpark has put its own in place of the command's


class _KnownClass(JavaClass):
    """A class of the JVM whose members are looked up once."""

    def __getattr__(self, name: str) -> Any:
        member = super().__getattr__(name)
        setattr(self, name, member)
        return member


def remember_classes(context: SparkContext) -> None:
    """Keep the classes that columns are made with; PySpark looks class and method up by name for each of them.

    That is every third message to the JVM, which searches all JARs for some of the names.
    """
    jvm: Any = context._jvm  # noqa: SLF001 - as PySpark does
    client = jvm._gateway_client  # noqa: SLF001 - as PySpark does
    known = {name: _KnownClass(name, client) for name in {*_ASKED_OFTEN.values()}}
    for name, full_name in _ASKED_OFTEN.items():
        setattr(jvm, name, known[full_name])


def cancel_jobs() -> None:
    """Cancel the Spark jobs that are running, if there is a context."""
    context = SparkContext._active_spark_context  # noqa: SLF001 - getOrCreate would start one
    if context is not None:
        with suppress(Py4JError, OSError):  # where the JVM is ending already, so do they
            context.cancelAllJobs()


def _filtered(target: int, noise: re.Pattern[bytes]) -> int:
    """A descriptor to write to; its lines go on to `target`, but those that are `noise`."""
    reading, writing = os.pipe()

    def pass_on() -> None:
        with os.fdopen(reading, "rb") as lines:
            for line in lines:
                if not noise.fullmatch(line):
                    os.write(target, line)

    threading.Thread(target=pass_on, name=f"jvm-output-{target}", daemon=True).start()
    return writing
