"""What training found, without a value of any record: parameters, convergence, records that cannot be linked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import log2
from typing import Any

# Weights at which the share of unlinkable records is kept, in bits. Splink rounds probabilities to five digits,
# which tell no more beyond.
UNLINKABLE_WEIGHTS = tuple(float(weight) for weight in range(-10, 17, 2))


@dataclass(frozen=True)
class Level:
    """One level of a comparison.

    m, u : chance that a pair of one person, of two persons, shows it. weight : log2(m / u), in bits.
    seen : false where no pair of EM (m), no pair of one person (m) or no random pair (u) showed the level, so that one
    of the two is not estimated.
    """

    comparison: str
    label: str
    m: float
    u: float
    weight: float
    seen: bool


@dataclass(frozen=True)
class Session:
    """One EM run on the pairs of a rule: comparisons it could see, iterations, largest change of an m in the last."""

    rule: str
    comparisons: list[str]
    iterations: int
    last_change: float
    converged: bool


@dataclass(frozen=True)
class TrainingReport:
    """Prior, levels, EM runs, and `unlinkables`: share of records that do not reach a weight even with themselves."""

    records: int
    prior: float
    levels: list[Level]
    sessions: list[Session]
    unlinkables: list[tuple[float, float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainingReport:
        """The report that `to_dict` gave."""
        return cls(
            records=data["records"],
            prior=data["prior"],
            levels=[Level(**level) for level in data["levels"]],
            sessions=[Session(**session) for session in data["sessions"]],
            unlinkables=[(weight, share) for weight, share in data["unlinkables"]],
        )

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers to track from training to training; names are plain."""
        numbers = {
            "prior": self.prior,
            "records": self.records,
            "levels_not_seen": sum(not level.seen for level in self.levels),
            "em_runs": len(self.sessions),
            "em_runs_not_converged": sum(not session.converged for session in self.sessions),
            "unlinkable_at_0_bits": dict(self.unlinkables).get(0.0, 0.0),
        }
        places: dict[str, int] = {}
        for level in self.levels:
            place = places[level.comparison] = places.get(level.comparison, -1) + 1
            numbers[f"weight/{level.comparison}/{place}"] = level.weight
        return numbers


def list_levels(model: dict[str, Any], unseen: set[tuple[str, str]]) -> list[Level]:
    """Levels of a model in Splink's JSON form, those of missing values left out."""
    return [
        Level(
            comparison=name,
            label=level["label_for_charts"],
            m=level["m_probability"],
            u=level["u_probability"],
            weight=log2(level["m_probability"] / level["u_probability"]),
            seen=(name, level["label_for_charts"]) not in unseen,
        )
        for comparison in model["comparisons"]
        for level in comparison["comparison_levels"]
        if not level.get("is_null_level") and (name := comparison["output_column_name"])
    ]


def describe_session(rule: str, history: list[dict[str, Any]], tolerance: float) -> Session:
    """An EM run from Splink's history: one record a level and iteration, of which 0 are the values it began with."""
    newest = max(record["iteration"] for record in history)
    m = {
        (record["comparison_name"], record["comparison_vector_value"], record["iteration"]): record[
            "m_probability"
        ]
        for record in history
        if record["m_probability"] is not None
    }
    changes = [
        abs(value - m[name, level, newest - 1])
        for (name, level, iteration), value in m.items()
        if iteration == newest and (name, level, newest - 1) in m
    ]
    last = max(changes, default=0.0)
    names = list(dict.fromkeys(record["comparison_name"] for record in history))
    seen = [name for name in names if name != "probability_two_random_records_match"]
    return Session(rule, seen, newest, last, last < tolerance)


def unlinkable_shares(curve: Iterable[Any]) -> list[tuple[float, float]]:
    """Shares at `UNLINKABLE_WEIGHTS` from Splink's cumulative curve of records compared with themselves."""
    points = sorted((float(row["match_weight"]), min(1.0, row["cum_prop"])) for row in curve)
    return [
        (weight, max((share for at, share in points if at < weight), default=0.0))
        for weight in UNLINKABLE_WEIGHTS
    ]
