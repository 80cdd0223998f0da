"""How the sessions of the tests are started."""

from __future__ import annotations

from pathlib import Path

# They live shortly: the second compiler costs more than it saves. Without it the JVM reserves too little for code.
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
# Every query runs a few times on a few rows: writing and compiling code for it costs more than interpreting it. The
# demo and the cluster's test run what users run.
TINY_SPARK = {
    "spark.driver.extraJavaOptions": QUICK_JVM,
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


def write_tiny_defaults(folder: Path) -> Path:
    """Write them as the defaults of Spark, for commands whose configuration is not to be changed.

    The folder is for the variable SPARK_CONF_DIR.
    """
    lines = [f"{name} {value}\n" for name, value in TINY_SPARK.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
    return folder
