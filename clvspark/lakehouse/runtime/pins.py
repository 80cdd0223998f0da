"""The JARs that go beside Spark's own: coordinates and checksums, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

DELTA_VERSION = "4.4.0"
SCALA_VERSION = "2.13"


@dataclass(frozen=True)
class Jar:
    """One artifact of Maven Central, never with its dependencies: those are listed too."""

    organisation: str
    name: str
    version: str

    @property
    def file_name(self) -> str:
        """Name of the file in the cache, the same as in the repository."""
        return f"{self.name}-{self.version}.jar"

    @property
    def sha256(self) -> str | None:
        """Known checksum, or None for a Spark version that the project is not tested with."""
        return _checksums().get(self.file_name)


def pinned_jars(spark_version: str | None = None) -> list[Jar]:
    """Return Delta, its dependencies and the Kafka and PostgreSQL connectors for a Spark version.

    Checksums are known for the versions in `jars.sha256`, which ``sha256sum --check`` reads too.
    """
    spark = spark_version or version("pyspark")
    minor = ".".join(spark.split(".")[:2])
    return [
        Jar("io.delta", f"delta-spark_{minor}_{SCALA_VERSION}", DELTA_VERSION),
        Jar("io.delta", "delta-storage", DELTA_VERSION),
        Jar("io.delta", "delta-kernel-api", DELTA_VERSION),
        Jar("io.delta", "delta-kernel-defaults", DELTA_VERSION),
        Jar("io.delta", "delta-kernel-unitycatalog", DELTA_VERSION),
        Jar("io.unitycatalog", "unitycatalog-client", "0.6.0"),
        Jar("io.unitycatalog", "unitycatalog-hadoop", "0.6.0"),
        Jar("com.fasterxml.jackson.datatype", "jackson-datatype-jdk8", "2.13.5"),
        Jar("javax.annotation", "javax.annotation-api", "1.3.2"),
        Jar("org.locationtech.jts", "jts-core", "1.20.0"),
        Jar("org.apache.spark", f"spark-sql-kafka-0-10_{SCALA_VERSION}", spark),
        Jar("org.apache.spark", f"spark-token-provider-kafka-0-10_{SCALA_VERSION}", spark),
        Jar("org.apache.kafka", "kafka-clients", "3.9.2"),
        Jar("org.apache.commons", "commons-pool2", "2.13.1"),
        Jar("org.postgresql", "postgresql", "42.7.8"),
    ]


@cache
def _checksums() -> dict[str, str]:
    lines = Path(__file__).with_name("jars.sha256").read_text(encoding="utf-8").splitlines()
    return {name: checksum for checksum, name in (line.split() for line in lines)}
