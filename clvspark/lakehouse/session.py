"""The Spark session with Delta: one builder for a laptop, spark-submit and a cluster."""

from __future__ import annotations

import logging
import os

from pyspark import SparkConf
from pyspark.sql import SparkSession

from clvspark.lakehouse import runtime
from clvspark.lakehouse.config import SparkConfig
from clvspark.lakehouse.fixed_conf import FIXED
from clvspark.lakehouse.partitions import LEAST, SHUFFLE_PARTITIONS
from clvspark.lakehouse.runtime.gateway import remember_classes, start_context

# PySpark logs errors before it raises them, with the literals of the plan and the value that was at fault.
_LOGGERS_OF_DATA = ("py4j", "DataFrameQueryContextLogger", "SQLQueryContextLogger")
# What is quick and quiet; a configuration may say otherwise.
_DEFAULTS = {
    # A snapshot of a small table read in 50 partitions costs more than the table.
    "spark.databricks.delta.snapshotPartitions": "1",
    # A commit would read the list of all files to write it into its checksum, where nothing here looks for it.
    "spark.databricks.delta.allFilesInCrc.enabled": "false",
    # What is merged is kept in memory before (`Lakehouse.merge`): the same rows whenever they are read.
    "spark.databricks.delta.merge.materializeSource": "none",
    # A run compiles more than the default of 100 classes, and stages ask for what earlier ones had.
    "spark.sql.codegen.cache.maxEntries": "1000",
    # A table without its old files is the same one: no stage that reads it has anything to do.
    "spark.databricks.delta.vacuum.logging.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # What is known of columns is inferred anew for every alias of them: planning a long chain of joins takes minutes.
    "spark.sql.constraintPropagation.enabled": "false",
    # Errors would name the line that made a column; making one costs four times as much.
    "spark.python.sql.dataFrameDebugging.enabled": "false",
}


def build_session(
    config: SparkConfig, *, app_name: str = "clvspark", has_catalog: bool = False
) -> SparkSession:
    """Return the active session, or build one that can read and write Delta.

    Without a `master` in the configuration the one of spark-submit is used, else ``local[*]``. Unless tables are
    kept in its catalog (`has_catalog`), a local Spark makes its warehouse folder, which stays empty, in the cache
    instead of the current folder.
    """
    runtime.prepare_environment()
    builder = SparkSession.builder.appName(app_name)
    conf = SparkConf().setAppName(app_name)
    settings = {**_DEFAULTS, **_sizing(config, has_catalog), **config.conf, **FIXED}
    for key, value in settings.items():
        builder = builder.config(key, value)
        conf.set(key, value)
    start_context(conf)
    spark = builder.getOrCreate()
    remember_classes(spark.sparkContext)
    # Below that the JVM logs failed tasks, whose messages may quote data; the error itself comes back to Python.
    spark.sparkContext.setLogLevel(runtime.jvm_log_level())
    for name in _LOGGERS_OF_DATA:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return spark


def _sizing(config: SparkConfig, has_catalog: bool) -> dict[str, str]:
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    master = config.master or (None if submitted else "local[*]")
    sizing: dict[str, str] = {}
    if not submitted:
        sizing["spark.driver.memory"] = config.driver_memory
        sizing["spark.jars"] = ",".join(str(jar) for jar in runtime.jar_paths())
    if master:
        sizing["spark.master"] = master
    if master and master.startswith("local"):
        sizing |= {"spark.ui.enabled": "false", "spark.driver.host": "localhost"}
        sizing |= {"spark.driver.bindAddress": "127.0.0.1"}
        if not has_catalog:
            sizing["spark.sql.warehouse.dir"] = str(runtime.cache_root() / "warehouse")
        sizing[SHUFFLE_PARTITIONS] = str(config.shuffle_partitions or os.cpu_count() or 2)
        if config.shuffle_partitions is None and SHUFFLE_PARTITIONS not in config.conf:
            sizing[LEAST] = sizing[SHUFFLE_PARTITIONS]
        # Else it grows with the heap to 64 MB, which every hash table takes at least, the smallest broadcast's as well.
        sizing["spark.buffer.pageSize"] = "2m"
        # Small tables have as many partitions as cores; for large ones stages set the number (`partitions.spread`):
        # planning once is cheaper.
        sizing["spark.sql.adaptive.enabled"] = "false"
        # VACUUM lists folders in as many tasks as this; the default is 10,000.
        sizing["spark.sql.sources.parallelPartitionDiscovery.parallelism"] = "8"
    elif config.shuffle_partitions:
        sizing[SHUFFLE_PARTITIONS] = str(config.shuffle_partitions)
    return sizing
