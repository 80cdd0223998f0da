"""Blocking rules for a table of records: what could be blocked on, what it costs, and which rules are worth it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.identity.blocking.candidates import rule_keys
from clvspark.identity.settings import Attribute, IdentitySettings, Kind

Rule = tuple[str, ...]
# A record is worth finding in several ways, since any value may be missing or mistyped: each way half as much.
_WORTH = np.cumsum([0.0, 1.0, 0.5, 0.25, 0.125])
_LEAST_GAIN = 0.005
# The rules that find a record are bits of one number.
MAX_RULES = 62
_MAX_CANDIDATES = 44
_MAX_PATTERNS = 10_000
_IDENTIFIERS: tuple[Kind, ...] = ("email", "phone", "identifier")


@dataclass(frozen=True)
class RuleCost:
    """What a blocking rule costs and finds, counted on all records.

    pairs : in blocks of at most the allowed size. records : with at least one other record in such a block.
    in_large_blocks : records of larger blocks. known : pairs of which both records have an attribute, by its column.
    """

    rule: Rule
    pairs: int
    records: int
    in_large_blocks: int
    known: dict[str, int]


@dataclass(frozen=True)
class RuleCosts:
    """Costs of all candidate rules, and which records they find together: bit patterns and their numbers."""

    costs: list[RuleCost]
    patterns: NDArray[np.int64]
    records: NDArray[np.int64]

    def only(self, rules: list[Rule]) -> RuleCosts:
        """The same without other rules, which must come last."""
        kept = [cost for cost in self.costs if cost.rule in rules]
        return RuleCosts(kept, self.patterns, self.records)


def candidate_rules(attributes: list[Attribute]) -> list[Rule]:
    """Column sets that records of one person often agree on, for the kinds that there are."""
    of: dict[str, list[str]] = {}
    for attribute in attributes:
        of.setdefault(attribute.kind, []).append(attribute.column)
        for name in attribute.derived:
            of.setdefault(attribute.kind + name.removeprefix(attribute.column), []).append(name)
    shapes = [
        *((kind,) for kind in _IDENTIFIERS),
        *product(("surname", "given_name", "full_name_words"), ("birth_date", "postcode")),
        *product(("surname", "given_name"), ("street", "address", "text")),
        *product(("birth_date",), ("postcode", "street", "address", "text")),
        *product(("full_name_words",), ("birth_date_year", "postcode_area", "text")),
        ("given_name", "surname"),
        ("full_name",),
        ("email_local", "surname"),
        *product(("given_name_forms",), ("surname",), ("birth_date_year", "postcode_area")),
        *product(("given_name",), ("surname",), ("birth_date_year", "postcode_area", "text")),
        *product(("surname_start",), ("birth_date", "postcode")),
        ("surname_start", "given_name_initial", "birth_date_year"),
        ("birth_date_year", "postcode"),
    ]
    rules = [rule for shape in shapes for rule in product(*(of.get(name, []) for name in shape))]
    alone = [(attribute.column,) for attribute in attributes if attribute.compare]
    return list(dict.fromkeys(rules or alone))[:_MAX_CANDIDATES]


def count_rules(standard: DataFrame, rules: list[Rule], settings: IdentitySettings) -> RuleCosts:
    """Count the pairs of each rule exactly, from the sizes of its blocks, without making a pair.

    In: standardised records, at most `MAX_RULES` rules. Two jobs, each one shuffle of a row a record and rule; what
    comes to the driver is a row a rule, and the commonest patterns of rules that find a record.
    """
    compared = [a.column for a in settings.compared]
    keys = [_met(rule_keys(list(rule), n, settings.columns), n) for n, rule in enumerate(rules)]
    met = F.explode(F.array_distinct(F.concat(*keys)))
    known = [
        F.col(f"`{name}`").isNotNull().cast("int").alias(f"_{n}") for n, name in enumerate(compared)
    ]
    keyed = standard.select("unique_id", met.alias("met"), *known)
    blocks = (
        keyed.groupBy("met")
        .agg(F.count("*").alias("n"), *(F.sum(f"_{i}").alias(f"_{i}") for i in range(len(known))))
        .where("n > 1")
    )
    fits = F.col("n") <= settings.max_block_records
    rows = (
        blocks.groupBy("met.rule")
        .agg(
            _pairs(F.col("n"), fits).alias("pairs"),
            F.coalesce(F.sum(F.when(~fits, F.col("n"))), F.lit(0)).alias("large"),
            *(_pairs(F.col(f"_{i}"), fits).alias(f"_{i}") for i in range(len(known))),
        )
        .collect()
    )
    found = keyed.join(blocks.where(fits).select("met"), on="met", how="left_semi")
    bit = F.expr("shiftleft(CAST(1 AS bigint), met.rule)")
    patterns = (
        found.groupBy("unique_id")
        .agg(F.bit_or(bit).alias("pattern"))
        .groupBy("pattern")
        .agg(F.count("*").alias("n"))
        .orderBy(F.desc("n"), "pattern")
        .limit(_MAX_PATTERNS)
        .toPandas()
    )
    bits, numbers = patterns["pattern"].to_numpy(np.int64), patterns["n"].to_numpy(np.int64)
    by_rule = {row["rule"]: row for row in rows}
    costs = [
        RuleCost(
            rule,
            by_rule[n]["pairs"],
            int(numbers[(bits >> n) & 1 == 1].sum()),
            by_rule[n]["large"],
            {name: by_rule[n][f"_{i}"] for i, name in enumerate(compared)},
        )
        if n in by_rule
        else RuleCost(rule, 0, 0, 0, dict.fromkeys(compared, 0))
        for n, rule in enumerate(rules)
    ]
    return RuleCosts(costs, bits, numbers)


def _met(keys: Column, number: int) -> Column:
    """Keys of a record under a rule with the number of the rule."""
    known = F.array_compact(F.coalesce(keys, F.array().cast("array<bigint>")))
    return F.transform(known, lambda key: F.struct(F.lit(number).alias("rule"), key.alias("key")))


def _pairs(size: Column, fits: Column) -> Column:
    pairs = (size * (size - 1) / 2).cast("bigint")
    return F.coalesce(F.sum(F.when(fits, pairs)), F.lit(0))


def choose_rules(
    counted: RuleCosts, settings: IdentitySettings, *, pair_budget: int
) -> list[RuleCost]:
    """The rules that find most records for their pairs, as long as all pairs together stay within the budget.

    Greedy: each step takes the rule with the most new worth a new pair, where a record that is found in one way
    more is worth half as much as the way before. A rule whose pairs another one makes as well gives way to it.
    """
    within = implied_by(settings)
    chosen: list[int] = []
    costs = counted.costs
    worth = 0.0
    while True:
        best: tuple[float, float, list[int]] | None = None
        for number, cost in enumerate(costs):
            covered = any(within(cost.rule, costs[c].rule) for c in chosen)
            if number in chosen or covered or not cost.pairs:
                continue
            kept = [c for c in chosen if not within(costs[c].rule, cost.rule)]
            trial = [*kept, number]
            total = sum(costs[c].pairs for c in trial)
            gain = _worth(counted, trial) - worth
            if total > pair_budget or gain < _LEAST_GAIN * counted.records.sum():
                continue
            new_pairs = max(1, total - sum(costs[c].pairs for c in chosen))
            if best is None or gain / new_pairs > best[0]:
                best = (gain / new_pairs, gain, trial)
        if best is None:
            return [costs[c] for c in chosen]
        worth, chosen = worth + best[1], best[2]


def _worth(counted: RuleCosts, rules: Iterable[int]) -> float:
    ways = sum((counted.patterns >> rule) & 1 for rule in rules)
    return float((_WORTH[np.minimum(ways, len(_WORTH) - 1)] * counted.records).sum())


def implied_by(settings: IdentitySettings) -> Callable[[Rule, Rule], bool]:
    """A test whether all pairs of one rule are pairs of another one too."""
    derived = {a.column: set(a.derived) for a in settings.attributes}

    def within(narrow: Rule, wide: Rule) -> bool:
        told = reduce(set.union, (derived.get(name, set()) for name in narrow), set(narrow))
        return set(wide) <= told

    return within
