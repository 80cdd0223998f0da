"""Settings of Spark that no configuration may change: what tables and logs hold depends on them."""

from __future__ import annotations

_DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
_VALUES = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # pandas keeps instants in nanoseconds, which Spark reads only as numbers; sources make instants of them.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # Without it CSV is read in UTF and ISO-8859-1 only; tills and spreadsheets write windows-1252.
    "spark.sql.legacy.javaCharsets": "true",
}
_READING = {
    # Without it Delta pins no version of what it reads, and refuses tables that have deletion vectors.
    "spark.databricks.delta.stats.skipping": "true",
}
_PRIVACY = {
    "spark.redaction.regex": "(?i)secret|password|token|pepper|access[.]key",
    # Long plans are costly to print, and their literals may be data.
    "spark.sql.maxPlanStringLength": "1000",
    "spark.sql.debug.maxToStringFields": "10",
}
FIXED = {**_DELTA, **_READING, **_VALUES, **_PRIVACY}
# The JARs of Delta are at a place of their own on every machine.
RESERVED = frozenset({*FIXED, "spark.jars"})
