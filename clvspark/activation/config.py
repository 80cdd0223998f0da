"""Configuration of activation: where lists go, and who is held out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field, field_validator

from clvspark.lakehouse.strict_model import StrictModel, check, repeated
from clvspark.privacy.consent import Channel


class FileDestination(StrictModel):
    """A folder that receives one file an audience and run."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Literal["file"] = "file"
    format: Literal["csv", "jsonl"]
    channel: Channel = Field(description="channel whose consent is needed")
    identifier: Literal["email", "phone"]
    hashed: bool = Field(
        description="send SHA-256 of the normalised identifier instead of the identifier"
    )
    audiences: list[str] = Field(min_length=1)

    @property
    def address_column(self) -> str:
        """Name of what it is told addresses as."""
        return f"{self.identifier}_sha256" if self.hashed else self.identifier

    @field_validator("audiences")
    @classmethod
    def _each_once(cls, audiences: list[str]) -> list[str]:
        if twice := repeated(audiences):
            raise ValueError(f"names {', '.join(twice)} more than once; name each audience once")
        return audiences


class HoldoutConfig(StrictModel):
    """The share of persons who are never activated, for measuring what activation is worth."""

    percent: float = Field(10.0, ge=0, le=50)
    salt: str = Field(
        "clvspark", min_length=1, description="changing it deals the groups anew for new persons"
    )


class ActivationConfig(StrictModel):
    """Destinations and holdout."""

    exports: str = Field(description="folder that the files are written to")
    destinations: list[FileDestination] = Field(default_factory=list)
    holdout: HoldoutConfig = HoldoutConfig()  # type: ignore[call-arg]

    @field_validator("exports")
    @classmethod
    def _plain_folder(cls, exports: str) -> str:
        if ".." in PurePosixPath(exports).parts or ":" in exports:
            raise ValueError("must be a plain folder without '..' or a scheme")
        return exports

    @check
    def _each_destination_once(self) -> Iterator[str]:
        for name in repeated(destination.id for destination in self.destinations):
            yield f"two destinations have the same id, {name}"
