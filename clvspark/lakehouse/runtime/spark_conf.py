"""A Spark configuration folder, so that spark-submit, pyspark and notebooks find the same JARs.

Under spark-submit the JVM starts before the job's Python does, too late for a job to add Delta
to the class path; Spark's own place for that is ``spark-defaults.conf``.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

from clvspark.lakehouse.fixed_conf import FIXED
from clvspark.lakehouse.runtime.cache import SetupError, cache_root, write_if_changed
from clvspark.lakehouse.runtime.environment import jvm_log_options
from clvspark.lakehouse.runtime.jars import jar_paths
from clvspark.lakehouse.runtime.java import ensure_java

_HEADER = "# Written by clvspark's set-up; your changes would be lost.\n"


def spark_defaults() -> dict[str, str]:
    """Return what any Spark session needs in order to read and write tables as clvspark does."""
    return {"spark.jars": ",".join(map(str, jar_paths())), **FIXED}


def write_spark_conf(folder: Path | None = None) -> Path:
    """Write ``spark-defaults.conf`` and ``spark-env.sh``; return their folder."""
    folder = folder or cache_root() / "spark"
    defaults = "".join(f"{key} {value}\n" for key, value in spark_defaults().items())
    write_if_changed(folder / "spark-defaults.conf", _HEADER + defaults)
    variables = {
        "JAVA_HOME": str(ensure_java()),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_SUBMIT_OPTS": jvm_log_options(),
    }
    lines = (
        f'if [ -z "${{{name}:-}}" ]; then export {name}={shlex.quote(value)}; fi\n'
        for name, value in variables.items()
    )
    write_if_changed(folder / "spark-env.sh", "#!/usr/bin/env bash\n" + _HEADER + "".join(lines))
    return folder


def installed_conf_folder() -> Path:
    """Return the folder that the pyspark wheel reads without ``SPARK_CONF_DIR``."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise SetupError("the package pyspark is not installed; run: pip install clvspark")
    return Path(spec.origin).parent / "conf"
