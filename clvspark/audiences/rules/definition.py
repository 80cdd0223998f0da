"""One audience: its rule and what people say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from clvspark.audiences.rules.standing import AUDIENCE_ID, InAudience, Similar
from clvspark.audiences.rules.streaming import list_batch_reasons
from clvspark.audiences.rules.tree import Condition, Leaf, Rule, walk_leaves
from clvspark.lakehouse.strict_model import StrictModel, check

Schedule = Literal["every_run", "weekly", "monthly"]


class AudienceDefinition(StrictModel):
    """One audience: who comes in (`include`), who stays (`stay`), who is out all the same (`exclude`).

    `stay` is for measures that move around a bound: who was a member before the date remains one while `stay` holds,
    though `include` no longer does. Without it `include` decides every time.
    """

    id: str = Field(pattern=AUDIENCE_ID, max_length=100)
    name: str
    description: str = ""
    version: int = Field(1, ge=1)
    owner: str = ""
    labels: list[str] = Field(default_factory=list, description="for people to find it by")
    schedule: Schedule = Field(
        "every_run",
        description="how often it is evaluated; between its turns the members stay as they are",
    )
    evaluation: Literal["batch", "stream"] = Field(
        "batch", description="stream: refused where the rule needs the batch"
    )
    include: Rule
    stay: Rule | None = None
    exclude: Rule | None = None

    @check
    def _can_stream(self) -> Iterator[str]:
        if self.evaluation == "stream":
            yield from (
                f"cannot be evaluated in a stream: {reason}" for reason in self.batch_reasons
            )
            if self.schedule != "every_run":
                yield "an audience of a stream has no schedule; leave it out"

    @property
    def leaves(self) -> list[Leaf]:
        """Every condition of the rule with its key, in reading order."""
        rules = [rule for rule in (self.include, self.stay, self.exclude) if rule]
        return [leaf for rule in rules for leaf in walk_leaves(rule)]

    @property
    def conditions(self) -> list[Condition]:
        """Every condition of the rule, in reading order."""
        return [leaf.condition for leaf in self.leaves]

    @property
    def batch_reasons(self) -> list[str]:
        """Why a stream cannot evaluate the rule; empty where it can."""
        return list_batch_reasons(self.leaves)

    def has_rule_of(self, document: Mapping[str, Any]) -> bool:
        """Whether a definition as `model_dump_json` wrote it, perhaps an older clvspark, comes to the same members."""
        try:
            other = AudienceDefinition.model_validate(document)
        except ValidationError:
            return False
        return all(getattr(self, p) == getattr(other, p) for p in ("include", "stay", "exclude"))

    @property
    def references(self) -> set[str]:
        """Ids of the audiences that the rule builds on."""
        nested = {c.id for c in self.conditions if isinstance(c, InAudience)}
        return nested | {c.to for c in self.conditions if isinstance(c, Similar)}
