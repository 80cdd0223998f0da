"""clvspark: who is who across channels, what each customer will be worth, and what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clvspark.lakehouse import Lakehouse

__all__ = ["__version__", "open"]
__version__ = "0.1.0"


def open(config: str | Path) -> Lakehouse:  # noqa: A001 - the name that users type
    """Open the lakehouse of a configuration file: a Spark session and its tables, for reading.

    >>> lake = clvspark.open("conf/demo.yaml")  # doctest: +SKIP
    >>> lake.table("clv.customer_value").show()  # doctest: +SKIP
    """
    from clvspark.config import read_config
    from clvspark.pipeline import open_lakehouse

    return open_lakehouse(read_config(config))
