"""Configuration of audiences: their definitions, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, Self

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

    def list_changed_rules(self, known: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[str]:
        """A fault for each audience whose rule is not the one that its version had.

        In: by audience and version, what `AudienceDefinition.model_dump_json` wrote then.
        """
        newest: dict[str, int] = {}
        for name, version in known:
            newest[name] = max(version, newest.get(name, 0))
        return [
            f"{d.id}: its rule is not the one that version {d.version} had on an earlier run, and memberships of that "
            f"time point to it. Set 'version: {newest[d.id] + 1}' beside the new rule, or take the old rule back"
            for d in self.definitions
            if (d.id, d.version) in known and not d.has_rule_of(known[d.id, d.version])
        ]

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
