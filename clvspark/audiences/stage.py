"""Audiences: values and histories -> `audiences.*`."""

from __future__ import annotations

import json
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.deciles import list_values, rank_deciles, sum_look_backs
from clvspark.audiences.evaluate import evaluate_audiences
from clvspark.audiences.gather import gather_evidence
from clvspark.audiences.membership import estimate_audiences, list_transitions, update_membership
from clvspark.audiences.profile import build_profiles
from clvspark.audiences.tables import (
    DECILE,
    DEFINITION,
    ESTIMATE,
    MEMBERSHIP,
    MEMBERSHIP_EVENT,
    TABLES,
    later_evaluation,
    members_of_today,
    membership_on,
)
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, RELATIONSHIP
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.side_by_side import all_of, keep_all
from clvspark.privacy.statements import read_consent
from clvspark.sources.tables import (
    CONSENT,
    CUSTOMER_RECORD,
    EVENT,
    PRODUCT,
    SURVEY_RESPONSE,
    UNREAD_ADDRESS,
    UNREAD_CONSENT,
)

STAGE = "audiences"
READS = (
    PERSON,
    PERSON_LINK,
    ALIAS,
    CUSTOMER_VALUE,
    VALUE_CHANGE,
    PERSON_DAY,
    RELATIONSHIP,
    ORDER,
    INTERACTION,
    CUSTOMER_RECORD,
    UNREAD_ADDRESS,
    CONSENT,
    UNREAD_CONSENT,
    EVENT,
    PRODUCT,
    SURVEY_RESPONSE,
)


def run(lake: Lakehouse, config: AudiencesConfig, as_of: date) -> RunReport:
    """Rank deciles and evaluate every audience as of `as_of`.

    Where audiences have been evaluated for a later date, memberships stay as they are and the run warns.
    """
    with lake.run(STAGE, as_of=as_of, config=config, reads=READS, writes=TABLES) as run:
        if not run.is_current:
            _evaluate(run, lake, config, as_of)
    return run.report


def _evaluate(run: Run, lake: Lakehouse, config: AudiencesConfig, as_of: date) -> None:
    _refuse_changed_rules(lake, config)
    valued = lake.read_of(CUSTOMER_VALUE, as_of, stage="score")
    values = sum_look_backs(lake.read(PERSON_DAY), as_of=as_of).unionByName(
        list_values(valued, as_of=as_of)
    )
    ranked = rank_deciles(values.localCheckpoint(), as_of=as_of)
    later = later_evaluation(lake.read_or_empty(ESTIMATE), as_of)
    if later:
        run.warn(
            f"only the deciles of {as_of} were ranked: audiences have been evaluated as of {later}, and memberships go "
            "forward in time. Next step: none, if you wanted the values of that day; members of today come from a run "
            f"as of {later} or later."
        )
        run.overwrite(DECILE, ranked, where=rows_of(as_of))
        return
    # Of the day before, not of the last evaluation: a second one of the same date comes to the same.
    past = membership_on(lake.read_or_empty(MEMBERSHIP_EVENT), as_of - timedelta(days=1))
    links = lake.read(PERSON_LINK).where("valid_to IS NULL")
    consent = read_consent(lake, links, until=F.lit(as_of).cast("timestamp"))
    (then, consent), *_ = all_of(
        lambda: keep_all(past, consent),
        lambda: run.overwrite(DECILE, ranked, where=rows_of(as_of)),
        lambda: run.merge(DEFINITION, _definition_rows(lake, config)),
    )
    run.step("evaluating rules")
    conditions = [
        condition for definition in config.definitions for condition in definition.conditions
    ]
    inside = then.where("status = 'realized'").select("audience_id", "person_id")
    # Who has absorbed a member since was one.
    before = members_of_today(inside, lake.read_or_empty(ALIAS)).localCheckpoint(eager=False)
    profiles = build_profiles(
        gather_evidence(lake, conditions, before=before, consent=consent, links=links),
        conditions,
        as_of=as_of,
    ).localCheckpoint(eager=False)
    members = evaluate_audiences(profiles, config.in_order, as_of=as_of).localCheckpoint(
        eager=False
    )
    after = update_membership(then, members, as_of=as_of).localCheckpoint()
    transitions = list_transitions(inside, after, as_of=as_of)
    moved = rows_of(as_of, "happened_on")
    all_of(
        lambda: run.overwrite(MEMBERSHIP, after, cached=True),
        lambda: run.overwrite(MEMBERSHIP_EVENT, transitions, where=moved),
    )
    audiences = lake.read(DEFINITION).select("audience_id").distinct()
    moves = lake.read(MEMBERSHIP_EVENT).where(F.col("happened_on") == F.lit(as_of))
    estimates = estimate_audiences(audiences, members, profiles, moves, as_of=as_of)
    run.overwrite(ESTIMATE, estimates, where=rows_of(as_of))


def _refuse_changed_rules(lake: Lakehouse, config: AudiencesConfig) -> None:
    """ConfigError naming the audiences whose rule is not that which their version had: memberships point to it."""
    rows = lake.read_or_empty(DEFINITION).select("audience_id", "version", "rule").collect()
    faults = config.list_changed_rules({(r[0], r[1]): json.loads(r[2]) for r in rows})
    if faults:
        raise ConfigError("audiences.definitions", faults)


def _definition_rows(lake: Lakehouse, config: AudiencesConfig) -> DataFrame:
    rows = [
        (d.id, d.version, d.name, d.description, d.owner, d.model_dump_json(exclude_none=True))
        for d in config.definitions
    ]
    return lake.spark.createDataFrame(rows, DEFINITION.schema)
