"""Configuration of audiences: their definitions, checked against each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from typing import Any, Literal, get_args

from pydantic import Field

from clvspark.audiences.rules import AudienceDefinition, Condition, Decile
from clvspark.audiences.rules.standing import PREDICTED
from clvspark.lakehouse.strict_model import StrictModel, Unknown, check, repeated

PastMetric = Literal["revenue", "margin", "orders"]


class DecilesConfig(StrictModel):
    """What persons are ranked by, beside their predicted value and what rules ask for."""

    metrics: list[PastMetric] = Field(default_factory=lambda: list(get_args(PastMetric)))
    channels: list[str] = Field([], description="in which they are ranked apart as well")
    categories: list[str] = Field([], description="of products, in which they are ranked as well")


class AudiencesConfig(StrictModel):
    """The audiences to evaluate."""

    deciles: DecilesConfig = DecilesConfig()  # type: ignore[call-arg]
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
    def conditions(self) -> list[Condition]:
        """Every condition of all rules."""
        return [condition for d in self.definitions for condition in d.conditions]

    @property
    def ranked(self) -> DecilesConfig:
        """What is ranked: as configured, and as rules ask for it."""
        asked = [c for c in self.conditions if isinstance(c, Decile)]
        metrics = {c.metric.split("_")[0] for c in asked if c.metric not in PREDICTED}
        scopes = {
            name: sorted(
                {*getattr(self.deciles, name), *(s for c in asked if (s := getattr(c, one)))}
            )
            for name, one in (("channels", "channel"), ("categories", "category"))
        }
        return DecilesConfig.model_validate(
            {"metrics": sorted({*self.deciles.metrics, *metrics}), **scopes}
        )

    @property
    def in_order(self) -> list[AudienceDefinition]:
        """The definitions, each after those it builds on."""
        by_id = {definition.id: definition for definition in self.definitions}
        graph = {name: sorted(references) for name, references in sorted(self._references.items())}
        return [by_id[name] for name in TopologicalSorter(graph).static_order()]
