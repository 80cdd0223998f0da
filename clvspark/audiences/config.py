"""Configuration of audiences: their definitions, checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pydantic import Field

from clvspark.audiences.rules import AudienceDefinition
from clvspark.lakehouse.strict_model import StrictModel, Unknown, check, repeated


class AudiencesConfig(StrictModel):
    """The audiences to evaluate."""

    definitions: list[AudienceDefinition] = Field(default_factory=list)

    @check
    def _each_once(self) -> Iterator[str]:
        if twice := repeated(definition.id for definition in self.definitions):
            yield f"audience {', '.join(twice)} is defined more than once"

    @check
    def _builds_on_what_is(self) -> Iterator[str]:
        ids = {definition.id for definition in self.definitions}
        for name, references in self._references.items():
            if unknown := sorted(references - ids):
                yield f"audience {name} builds on {', '.join(unknown)}, which is not defined"

    @check
    def _no_circle(self) -> Iterator[str]:
        try:
            TopologicalSorter(self._references).prepare()
        except CycleError as error:
            yield f"audiences build on each other in a circle: {' -> '.join(error.args[1])}"

    @property
    def _references(self) -> dict[str, set[str]]:
        """By audience, those it builds on; a definition whose rule is not valid is left out."""
        known = {}
        for definition in self.definitions:
            with suppress(Unknown):
                known[definition.id] = definition.references
        return known

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
        """The definitions, each after those it builds on."""
        by_id = {definition.id: definition for definition in self.definitions}
        graph = {name: sorted(references) for name, references in sorted(self._references.items())}
        return [by_id[name] for name in TopologicalSorter(graph).static_order()]
