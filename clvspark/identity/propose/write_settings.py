"""Settings as YAML with a comment on every choice; comments hold shares and counts, never a value of a record."""

from __future__ import annotations

from typing import Any

import yaml

from clvspark.identity.propose.kinds import Finding
from clvspark.identity.propose.rules import RuleCost
from clvspark.identity.settings import IdentitySettings


def write_settings(
    settings: IdentitySettings,
    *,
    findings: dict[str, Finding],
    blocking: list[RuleCost],
    left_out: dict[str, str],
    records: int,
    pair_budget: int,
) -> str:
    """YAML text that reads back as `settings`."""
    pairs = sum(cost.pairs for cost in blocking)
    lines = [
        f"# Proposed from {records:,} records. Read it, change it, and measure with `clvspark identity evaluate`.",
        f"unique_id: {_flow(settings.unique_id)}",
        f"country: {settings.country}  # national phone numbers are of this country",
        "attributes:",
    ]
    for attribute in settings.attributes:
        found = findings[attribute.column]
        data = attribute.model_dump(exclude_defaults=True)
        lines.append(f"  - {_flow(data)}  # {found.reason}; {found.filled:.0%} filled")
    if left_out:
        lines += ["# Left out:", *(f"#   {_flow(name)}: {why}" for name, why in left_out.items())]
    lines += [
        "# Name a column in trusted_identifiers if its equality alone proves one person, in unique_identifiers if one",
        "# person has at most one value of it.",
        f"trusted_identifiers: {_flow(settings.trusted_identifiers)}",
        f"unique_identifiers: {_flow(settings.unique_identifiers)}",
        f"# {pairs:,} pairs at most, of a budget of {pair_budget:,}.",
        "blocking_rules:",
        *(
            f"  - {_flow(list(cost.rule))}  # {cost.pairs:,} pairs; finds {cost.records / max(records, 1):.0%} of the "
            f"records{_large(cost)}"
            for cost in blocking
        ),
    ]
    training = settings.training
    if training:
        lines += ["training:", "  deterministic_rules:  # all but prove a match"]
        lines += [f"    - {_flow(rule)}" for rule in training.deterministic_rules]
        lines += ["  em_rules:  # together they see every comparison"]
        lines += [f"    - {_flow(rule)}" for rule in training.em_rules]
    return "\n".join(lines) + "\n"


def _flow(data: Any) -> str:
    text = yaml.safe_dump(
        data, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _large(cost: RuleCost) -> str:
    if not cost.in_large_blocks:
        return ""
    return f"; {cost.in_large_blocks:,} entries in blocks that are too large"
