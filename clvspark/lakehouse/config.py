"""Configuration of the ground floor: the Spark session, and where the tables lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, field_validator

from clvspark.lakehouse.fixed_conf import RESERVED
from clvspark.lakehouse.strict_model import StrictModel, check


class SparkConfig(StrictModel):
    """How the Spark session is built. Under spark-submit leave `master` empty.

    `conf` is any setting of Spark but those that clvspark depends on.
    """

    master: str | None = None
    driver_memory: str = Field("4g", pattern=r"^\d+[gm]$")
    shuffle_partitions: int | None = Field(
        None, ge=1, description="None: by cores and rows locally, AQE on clusters"
    )
    conf: dict[str, str] = Field(default_factory=dict)

    @field_validator("conf")
    @classmethod
    def _leaves_what_is_fixed(cls, conf: dict[str, str]) -> dict[str, str]:
        taken = sorted(RESERVED & conf.keys())
        if taken:
            raise ValueError(
                f"must not hold {', '.join(taken)}: clvspark sets that itself, as what it writes and what it keeps out "
                "of logs depend on it. Take it out; sizes, e.g. spark.sql.shuffle.partitions, are yours to set"
            )
        return conf


class LakehouseConfig(StrictModel):
    """Where the tables live: a folder (path mode) or a catalog (catalog mode), exactly one of them."""

    root: str | None = Field(None, description="folder of the Delta tables (path mode)")
    catalog: str | None = Field(
        None, pattern=r"^\w+$", description="catalog of the schemas (catalog mode)"
    )
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")

    @property
    def local_root(self) -> Path | None:
        """The folder on a local file system, None elsewhere and in catalog mode."""
        return Path(self.root).absolute() if self.root and "://" not in self.root else None

    @field_validator("root")
    @classmethod
    def _no_escape(cls, root: str | None) -> str | None:
        if root is not None and (".." in Path(root).parts or root.startswith("file:")):
            raise ValueError("must be a plain folder without '..' or 'file:'")
        return root

    @check
    def _one_mode(self) -> Iterator[str]:
        if (self.root is None) == (self.catalog is None):
            yield "set either 'root' (path mode) or 'catalog' (catalog mode)"
