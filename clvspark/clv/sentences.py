"""What a run says of what it found: what is wrong, where, and the next step."""

from __future__ import annotations

from datetime import date, timedelta

from clvspark.clv.challenger.two_part import NAME as CHALLENGER
from clvspark.clv.competition import Competition
from clvspark.clv.config import ClvConfig
from clvspark.history.tables import CLV_SUMMARY

_SHORTEST_HOLDOUT_DAYS = 7


def say_too_young(first: date | None, config: ClvConfig, as_of: date) -> str:
    """Why nothing could be fitted, and what to do."""
    if first is None:
        return (
            f"no model was fitted: {CLV_SUMMARY.name} is empty, no known person bought anything before {as_of}. Next "
            "step: see whether orders landed (sources.event, sources.quarantine), whether they name customers that are "
            "known, and whether 'as_of' is after them."
        )
    ready = first + timedelta(days=config.holdout_days + 1)
    age = (as_of - first).days
    shorter = (
        f" or set 'clv.holdout_days' below {age} and run again"
        if age > _SHORTEST_HOLDOUT_DAYS
        else ""
    )
    return (
        f"no model was fitted: the first purchase is of {first}, and a backtest over {config.holdout_days} days needs "
        f"purchases before {as_of - timedelta(days=config.holdout_days)}. Next step: run again as of {ready} or later"
        f"{shorter}."
    )


def say_worthless(repeaters: int, worthless: int) -> str:
    """That Gamma-Gamma does not see many repeat buyers."""
    return (
        f"{worthless:,} of {repeaters:,} repeat buyers have brought nothing or a loss a purchase, by 'clv.value'. The "
        "spend model is for positive amounts: it does not see them, so those who bought once are rather valued too "
        "high, and their own future purchases count as a cent. Next step: see whether unit costs and refunds are "
        "right; if they are, set 'clv.spend_model: NormalNormalModel', which knows losses, or 'clv.value: revenue'."
    )


def say_beaten(found: Competition, champion: str, by: str) -> str:
    """That features tell more than purchase histories do."""
    theirs, ours = (found.average(name, by) for name in (CHALLENGER, champion))
    return (
        f"{CHALLENGER} predicts better than the champion {champion}: {by} {theirs:.4g} against {ours:.4g} on average "
        "over the folds. It tells neither P(alive) nor values at other horizons, so the champion stays. Next step: see "
        "which channels or contacts tell more than purchases do, e.g. as covariates of the model."
    )


def say_unfitted(found: Competition) -> str:
    """Why no persons can be valued by a model of this date, and what to do."""
    reasons = "; ".join(dict.fromkeys(found.refused.values()))
    return (
        f"no model was fitted, and the champion of an earlier date stays, if there is one: {reasons}. Revenue, its "
        "deciles and the audiences that ask for no predicted value are there all the same. Next step: run again when "
        "more people have come back to buy; or name another model under 'clv.models', e.g. NBDModel, for which nobody "
        "has to have left."
    )
