"""All checks, in the order in which one stands on those before."""

from __future__ import annotations

from functools import partial

from clvspark.config import Config
from clvspark.doctor import machine, services
from clvspark.doctor.check import Check
from clvspark.doctor.spark import SparkProbes
from clvspark.lakehouse import SparkConfig


def checks_of(config: Config | None) -> list[Check]:
    """The checks of an installation; without a configuration those of the machine, with Spark's defaults."""
    spark = SparkProbes(
        config.spark if config else SparkConfig(driver_memory="1g"),  # type: ignore[call-arg]
        config.lakehouse if config else None,
    )
    return [*_of_machine(), *_of_spark(spark), *_of_services(config)]


def _of_machine() -> list[Check]:
    return [
        Check("Python", machine.find_python, "install Python 3.11, 3.12 or 3.13"),
        Check(
            "Java",
            machine.find_java,
            "install Java 17 or 21 and set JAVA_HOME, or: pip install 'clvspark[java]'",
        ),
        Check(
            "JARs of Delta, Kafka, PostgreSQL and Splink",
            machine.find_jars,
            "with a network: clvspark setup",
        ),
        Check(
            "cache folder",
            machine.write_cache,
            "name a folder that you may write to in CLVSPARK_CACHE",
        ),
        Check("DuckDB", machine.compare_in_duckdb, "pip install 'duckdb>=1.2,<2'"),
        Check(
            "delivered dashboards and settings",
            machine.find_dashboards,
            "install clvspark anew: pip install --force-reinstall clvspark",
        ),
    ]


def _of_spark(spark: SparkProbes) -> list[Check]:
    return [
        Check(
            "Spark session",
            spark.start,
            "mend Java and JARs first; less memory: spark.driver_memory of the configuration; the JVM's own words: "
            "CLVSPARK_DEBUG=1 clvspark doctor",
        ),
        Check(
            "Python in Spark's executors",
            spark.run_python,
            "set PYSPARK_PYTHON to an interpreter that has clvspark installed on every machine",
        ),
        Check(
            "Delta, written and read",
            spark.write_delta,
            "free the temporary folder, or name another one in TMPDIR; JARs of other versions: clvspark setup",
        ),
        Check(
            "Splink's functions in Spark",
            spark.compare_by_splink,
            "with a network: clvspark setup; under spark-submit add the JAR of Splink to spark.jars",
        ),
        Check(
            "catalog",
            spark.see_catalog,
            "name a catalog that is there in lakehouse.catalog, and grant USE CATALOG and CREATE SCHEMA on it",
        ),
    ]


def _of_services(config: Config | None) -> list[Check]:
    return [
        Check(
            "lakehouse folder",
            partial(services.write_lakehouse, config),
            "correct lakehouse.root of the configuration, or its owner: chown",
        ),
        Check(
            "format of the lakehouse",
            partial(services.know_format, config),
            "clvspark migrate, with the same --config, or the clvspark that the message asks for",
        ),
        Check(
            "MLflow",
            partial(services.keep_models, config),
            "start the server, or take mlflow_uri out of the configuration; the package: pip install 'mlflow<3.18'",
        ),
        Check(
            "secrets of destinations",
            partial(services.find_secrets, config),
            "set the environment variables where clvspark activate runs",
        ),
        Check(
            "Kafka",
            partial(services.reach_kafka, config),
            "correct bootstrap_servers of the destination, or let this machine through to the brokers",
        ),
        Check(
            "PostgreSQL",
            partial(services.reach_postgres, config),
            "correct the connection string in the environment variable of dsn_env; the package: "
            "pip install 'clvspark[postgres]'",
        ),
        Check(
            "browser, for pictures of the report",
            machine.find_browser,
            "install Chromium, or name a browser in CHROMIUM",
            needed=False,
        ),
    ]
