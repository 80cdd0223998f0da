"""What the commands of the group have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clvspark.cli.flags import Application

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

app = Application(
    name="identity",
    help="How records become persons: propose settings, measure them, see why, decide.",
    epilog="Start with: clvspark identity propose --records FILE. Then: clvspark identity COMMAND --help",
    no_args_is_help=True,
)
FILES, PERSONS = "Files of records", "Persons of a lakehouse"

RecordsFile = Annotated[
    Path, typer.Option("--records", help="records: CSV with a header, or Parquet")
]
DriverMemory = Annotated[str, typer.Option(help="memory of the local Spark")]
# The optimising compiler of the JVM pays for itself only after minutes. Without it the JVM reserves too little
# room for code.
_QUICK = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseParallelGC"
}


def quick_session(driver_memory: str) -> SparkSession:
    """A small local Spark that starts quickly, for work on one file."""
    from clvspark.lakehouse import SparkConfig, build_session

    return build_session(SparkConfig(driver_memory=driver_memory, conf=_QUICK))  # type: ignore[call-arg]
