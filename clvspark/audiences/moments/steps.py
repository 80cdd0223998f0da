"""Steps that are due: who is sent what today, and who is not, for a reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.decisions.config import FrequencyCap
from clvspark.audiences.decisions.contacts import cap_column
from clvspark.audiences.moments.definitions import Moment
from clvspark.audiences.moments.tables import JOURNEY_STEP
from clvspark.privacy.consent import CHANNELS

_COUNTS = ", ".join(f"{channel}:int" for channel in CHANNELS)
_PLAN = (
    "step_number:int,step_id:string,channel:string,message:string,days:int,late_days:int,place:int"
)


def list_due_steps(
    journeys: DataFrame, done: DataFrame, moments: Sequence[Moment], *, since: Column, until: date
) -> DataFrame:
    """Steps that fell due after the day `since` until the day `until`, while their journey was under way.

    In: audiences.journey after `until`; audiences.journey_step of earlier runs, of which none comes up again. Out:
    the columns of audiences.journey_step that say what is due, with ``end_reason, late_days, place``.
    """
    plans = F.coalesce(
        *(F.when(F.col("moment_id") == m.id, _plan(m, n)) for n, m in enumerate(moments)),
        F.lit(None).cast(f"array<struct<{_PLAN}>>"),
    )
    named = journeys.select(
        "journey_id",
        "moment_id",
        "person_id",
        "entered_on",
        "ended_on",
        "end_reason",
        F.explode(plans).alias("_step"),
    )
    identity = F.concat_ws("|", "journey_id", "_step.step_id")
    due_on = F.date_add("entered_on", F.col("_step.days"))
    due = named.select(
        F.sha2(identity, 256).alias("journey_step_id"),
        *("journey_id", "moment_id", "person_id", "ended_on", "end_reason", "_step.*"),
        due_on.alias("due_on"),
    ).drop("days")
    under_way = F.col("ended_on").isNull() | (F.col("due_on") < F.col("ended_on"))
    now = (F.col("due_on") > since) & (F.col("due_on") <= F.lit(until))
    return due.where(under_way & now).join(
        done.select("journey_step_id"), on="journey_step_id", how="left_anti"
    )


def decide_steps(
    due: DataFrame,
    consent: DataFrame,
    contacts: DataFrame,
    caps: Sequence[FrequencyCap],
    *,
    as_of: date,
) -> DataFrame:
    """What is sent today of what is due, as audiences.journey_step.

    In: `list_due_steps`; consent by channel; `count_contacts`. A step is left out where something has ended its journey
    meanwhile, not merely its plan, where it is late by more than the moment allows, without consent, and where a cap
    has been reached: what is sent of a person on the same day counts, moments in the order of the configuration.
    """
    missing = F.datediff(F.lit(as_of), "due_on")
    consents = F.coalesce(
        *(F.when(F.col("channel") == name, F.col(f"consent_{name}")) for name in CHANNELS),
        F.lit(False),
    )
    reason = (
        F.when(F.col("end_reason") != "completed", "ended")
        .when(missing > F.col("late_days"), "too_late")
        .when(~consents, "without_consent")
    )
    known = due.join(consent, on="person_id", how="left").join(contacts, on="person_id", how="left")
    capped = _cap_steps(known.withColumn("reason", reason), caps)
    is_sent = F.col("reason").isNull()
    facts = {
        "status": F.when(is_sent, "sent").otherwise("left_out"),
        "contacted_on": F.when(is_sent, F.lit(as_of)),
        "decided_on": F.lit(as_of),
    }
    return capped.withColumns(facts).select(*JOURNEY_STEP.names)


def _plan(moment: Moment, place: int) -> Column:
    """The steps of a moment as an array."""
    pairs = zip(moment.steps, moment.offsets, strict=True)
    steps = [
        F.struct(
            *map(
                F.lit, (number, step.id, step.channel, step.message, days, moment.late_days, place)
            )
        )
        for number, (step, days) in enumerate(pairs, 1)
    ]
    return F.array(*steps).cast(f"array<struct<{_PLAN}>>")


def _cap_steps(steps: DataFrame, caps: Sequence[FrequencyCap]) -> DataFrame:
    """Fill ``reason`` of the steps that come when a cap has been reached.

    Folded over the steps of a person, as whether one is sent decides about the next.
    """
    if not caps:
        return steps
    counts = [name for name in steps.columns if name in {cap_column(n) for n in range(len(caps))}]
    kept = [name for name in steps.columns if name not in counts and name != "person_id"]
    first = ["place", "step_number", "journey_step_id"]
    entry = F.struct(*first, *(name for name in kept if name not in first))
    persons = steps.groupBy("person_id").agg(
        F.sort_array(F.collect_list(entry)).alias("_steps"),
        *(F.first(name).alias(name) for name in counts),
    )
    state = f"struct<{_COUNTS},capped:array<string>>"
    begin = F.struct(*(F.lit(0) for _ in CHANNELS), F.array().cast("array<string>")).cast(state)

    def send(so_far: Column, one: Column) -> Column:
        is_open, is_capped = one["reason"].isNull(), _reaches(caps, so_far, one["channel"])
        sent = [
            so_far[name] + (is_open & ~is_capped & (one["channel"] == name)).cast("int")
            for name in CHANNELS
        ]
        named = F.when(is_open & is_capped, F.array(one["journey_step_id"]))
        capped = F.concat(so_far["capped"], F.coalesce(named, F.array().cast("array<string>")))
        return F.struct(*sent, capped).cast(state)

    folded = persons.withColumn("_capped", F.aggregate("_steps", begin, send)["capped"])
    single = folded.select("person_id", "_capped", F.explode("_steps").alias("_step"))
    single = single.select("person_id", "_capped", "_step.*")
    capped = F.when(F.array_contains("_capped", F.col("journey_step_id")), "capped")
    return single.withColumn("reason", F.coalesce("reason", capped)).drop("_capped")


def _reaches(caps: Sequence[FrequencyCap], so_far: Column, channel: Column) -> Column:
    """Whether one more contact on the channel would exceed a cap."""
    found = []
    for number, cap in enumerate(caps):
        names = CHANNELS if cap.channel is None else [cap.channel]
        planned = reduce(Column.__add__, [so_far[name] for name in names])
        full = F.coalesce(cap_column(number), F.lit(0)) + planned >= cap.contacts
        found.append(full if cap.channel is None else full & (channel == cap.channel))
    return reduce(Column.__or__, found)
