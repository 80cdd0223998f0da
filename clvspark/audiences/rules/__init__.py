"""The rule language: what an audience is made of. Rules are parsed into these types, never evaluated as code."""

from clvspark.audiences.rules.attributes import (
    DateAttribute,
    FlagAttribute,
    NumberAttribute,
    SetAttribute,
    TextAttribute,
)
from clvspark.audiences.rules.bounds import NumberBounds, Window
from clvspark.audiences.rules.definition import AudienceDefinition
from clvspark.audiences.rules.events import (
    Aggregate,
    Event,
    Events,
    Filters,
    First,
    Last,
    Occurrence,
    Sequence,
    Step,
)
from clvspark.audiences.rules.standing import (
    Bucket,
    Consent,
    Decile,
    InAudience,
    Listed,
    Saved,
    Similar,
    Stage,
    Survey,
    Value,
    ValueName,
)
from clvspark.audiences.rules.tree import Condition, Group, Leaf, Rule, walk_leaves

__all__ = [
    "Aggregate",
    "AudienceDefinition",
    "Bucket",
    "Condition",
    "Consent",
    "DateAttribute",
    "Decile",
    "Event",
    "Events",
    "Filters",
    "First",
    "FlagAttribute",
    "Group",
    "InAudience",
    "Last",
    "Leaf",
    "Listed",
    "NumberAttribute",
    "NumberBounds",
    "Occurrence",
    "Rule",
    "Saved",
    "Sequence",
    "SetAttribute",
    "Similar",
    "Stage",
    "Step",
    "Survey",
    "TextAttribute",
    "Value",
    "ValueName",
    "Window",
    "walk_leaves",
]
