"""The ground floor: configuration, session, table contracts, Delta I/O, locks, run log, errors."""

from clvspark.lakehouse.config import LakehouseConfig, SparkConfig
from clvspark.lakehouse.lake import Lakehouse
from clvspark.lakehouse.load_config import load_config
from clvspark.lakehouse.run import Run, RunReport, warnings_among
from clvspark.lakehouse.session import build_session
from clvspark.lakehouse.strict_model import StrictModel
from clvspark.lakehouse.table import Column, Table

__all__ = [
    "Column",
    "Lakehouse",
    "LakehouseConfig",
    "Run",
    "RunReport",
    "SparkConfig",
    "StrictModel",
    "Table",
    "build_session",
    "load_config",
    "warnings_among",
]
