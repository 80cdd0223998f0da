"""Decisions of people about two records: same or different. They go before the model."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from clvspark.identity.record_ids import record_id
from clvspark.identity.review.decisions import find_contradictions
from clvspark.identity.settings import IdentitySettings
from clvspark.identity.tables import DECISION
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError, ContractError, MissingInputError
from clvspark.sources.tables import CUSTOMER_RECORD

Verdict = Literal["same", "different"]


class Decision(NamedTuple):
    """One decision; ``left`` is the smaller id, ``decided_at`` a text in UTC, empty while it is made."""

    left: str
    right: str
    verdict: str
    decided_at: str = ""


def record_decision(
    lake: Lakehouse,
    settings: IdentitySettings,
    pair: tuple[str, str],
    verdict: Verdict,
    *,
    by: str | None,
    at: datetime,
) -> None:
    """Write what somebody decided about two records named SYSTEM:ID, under the writer lock.

    ConfigError for one record twice, MissingInputError for unknown ones, ContractError where the decision contradicts
    others; then nothing is written.
    """
    left, right = _ordered(pair)
    with lake.writing("identity decide"):
        _refuse_unknown(lake, settings, left, right)
        names = ("unique_id_l", "unique_id_r", "verdict")
        decided = lake.read_or_empty(DECISION).select(*names, F.col("decided_at").cast("string"))
        refuse_contradiction(map(Decision._make, decided.collect()), Decision(left, right, verdict))
        row = (left, right, verdict, by, at)
        lake.merge(DECISION, lake.spark.createDataFrame([row], DECISION.schema))


def remove_decision(lake: Lakehouse, pair: tuple[str, str]) -> None:
    """Take a decision back; MissingInputError if there is none."""
    left, right = _ordered(pair)
    with lake.writing("identity decide"):
        same_pair = (F.col("unique_id_l") == left) & (F.col("unique_id_r") == right)
        if not lake.read_or_empty(DECISION).where(same_pair).limit(1).count():
            raise MissingInputError("Nothing was decided about these two records.")
        table: DeltaTable = lake.storage.delta(DECISION.name)
        table.delete(same_pair)


def refuse_contradiction(known: Iterable[Decision], new: Decision) -> None:
    """ContractError if the decisions cannot all be true: same is passed on from pair to pair, different is not.

    Of other pairs it tells when they were decided about, as ids may tell who somebody is.
    """
    before = {decision[:2]: decision for decision in known}
    changed = before.pop(new[:2], new)
    if changed.verdict != new.verdict:
        raise ContractError(
            f"{DECISION.name}: it was decided that these two are {changed.verdict}. Take that back with --remove."
        )
    decisions = [*before.values(), new]
    same, different = (
        [(d.left, d.right) for d in decisions if d.verdict == verdict]
        for verdict in ("same", "different")
    )
    broken = find_contradictions(same, different)
    if broken:
        older = before.get(broken[0])
        who = f"Two records of decided_at {older.decided_at} (UTC)" if older else "These two"
        raise ContractError(
            f"{DECISION.name}: the decision contradicts others. {who} would be different and, through the decisions "
            "that others are the same, one person. Take one of them back first, with --remove."
        )


def _ordered(pair: tuple[str, str]) -> tuple[str, str]:
    left, right = sorted(pair)
    if left == right:
        raise ConfigError("identity decide", ["both records are the same; name two of them"])
    return left, right


def _refuse_unknown(lake: Lakehouse, settings: IdentitySettings, left: str, right: str) -> None:
    found = lake.read(CUSTOMER_RECORD).select(record_id(settings))
    known = found.where(F.col("unique_id").isin(left, right)).distinct().count()
    if known < 2:
        raise MissingInputError(
            f"{CUSTOMER_RECORD.name} does not have both records. Give them as SYSTEM:ID, e.g. crm:C0000000000001."
        )
