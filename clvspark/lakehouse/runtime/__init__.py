"""What Spark needs from the machine: a Java, the JARs of Delta and its connectors, an interpreter.

Set up once (``python -m clvspark.lakehouse.runtime``, which `make setup` calls), found again at
every session start without a network and without importing Spark.
"""

from clvspark.lakehouse.runtime.cache import MissingJavaError, SetupError, cache_root
from clvspark.lakehouse.runtime.environment import jvm_log_level, prepare_environment
from clvspark.lakehouse.runtime.jars import ensure_jars, jar_paths
from clvspark.lakehouse.runtime.java import ensure_java
from clvspark.lakehouse.runtime.spark_conf import spark_defaults, write_spark_conf

__all__ = [
    "MissingJavaError",
    "SetupError",
    "cache_root",
    "ensure_jars",
    "ensure_java",
    "jar_paths",
    "jvm_log_level",
    "prepare_environment",
    "spark_defaults",
    "write_spark_conf",
]
