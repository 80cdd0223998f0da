"""Rules to train with: pairs that all but prove a match, and blocks in which EM can see every comparison."""

from __future__ import annotations

import re
from itertools import product

from clvspark.identity.model.comparisons import splink_settings
from clvspark.identity.propose.rules import Rule, RuleCost
from clvspark.identity.settings import Attribute, IdentitySettings, TrainingSettings

# Pairs, known on both sides, that an EM run needs of a comparison within the sample.
_LEAST_PAIRS = 200
_MAX_EM_RULES = 5


def deterministic_candidates(attributes: list[Attribute]) -> list[Rule]:
    """Column sets of which agreement all but proves a match."""
    of: dict[str, list[str]] = {}
    for attribute in attributes:
        of.setdefault(attribute.kind, []).append(attribute.column)
    name = "given_name" if "given_name" in of else "full_name"
    shapes = [
        *product(("email", "phone", "identifier"), (name,)),
        ("given_name", "surname", "birth_date"),
        ("full_name", "birth_date"),
        ("given_name", "surname", "postcode"),
        ("full_name", "postcode"),
        ("given_name", "surname", "address"),
    ]
    return [rule for shape in shapes for rule in product(*(of.get(kind, []) for kind in shape))]


def choose_training(
    settings: IdentitySettings, costs: list[RuleCost], *, records: int
) -> tuple[TrainingSettings, list[str]]:
    """Training settings, and a compared column that no rule leaves trainable, if there is one.

    `costs`: of all rules counted. A rule counts by the pairs that a sample for training still holds.
    """
    base = TrainingSettings.model_fields["sample_records"].default
    shrunk = max(1.0, records / base) ** 2
    seen = [cost for cost in costs if cost.pairs >= shrunk]
    wanted = deterministic_candidates(settings.attributes)
    sure = [cost.rule for cost in seen if cost.rule in wanted]
    em_rules, untrained = _choose_em_rules(settings, seen, _LEAST_PAIRS * shrunk)
    rarest = sorted(seen, key=lambda cost: (cost.pairs, cost.rule))
    fallback = (settings.compared[0].column,)
    training = TrainingSettings(
        deterministic_rules=[list(r) for r in sure or [c.rule for c in rarest[:1]] or [fallback]],
        em_rules=[list(rule) for rule in em_rules or [fallback]],
    )  # type: ignore[call-arg]
    return training, untrained


def _choose_em_rules(
    settings: IdentitySettings, costs: list[RuleCost], least: float
) -> tuple[list[Rule], list[str]]:
    """Few rules with few pairs that see every comparison twice, where they can; and a column that none of them sees.

    Of several columns the one that fewest pairs know: without it the others may be compared in another way.
    """
    comparisons = compared_columns(settings)
    plain = [c for c in costs if not any(settings.columns[n].startswith("array") for n in c.rule)]
    sees = {
        cost.rule: {
            name
            for name, columns in comparisons.items()
            if not columns & _held_equal(cost.rule, settings)
            and min(cost.known.get(column, 0) for column in columns & cost.known.keys()) >= least
        }
        for cost in plain
        if cost.pairs >= least
    }
    pairs = {cost.rule: cost.pairs for cost in plain}
    views = dict.fromkeys(comparisons, 0)
    chosen: list[Rule] = []
    wanted = deterministic_candidates(settings.attributes)
    while len(chosen) < _MAX_EM_RULES:
        gains = {
            rule: sum(views[name] < 2 for name in names)
            for rule, names in sees.items()
            if rule not in chosen
        }
        # Rules that all but prove a match show EM clean records only: they come last.
        ranks = {rule: (-gain, rule in wanted, pairs[rule], rule) for rule, gain in gains.items()}
        best = min(ranks, key=ranks.__getitem__, default=None)
        if best is None or not gains[best]:
            break
        chosen.append(best)
        for name in sees[best]:
            views[name] += 1
    blind = {column for name, times in views.items() if not times for column in comparisons[name]}
    seen = {column for name, times in views.items() if times for column in comparisons[name]}
    known = {column: max(c.known.get(column, 0) for c in costs) for column in blind}
    return chosen, sorted(blind - seen or blind, key=lambda column: (known[column], column))[:1]


def compared_columns(settings: IdentitySettings) -> dict[str, set[str]]:
    """Compared attributes that each comparison of the Splink model looks at, by the name of the comparison."""
    model = splink_settings(settings).create_settings_dict("duckdb")
    found = {}
    for comparison in model["comparisons"]:
        texts = " ".join(level["sql_condition"] for level in comparison["comparison_levels"])
        names = tuple(sorted(set(re.findall(r'"([^"]+)_l"', texts))))
        found[comparison["output_column_name"]] = _base(names, settings)
    return found


def _base(rule: Rule, settings: IdentitySettings) -> set[str]:
    """Columns of the attributes that a rule's columns are derived from."""
    return {a.column for a in settings.attributes if {a.column, *a.derived} & set(rule)}


def _held_equal(rule: Rule, settings: IdentitySettings) -> set[str]:
    """Columns on which the pairs of a rule agree because of it: a whole name holds both its parts equal."""
    base = _base(rule, settings)
    parts = {a.column for a in settings.attributes if a.kind in ("given_name", "surname")}
    return base | (parts if settings.column_of("full_name") in base else set())
