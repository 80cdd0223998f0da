"""What the machine itself has: Python, Java, JARs, DuckDB, a cache folder, what clvspark delivers, a browser."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile

from clvspark.config import shipped_config
from clvspark.doctor.check import Missing
from clvspark.lakehouse import runtime
from clvspark.lakehouse.runtime.java import java_version

_OLDEST_PYTHON = (3, 11)
# The report page is drawn by a browser only for pictures; see the Makefile.
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_python() -> str:
    """Version of the running interpreter; Missing if it is too old."""
    if sys.version_info[:2] < _OLDEST_PYTHON:
        wanted = ".".join(map(str, _OLDEST_PYTHON))
        raise Missing(f"Python {platform.python_version()}; needed: {wanted} or newer")
    return f"Python {platform.python_version()}"


def find_java() -> str:
    """The Java that a session would start with. Under spark-submit that is the one that runs already."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return "the Java of spark-submit"
    home = runtime.ensure_java()
    return f"Java {java_version(home)} in {home}"


def find_jars() -> str:
    """The JARs of Delta and its connectors. Under spark-submit the platform has its own."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return "the JARs of spark-submit"
    jars = runtime.jar_paths()
    return f"{len(jars)} JARs in {jars[0].parent}"


def write_cache() -> str:
    """The cache folder takes a file."""
    folder = runtime.cache_root()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"clvspark")
    return str(folder)


def compare_in_duckdb() -> str:
    """DuckDB answers with the functions that pairs of records are compared by."""
    import duckdb

    with duckdb.connect() as connection:
        row = connection.execute(
            "SELECT jaro_winkler_similarity('martha', 'marhta') > 0.9, levenshtein('anna', 'hanna') = 1"
        ).fetchone()
    if row != (True, True):
        raise Missing(f"DuckDB {duckdb.__version__} compares texts otherwise than expected")
    return f"DuckDB {duckdb.__version__}"


def find_dashboards() -> str:
    """The dashboards and settings that clvspark delivers, to be extended or copied."""
    folder = shipped_config("base.yaml").parent
    found = list((folder / "dashboards").glob("*.yaml"))
    if not found:
        raise Missing(f"no dashboard in {folder}")
    return f"{len(found)} dashboards in {folder}"


def find_browser() -> str:
    """The browser that CHROMIUM names, else the first one on the PATH."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else _BROWSERS
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        raise Missing(f"no browser found; looked for {', '.join(names)}")
    return browser
