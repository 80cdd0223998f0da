"""Configuration of audiences: their definitions, checked against each other."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import Self

from pydantic import Field, model_validator

from clvspark.audiences.rules import AudienceDefinition
from clvspark.lakehouse.config import StrictModel, repeated


class AudiencesConfig(StrictModel):
    """The audiences to evaluate."""

    definitions: list[AudienceDefinition] = Field(default_factory=list)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [definition.id for definition in self.definitions]
        if twice := repeated(ids):
            raise ValueError(f"audience {', '.join(twice)} is defined more than once")
        for definition in self.definitions:
            unknown = sorted(definition.references - set(ids))
            if unknown:
                raise ValueError(
                    f"audience {definition.id} builds on {', '.join(unknown)}, which is not defined"
                )
        _ = self.in_order
        return self

    @property
    def in_order(self) -> list[AudienceDefinition]:
        """The definitions, each after those it builds on; a cycle is an error that names it."""
        by_id = {definition.id: definition for definition in self.definitions}
        graph = {name: sorted(definition.references) for name, definition in sorted(by_id.items())}
        try:
            return [by_id[name] for name in TopologicalSorter(graph).static_order()]
        except CycleError as error:
            raise ValueError(
                f"audiences build on each other in a circle: {' -> '.join(error.args[1])}"
            ) from None
