"""Configuration of the room: the settings, and where the truth of a simulation lies, if there is one."""

from typing import Literal

from pydantic import Field

from clvspark.identity.engines import LOCAL_MEMORY
from clvspark.identity.persons.survivorship import SurvivorshipSettings
from clvspark.identity.settings import IdentitySettings
from clvspark.lakehouse.strict_model import StrictModel


class IdentityConfig(StrictModel):
    """Identity resolution of sources.customer_record."""

    settings: IdentitySettings
    engine: Literal["auto", "local", "distributed"] = Field(
        "auto",
        description="local: one DuckDB; distributed: Spark's executors; auto: local where Spark is one process",
    )
    local_memory: str = Field(
        LOCAL_MEMORY,
        pattern=r"^[1-9]\d*(MB|GB)$",
        description="what the local engine may hold in memory beside Spark before it spills to disk",
    )
    survivorship: SurvivorshipSettings = SurvivorshipSettings()  # type: ignore[call-arg]
    mlflow_uri: str | None = Field(
        None, description="tracking server; None: SQLite inside the lakehouse folder"
    )
    experiment: str = "clvspark"
    review_pairs: int = Field(
        1000,
        ge=0,
        description="length of the queue of pairs whose answer by people would teach most",
    )
    retrain: bool = Field(False, description="train anew although a champion model exists")
    truth: str | None = Field(
        None,
        description="Parquet of source_system, source_record_id, person_key; used to evaluate only",
    )
