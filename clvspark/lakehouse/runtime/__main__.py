"""``python -m clvspark.lakehouse.runtime [--spark-submit]``: set up Java and the JARs."""

from __future__ import annotations

import argparse
import sys

from clvspark.lakehouse.runtime.cache import SetupError
from clvspark.lakehouse.runtime.jars import ensure_jars
from clvspark.lakehouse.runtime.java import ensure_java, java_version
from clvspark.lakehouse.runtime.spark_conf import installed_conf_folder, write_spark_conf


def main() -> int:
    """Set up whatever is missing and say where it is; 0 when Spark can start."""
    parser = argparse.ArgumentParser(prog="python -m clvspark.lakehouse.runtime")
    parser.add_argument(
        "--spark-submit",
        action="store_true",
        help="also configure the spark-submit of this environment (writes pyspark/conf)",
    )
    parser.add_argument("--quiet", action="store_true", help="say only what is downloaded")
    arguments = parser.parse_args()
    try:
        home = ensure_java()
        jars = ensure_jars()
        folder = write_spark_conf()
        if arguments.spark_submit:
            write_spark_conf(installed_conf_folder())
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if not arguments.quiet:
        print(f"Java {java_version(home)}: {home}")
        print(f"{len(jars)} JARs: {jars[0].parent}")
        print(f"Spark configuration: export SPARK_CONF_DIR={folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
