"""What data may be used for: usage labels on columns and audiences, and policies that forbid actions with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clvspark.activation.destinations.settings import Destination, MarketingAction
from clvspark.lakehouse.strict_model import StrictModel, check

# Contracts (C), identity (I) and sensitivity (S), as users of data governance know them.
Label = Literal[
    "C1", "C2", "C3", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12",
    "I1", "I2", "S1", "S2",
]  # fmt: skip
Exported = Literal["email", "phone", "clv", "clv_decile", "lifecycle_stage"]
# What follows from the kind of the data: an address names somebody directly, its hash does so indirectly.
_PLAIN_ADDRESS: Label = "I1"
_HASHED_ADDRESS: Label = "I2"


class LabelsConfig(StrictModel):
    """Usage labels of what destinations are told, beside those that follow from its kind."""

    columns: dict[Exported, list[Label]] = Field(default_factory=dict)
    audiences: dict[str, list[Label]] = Field(
        default_factory=dict, description="of the data that an audience is made from"
    )


class Policy(StrictModel):
    """A marketing action that must not be taken with data of certain labels."""

    name: str = Field(min_length=1)
    action: MarketingAction | Literal["any"] = Field(description="any: whatever it is used for")
    denied: list[list[Label]] = Field(
        min_length=1, description="each entry is a set of labels that must not come together"
    )

    @check
    def _no_empty_set(self) -> Iterator[str]:
        if any(not labels for labels in self.denied):
            yield f"policy {self.name}: a set of labels under denied is empty, which forbids everything"


def core_policies() -> list[Policy]:
    """Policies that hold where none are configured: a label forbids what it is defined to forbid."""
    denied: dict[MarketingAction | Literal["any"], list[list[Label]]] = {
        "any": [["C12"]],
        "export_to_third_party": [["C1"], ["C2"]],
        "combine_with_identity": [["C3", "I1"]],
        "cross_site_targeting": [["C4"], ["C5"]],
        "email_targeting": [["C4"]],
        "onsite_advertising": [["C4"], ["C6"]],
        "onsite_personalisation": [["C4"], ["C7"]],
        "analytics": [["C8"]],
        "data_science": [["C9"]],
    }
    return [
        Policy(name=f"core_{action}", action=action, denied=sets) for action, sets in denied.items()
    ]


def find_violations(
    destination: Destination, labels: LabelsConfig, policies: list[Policy]
) -> Iterator[str]:
    """A sentence for each policy that an export to the destination would violate.

    Labels of all that goes out in one line count together: the address, the facts, and the audience's.
    """
    judged = [p for p in policies if p.action in ("any", *destination.marketing_actions)]
    for audience in destination.audiences:
        found = _labels_of(destination, audience, labels)
        for policy in judged:
            for denied in policy.denied:
                if set(denied) <= found.keys():
                    where = sorted({place for label in denied for place in found[label]})
                    yield _violation(destination.id, audience, policy, denied, where)


def _violation(
    destination: str, audience: str, policy: Policy, denied: list[Label], where: list[str]
) -> str:
    action = "any export" if policy.action == "any" else policy.action
    return (
        f"destination {destination}, audience {audience}: policy {policy.name} forbids {action} with data labelled "
        f"{' and '.join(denied)} ({', '.join(where)}). Leave out the column or the audience, or the marketing action "
        "if the destination does not take it"
    )


def _labels_of(
    destination: Destination, audience: str, labels: LabelsConfig
) -> dict[str, set[str]]:
    """Places by label of what one line of the export holds."""
    found: dict[str, set[str]] = {}
    kind = _HASHED_ADDRESS if destination.hashed else _PLAIN_ADDRESS
    found.setdefault(kind, set()).add(destination.identifier)
    for column in (destination.identifier, *destination.facts):
        for label in labels.columns.get(column, []):  # type: ignore[call-overload]
            found.setdefault(label, set()).add(column)
    for label in labels.audiences.get(audience, []):
        found.setdefault(label, set()).add(f"audience {audience}")
    return found
