"""Activate: `audiences.membership` -> `activation.*` and the destinations."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.campaigns import deal_campaigns, hold_campaigns
from clvspark.activation.config import ActivationConfig
from clvspark.activation.deliveries import count_deliveries
from clvspark.activation.drain import drain
from clvspark.activation.gate import assign_members
from clvspark.activation.holdout import deal_groups
from clvspark.activation.outbox import write_instructions
from clvspark.activation.people import (
    People,
    gather_contacts,
    judge_all,
    read_people,
    refusal_versions,
)
from clvspark.activation.settle import list_snapshot, revive_dead
from clvspark.activation.suppression import read_suppressed
from clvspark.activation.tables import (
    ASSIGNMENT,
    CAMPAIGN_HOLDOUT,
    DEAD_LETTER,
    DELIVERY,
    HOLDOUT,
    OUTBOX,
    SNAPSHOT,
    SUPPRESSION,
    SYNC_LOG,
)
from clvspark.audiences.decisions.tables import DECISION
from clvspark.audiences.moments.tables import JOURNEY, JOURNEY_STEP
from clvspark.audiences.tables import DECILE, DEFINITION, ESTIMATE, MEMBERSHIP, later_evaluation
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import find_day_of_acting, rows_of
from clvspark.lakehouse.errors import ConfigError, DeliveryError, MissingInputError
from clvspark.lakehouse.folders import recover_folders
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, UNREAD_ADDRESS, UNREAD_CONSENT

STAGE = "activate"
READS = (
    MEMBERSHIP,
    DEFINITION,
    ESTIMATE,
    PERSON,
    PERSON_LINK,
    ALIAS,
    CUSTOMER_RECORD,
    UNREAD_ADDRESS,
    CONSENT,
    UNREAD_CONSENT,
    EVENT,
    CUSTOMER_VALUE,
    DECILE,
    JOURNEY,
    JOURNEY_STEP,
    DECISION,
    SUPPRESSION,
)
WRITES = (
    HOLDOUT,
    CAMPAIGN_HOLDOUT,
    ASSIGNMENT,
    OUTBOX,
    DELIVERY,
    SYNC_LOG,
    DEAD_LETTER,
    SNAPSHOT,
)
FAILED = "destinations_failed"
# How often the gate is passed again because somebody has refused meanwhile.
_GATES = 3


def run(lake: Lakehouse, config: ActivationConfig, as_of: date) -> RunReport:
    """Tell every destination what changed on its lists. Consent is read at this moment, not at evaluation.

    Nobody is told anything as of a date before that of the lists; the run warns. A destination that fails is a warning
    and counted in the metric ``destinations_failed``; the next run tries again, although nothing else has changed.
    """
    with lake.run(STAGE, as_of=as_of, config=config, reads=READS, writes=WRITES) as run:
        if run.is_current and _is_unfinished(lake, config):
            run.is_current = False
        if not run.is_current:
            _activate(run, lake, config, as_of)
    return run.report


def refuse_failed_destinations(report: RunReport) -> None:
    """DeliveryError where destinations failed in a run of this stage, for the exit status of a command."""
    if failed := round(report.metrics.get(FAILED, 0)):
        raise DeliveryError(
            f"{failed} destinations did not take all that they were to be told; see the warnings. The others' "
            "deliveries stand. Next step: clvspark activate"
        )


def replay(lake: Lakehouse, config: ActivationConfig, destination: str, as_of: date) -> int:
    """Put the dead letters of a destination into the outbox again, for the next run; return their number.

    They are told under the same keys, and as things are then: who has left the list meanwhile is not added. ConfigError
    where there is no such destination.
    """
    names = [d.id for d in config.destinations]
    if destination not in names:
        raise ConfigError(
            "activation.destinations",
            [f"there is no destination {destination!r}; there are {', '.join(names) or 'none'}"],
        )
    with lake.writing("replay"):
        if not lake.exists(OUTBOX):
            return 0
        revived = revive_dead(lake.read(OUTBOX), destination).localCheckpoint()
        ids = revived.select("outbox_id")
        letters = lake.read_or_empty(DEAD_LETTER).join(ids, on="outbox_id", how="left_semi")
        # The outbox last: what was interrupted is done again.
        lake.merge(DEAD_LETTER, letters.withColumn("replayed_on", F.lit(as_of)))
        return lake.merge(OUTBOX, revived)


def suppress(
    lake: Lakehouse, file: Path, *, identifier: str, reason: str, recorded_on: date
) -> int:
    """Add the addresses of a file, one a line, plain or hashed, to the suppression list; return their number.

    Every destination is told to remove them by the next run. MissingInputError where there is no such file.
    """
    if not file.is_file():
        raise MissingInputError(
            f"{file} is not there. Give a text file with one address a line, plain or as SHA-256."
        )
    with lake.writing("suppress"):
        lines = lake.spark.read.text(file.absolute().as_uri()).toDF("address")
        rows = read_suppressed(
            lines, identifier=identifier, reason=reason, recorded_on=recorded_on
        ).localCheckpoint()
        known = lake.read_or_empty(SUPPRESSION).select("identifier", "address_sha256")
        new = rows.join(known, on=["identifier", "address_sha256"], how="left_anti")
        return lake.merge(SUPPRESSION, new.select(*SUPPRESSION.names))


def _is_unfinished(lake: Lakehouse, config: ActivationConfig) -> bool:
    """Whether something waits that a run before could not tell."""
    waits = F.col("status") == "pending"
    here = F.col("destination_id").isin(*(d.id for d in config.destinations))
    return not lake.read_or_empty(OUTBOX).where(waits & here).isEmpty()


def _activate(run: Run, lake: Lakehouse, config: ActivationConfig, as_of: date) -> None:
    later = later_evaluation(lake.read_or_empty(ESTIMATE), as_of)
    if later:
        run.warn(
            f"no destination was told anything as of {as_of}: the lists are those of {later}. Next step: none, or "
            f"clvspark activate --as-of {later}"
        )
        run.create(*WRITES)
        return
    lake.read_of(ESTIMATE, as_of, stage="audiences")
    _refuse_unknown_audiences(lake, config)
    _refuse_changed_identifiers(lake, config)
    for destination in config.destinations:
        recover_folders(Path(config.exports) / destination.id)
    gate = _Gate(run, lake, config, as_of)
    run.create(SYNC_LOG, DEAD_LETTER)
    drained = drain(run, lake, config, gate.contacts, as_of)
    outbox = lake.read(OUTBOX).localCheckpoint(eager=False)
    before = lake.read_or_empty(DELIVERY)
    deliveries = count_deliveries(
        gate.judged, outbox, before, drained.files, config, as_of=as_of
    ).localCheckpoint()
    run.overwrite(DELIVERY, deliveries, where=rows_of(as_of))
    run.renew(SNAPSHOT, list_snapshot(outbox))
    run.metric("files", len(drained.files))
    run.metric("entries_exported", sum(drained.entries.values()))
    if drained.failed:
        run.metric(FAILED, len(drained.failed))


class _Gate:
    """The gate between lists and outbox; passed again where somebody has refused since."""

    def __init__(self, run: Run, lake: Lakehouse, config: ActivationConfig, as_of: date) -> None:
        self.run, self.lake, self.config, self.as_of = run, lake, config, as_of
        self._seen: dict[str, int | None] = {}
        self._pass()

    def contacts(self) -> DataFrame:
        """Contacts as of now; the outbox holds what follows from what they have said until now."""
        for _ in range(_GATES):
            if refusal_versions(self.lake) == self._seen:
                break
            self._pass()
        return self._contacts

    def _pass(self) -> None:
        """Deal groups, judge everybody, and write the differences into the outbox."""
        run, lake, config, as_of = self.run, self.lake, self.config, self.as_of
        self._seen = refusal_versions(lake)
        people = read_people(lake, config, as_of)
        _deal(run, lake, config, people, as_of)
        self._contacts = gather_contacts(lake, people).localCheckpoint(eager=False)
        judged = judge_all(people.members, self._contacts, config).localCheckpoint()
        self.judged = _hold_campaigns(run, lake, config, people, judged, as_of)
        before = lake.read_or_empty(OUTBOX).localCheckpoint(eager=False)
        eligible = self.judged.where("verdict = 'eligible'")
        assigned = assign_members(
            self.judged,
            lake.read_or_empty(ASSIGNMENT),
            as_of=as_of,
            acted_on=find_day_of_acting(as_of),
        )
        instructions = write_instructions(before, eligible, as_of=as_of)
        run.merge_all({ASSIGNMENT: (assigned, None), OUTBOX: (instructions, None)})


def _deal(run: Run, lake: Lakehouse, config: ActivationConfig, people: People, as_of: date) -> None:
    """Groups of the global holdout, of who comes up for the first time."""
    groups = deal_groups(
        people.members,
        people.all_entries,
        lake.read_or_empty(HOLDOUT),
        lake.read_or_empty(ALIAS),
        config.holdout,
        as_of=as_of,
        values=people.values,
    )
    run.merge(HOLDOUT, groups)


def _hold_campaigns(
    run: Run,
    lake: Lakehouse,
    config: ActivationConfig,
    people: People,
    judged: DataFrame,
    as_of: date,
) -> DataFrame:
    """Verdicts after the holdouts of single audiences, whose groups are dealt first."""
    if not config.campaign_holdouts and not lake.exists(CAMPAIGN_HOLDOUT):
        run.create(CAMPAIGN_HOLDOUT)
        return judged
    aliases = lake.read_or_empty(ALIAS)
    campaigns = config.campaign_holdouts
    dealt = lake.read_or_empty(CAMPAIGN_HOLDOUT)
    run.merge(
        CAMPAIGN_HOLDOUT,
        deal_campaigns(
            judged, people.all_entries, dealt, aliases, people.values, campaigns, as_of=as_of
        ),
    )
    names = [campaign.audience for campaign in campaigns]
    current = lake.read(CAMPAIGN_HOLDOUT).where(F.col("audience_id").isin(*names))
    return hold_campaigns(judged, people.all_entries, current, aliases).localCheckpoint()


def _refuse_unknown_audiences(lake: Lakehouse, config: ActivationConfig) -> None:
    """ConfigError naming the audiences that no evaluation knows; lists of steps and offers are told by their dot."""
    known = {row[0] for row in lake.read(DEFINITION).select("audience_id").distinct().collect()}
    faults = [
        f"activation.destinations.{d.id}: audience {name!r} is not defined; defined are {', '.join(sorted(known))}"
        for d in config.destinations
        for name in d.audiences
        if "." not in name and name not in known
    ]
    if faults:
        raise ConfigError("activation", faults)


def _refuse_changed_identifiers(lake: Lakehouse, config: ActivationConfig) -> None:
    """ConfigError naming the destinations that were told addresses as something else: they could remove nobody."""
    told = lake.read_or_empty(DELIVERY).where("identifier IS NOT NULL")
    told = told.where("file_name IS NOT NULL OR entries_added > 0")
    rows = told.select("destination_id", "identifier").distinct().collect()
    known = {row["destination_id"]: row["identifier"] for row in rows}
    faults = [
        f"activation.destinations.{d.id}: was told addresses as {known[d.id]} and would now be told them as "
        f"{d.told_as}; it could not match the two. Give the changed destination another 'id', and empty the "
        "list of the old one there"
        for d in config.destinations
        if known.get(d.id, d.told_as) != d.told_as
    ]
    if faults:
        raise ConfigError("activation", faults)
