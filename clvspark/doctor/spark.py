"""What Spark does here: start, run Python, write and read Delta, compare by Splink's functions, see the catalog."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from clvspark.doctor.check import Missing, NotExamined
from clvspark.lakehouse import LakehouseConfig, SparkConfig, build_session

_SIMILARITY_CLASS = "uk.gov.moj.dash.linkage.JaroWinklerSimilarity"
_SIMILARITY = "clvspark_doctor_jaro_winkler"


class SparkProbes:
    """Checks of one session; those that need it are not examined where it did not start."""

    def __init__(self, config: SparkConfig, lakehouse: LakehouseConfig | None) -> None:
        """Remember the settings; the session starts with the first check."""
        self._config, self._lakehouse = config, lakehouse
        self._session: SparkSession | None = None

    def start(self) -> str:
        """Start the session, or find the one that runs."""
        has_catalog = self._lakehouse is not None and self._lakehouse.catalog is not None
        self._session = build_session(
            self._config, app_name="clvspark-doctor", has_catalog=has_catalog
        )
        context = self._session.sparkContext
        return f"Spark {self._session.version} on {context.master}"

    def run_python(self) -> str:
        """An executor runs Python with PyArrow, as most mathematics of clvspark does."""
        import sys

        expected = sys.version_info[:2]

        def tell_version(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for _ in batches:
                version = [".".join(map(str, sys.version_info[:2]))]
                yield pa.RecordBatch.from_pydict({"version": version})

        rows = self._spark.range(1).mapInArrow(tell_version, "version string").collect()
        found = rows[0]["version"]
        if found != ".".join(map(str, expected)):
            raise Missing(
                f"executors run Python {found}, the driver {'.'.join(map(str, expected))}"
            )
        return f"Python {found} in executors"

    def write_delta(self) -> str:
        """Write a Delta table to a temporary folder, change it, and read it again."""
        spark = self._spark
        if not str(spark.sparkContext.master).startswith("local"):
            raise NotExamined("executors do not see this machine's temporary folder")
        folder = Path(tempfile.mkdtemp(prefix="clvspark-doctor-"))
        try:
            table = str(folder / "table")
            spark.range(3).write.format("delta").save(table)
            spark.sql(f"DELETE FROM delta.`{table}` WHERE id = 0")  # noqa: S608 - a folder of ours
            count = spark.read.format("delta").load(table).count()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if count != 2:
            raise Missing(f"{count} rows were read where 2 should be")
        return "written, changed and read"

    def compare_by_splink(self) -> str:
        """Splink's similarity functions are in the session."""
        spark = self._spark
        spark.udf.registerJavaFunction(_SIMILARITY, _SIMILARITY_CLASS, "double")
        similarity = spark.sql(f"SELECT {_SIMILARITY}('martha', 'marhta')").collect()[0][0]
        if not 0.9 < similarity < 1:
            raise Missing(f"the similarity of 'martha' and 'marhta' came out as {similarity}")
        return "Splink's functions answer"

    def see_catalog(self) -> str:
        """The catalog that tables are kept in is there, and its schemas can be listed."""
        if self._lakehouse is None:
            raise NotExamined("no --config was given")
        if self._lakehouse.catalog is None:
            raise NotExamined("tables are kept in a folder")
        schemas = self._spark.sql(f"SHOW SCHEMAS IN `{self._lakehouse.catalog}`").count()
        return f"catalog {self._lakehouse.catalog} with {schemas} schemas"

    @property
    def _spark(self) -> SparkSession:
        if self._session is None:
            raise NotExamined("there is no Spark session to try it in")
        return self._session
