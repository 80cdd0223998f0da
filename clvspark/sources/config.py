"""Configuration of the sources: one YAML file for each system, no code."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from clvspark.lakehouse.config import StrictModel
from clvspark.sources.tables import TARGETS

Transform = Literal["trim", "lower", "upper", "digits", "sha256"]


class FieldRule(StrictModel):
    """How one column of the target is made: from a landing column, several joined, or a constant.

    Steps are applied in this order: `from`/`join`/`value`, `transforms`, `map`, `prefix`, then the cast to
    the target's type (dates and instants by `formats`, read in `timezone`).
    """

    from_: str | None = Field(
        None, alias="from", description="landing column; a dot reaches into nested fields"
    )
    join: list[str] | None = Field(None, min_length=2)
    separator: str = ":"
    value: str | int | None = None
    transforms: list[Transform] = Field(default_factory=list)
    map: dict[str, str] | None = None
    prefix: str = ""
    formats: list[str] | None = None
    timezone: str = "UTC"

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if sum(origin is not None for origin in (self.from_, self.join, self.value)) != 1:
            raise ValueError("set exactly one of 'from', 'join', 'value'")
        return self

    @property
    def is_plain(self) -> bool:
        """Whether the landing column is taken as it is, but for the cast."""
        return self.from_ is not None and not (self.transforms or self.map or self.prefix)

    @property
    def columns(self) -> list[str]:
        """Landing columns that the rule reads."""
        return [self.from_] if self.from_ else list(self.join or [])


class Output(StrictModel):
    """What the rows of a landing file become."""

    to: str
    fields: dict[str, FieldRule]
    attributes: list[str] = Field([], description="landing columns kept in the map `attributes`")
    derived: bool = Field(
        False, description="rows repeat a key by nature; the first of each key is kept"
    )

    @field_validator("fields", mode="before")
    @classmethod
    def _short_form(cls, fields: object) -> object:
        if not isinstance(fields, dict):
            return fields
        return {
            name: {"from": rule} if isinstance(rule, str) else rule for name, rule in fields.items()
        }

    @model_validator(mode="after")
    def _known_target(self) -> Self:
        if self.to not in TARGETS:
            raise ValueError(f"'to' must be one of {', '.join(TARGETS)}")
        table = TARGETS[self.to]
        unknown = sorted(set(self.fields) - set(table.names))
        if unknown:
            raise ValueError(
                f"{self.to} has no column {', '.join(unknown)}; it has {', '.join(table.names)}"
            )
        absent = sorted(set(table.required) - set(self.fields) - {"source_system"})
        if absent:
            raise ValueError(f"{self.to} requires {', '.join(absent)}; map them under 'fields'")
        return self

    @property
    def columns(self) -> set[str]:
        """Landing columns that the output reads."""
        return {column for rule in self.fields.values() for column in rule.columns} | set(
            self.attributes
        )


class LandingFile(StrictModel):
    """One kind of file that a system drops."""

    path: str = Field(description="glob below the landing folder")
    format: Literal["csv", "jsonl", "parquet", "delta"]
    delimiter: str = ","
    multiline: bool = False
    ignore: list[str] = Field([], description="columns known to be there and not used")
    unknown_columns: Literal["report", "quarantine"] = "report"
    outputs: list[Output] = Field(min_length=1)

    @field_validator("path")
    @classmethod
    def _stays_below(cls, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/") or ":" in path:
            raise ValueError("must be a path below the landing folder, without '..' or a scheme")
        return path

    @property
    def columns(self) -> list[str]:
        """Landing columns that the outputs read."""
        return sorted(set().union(*(output.columns for output in self.outputs)))


class SourceSystem(StrictModel):
    """One system and the files it drops."""

    system: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str = ""
    files: list[LandingFile] = Field(min_length=1)


class SourcesConfig(StrictModel):
    """Landing folder and the systems that drop files there."""

    landing: str = Field(
        description="folder; 'package:NAME/FOLDER' reads data that an installed package carries"
    )
    systems: list[SourceSystem] = Field(min_length=1)

    @model_validator(mode="after")
    def _unique_systems(self) -> Self:
        names = [system.system for system in self.systems]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"system {', '.join(repeated)} is declared more than once")
        return self
