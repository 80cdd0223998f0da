"""Audiences: values and histories -> `audiences.*`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.change import Feeds, describe_states, find_moved, find_touched
from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.decile_tables import rank_persons, write_deciles
from clvspark.audiences.definitions import (
    list_definitions,
    read_turns,
    refuse_changed_rules,
    with_saved_lists,
)
from clvspark.audiences.evaluate import evaluate_audiences
from clvspark.audiences.gather import gather_evidence, list_files, refuse_unknown_lists
from clvspark.audiences.membership import list_transitions, update_membership
from clvspark.audiences.profile import attach_measures, build_standings
from clvspark.audiences.rules import AudienceDefinition, Similar
from clvspark.audiences.schedule import list_resting
from clvspark.audiences.sizes import (
    COUNTS,
    count_pairs,
    describe_overlaps,
    describe_sizes,
    replace_sums,
    sum_members,
)
from clvspark.audiences.tables import (
    DEFINITION,
    ESTIMATE,
    EVALUATED,
    MEMBERSHIP,
    MEMBERSHIP_EVENT,
    OVERLAP,
    SAVED,
    SAVED_MEMBER,
    STATE,
    later_evaluation,
    members_of_today,
    membership_on,
)
from clvspark.clv.tables import CUSTOMER_VALUE, VALUE_CHANGE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, RELATIONSHIP
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.run_log import LastRun
from clvspark.lakehouse.side_by_side import all_of, keep_all
from clvspark.lakehouse.subsets import rows_among
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
    SAVED,
    SAVED_MEMBER,
)
# Beyond this share of persons whom a change can reach it is cheaper to evaluate all of them.
RENEWED_SHARE = 0.1


def run(lake: Lakehouse, config: AudiencesConfig, as_of: date) -> RunReport:
    """Rank deciles and evaluate every audience as of `as_of`.

    Where audiences have been evaluated for a later date, memberships stay as they are and the run warns. A second run
    of a date evaluates those whom a change since can reach.
    """
    also = list_files(config.conditions)
    with lake.run(
        STAGE, as_of=as_of, config=config, reads=READS, writes=EVALUATED, also=also
    ) as run:
        if not run.is_current:
            _evaluate(run, lake, config, as_of)
    return run.report


@dataclass(frozen=True)
class _Work:
    """What one evaluation is made of.

    Parameters
    ----------
    then : audiences.membership of the day before.
    states : audiences.state of everybody, as it is now.
    profiles : of those who are evaluated.
    who : ``person_id`` of those who are evaluated; None: everybody.
    """

    as_of: date
    definitions: list[AudienceDefinition]
    resting: dict[str, date]
    then: DataFrame
    states: DataFrame
    profiles: DataFrame
    who: DataFrame | None

    def theirs(self, rows: DataFrame) -> DataFrame:
        """Rows of those who are evaluated."""
        return rows if self.who is None else rows_among(rows, self.who, "person_id")


def _evaluate(run: Run, lake: Lakehouse, config: AudiencesConfig, as_of: date) -> None:
    refuse_changed_rules(lake, config)
    refuse_unknown_lists(lake, config.conditions)
    # Before anything is written: what is as the last run left it is so no longer then.
    last = run.predecessor
    ranked = rank_persons(lake, config.ranked, as_of)
    later = later_evaluation(lake.read_or_empty(ESTIMATE), as_of)
    if later:
        run.warn(
            f"only the deciles of {as_of} were ranked: audiences have been evaluated as of {later}, and memberships go "
            "forward in time. Next step: none, if you wanted the values of that day; members of today come from a run "
            f"as of {later} or later."
        )
        write_deciles(run, lake, ranked, as_of)
        return
    definitions = with_saved_lists(lake, config)
    # Of the day before, not of the last evaluation: a second one of the same date comes to the same.
    past = membership_on(lake.read_or_empty(MEMBERSHIP_EVENT), as_of - timedelta(days=1))
    links = current_links(lake.read(PERSON_LINK))
    consent = read_consent(lake, links, until=F.lit(as_of).cast("timestamp"))
    (then, consent), *_ = all_of(
        lambda: keep_all(past, consent),
        lambda: write_deciles(run, lake, ranked, as_of),
        lambda: run.merge(DEFINITION, list_definitions(lake, definitions)),
    )
    run.step("evaluating rules")
    work = _prepare(run, lake, definitions, as_of, then, consent, links, last)
    _write_members(run, lake, work)


def _prepare(
    run: Run,
    lake: Lakehouse,
    definitions: list[AudienceDefinition],
    as_of: date,
    then: DataFrame,
    consent: DataFrame,
    links: DataFrame,
    last: LastRun | None,
) -> _Work:
    """Profiles of everybody; of those whom a change can reach, where that is known and they are few."""
    resting = list_resting(definitions, read_turns(lake, as_of), as_of=as_of)
    inside = then.where("status = 'realized'").select("audience_id", "person_id")
    # Who has absorbed a member since was one.
    before = members_of_today(inside, lake.read_or_empty(ALIAS)).localCheckpoint(eager=False)
    conditions = [c for d in definitions if d.id not in resting for c in d.conditions]
    evidence = gather_evidence(lake, conditions, before=before, consent=consent, links=links)
    standings = build_standings(evidence, conditions, as_of=as_of).localCheckpoint(eager=False)
    states = describe_states(standings, conditions, as_of=as_of).localCheckpoint(eager=False)
    learns = any(isinstance(condition, Similar) for condition in conditions)
    who = None
    if last is not None and last == lake.log.last_success(STAGE, as_of) and not learns:
        who = _find_reached(run, lake, states, links, last)
    happenings = evidence.happenings
    if who is not None:
        standings, happenings = (
            rows_among(rows, who, "person_id") for rows in (standings, happenings)
        )
    profiles = attach_measures(standings, happenings, conditions, as_of=as_of)
    profiles = profiles.localCheckpoint(eager=False)
    return _Work(as_of, definitions, resting, then, states, profiles, who)


def _find_reached(
    run: Run, lake: Lakehouse, states: DataFrame, links: DataFrame, last: LastRun
) -> DataFrame | None:
    """``person_id`` of those whom a change since the last evaluation of the date can reach; None: everybody."""
    tables = (EVENT, SURVEY_RESPONSE, PERSON_LINK, ORDER, PRODUCT)
    feeds = [lake.changes(table, since=last.input_versions.get(table.name)) for table in tables]
    found = [feed for feed in feeds if feed is not None]
    # A product of another category passes other filters, whoever has bought it.
    if len(found) < len(feeds) or not found[-1].isEmpty():
        return None
    touched = find_touched(Feeds(*found[:4]), lake.read(ORDER), links)
    who = find_moved(states, lake.read(STATE)).unionByName(touched).distinct().localCheckpoint()
    reached = who.count()
    run.metric("persons_reached", reached)
    return who if reached <= RENEWED_SHARE * states.count() else None


def _write_members(run: Run, lake: Lakehouse, work: _Work) -> None:
    """Members, moves, sizes and overlaps: of those evaluated anew, of the others as they are."""
    is_whole, as_of = work.who is None, work.as_of
    members = evaluate_audiences(
        work.profiles, work.definitions, as_of=as_of, resting=work.resting
    ).localCheckpoint(eager=False)
    then = work.theirs(work.then)
    inside = then.where("status = 'realized'").select("audience_id", "person_id")
    after = update_membership(then, members, as_of=as_of).localCheckpoint()
    moves = list_transitions(inside, after, as_of=as_of).localCheckpoint()
    today = rows_of(as_of, "happened_on")
    states = work.theirs(work.states)
    was, were, sums, pairs = _sum_up(lake, work, members, states)
    if is_whole:
        all_of(
            lambda: run.overwrite(MEMBERSHIP, after, cached=True),
            lambda: run.overwrite(MEMBERSHIP_EVENT, moves, where=today, cached=True),
            lambda: run.overwrite(STATE, states),
        )
    else:
        run.merge_all(
            {
                MEMBERSHIP: (after, was),
                MEMBERSHIP_EVENT: (moves, work.theirs(lake.read(MEMBERSHIP_EVENT).where(today))),
                STATE: (states, were),
            }
        )
    turns = [(d.id, d.version, work.resting.get(d.id, as_of)) for d in work.definitions]
    names = lake.spark.createDataFrame(turns, "audience_id string, version int, evaluated_on date")
    known = lake.read(DEFINITION).select("audience_id").distinct()
    moved = lake.read(MEMBERSHIP_EVENT).where(today)
    sizes = describe_sizes(
        known.join(names, on="audience_id", how="left"),
        sums,
        moved,
        profiles=work.states.count(),
        as_of=as_of,
    )
    overlaps = describe_overlaps(pairs, sums, as_of=as_of)
    run.overwrite_all({ESTIMATE: sizes, OVERLAP: overlaps}, where=rows_of(as_of))


def _sum_up(
    lake: Lakehouse, work: _Work, members: DataFrame, states: DataFrame
) -> tuple[DataFrame, DataFrame, DataFrame, DataFrame]:
    """Rows of audiences.membership and of audiences.state that are replaced; sums of members; pairs of audiences."""
    if work.who is None:
        sums, pairs = keep_all(sum_members(members, states), count_pairs(members))
        return members, states, sums, pairs
    was, were = keep_all(work.theirs(lake.read(MEMBERSHIP)), work.theirs(lake.read(STATE)))
    left = was.where("status = 'realized'").select("audience_id", "person_id")
    values = [*COUNTS, "clv"]
    stored = lake.read(ESTIMATE).where(rows_of(work.as_of)).select("audience_id", *values)
    shared = lake.read(OVERLAP).where(rows_of(work.as_of))
    sums = replace_sums(
        stored, sum_members(left, were), sum_members(members, states), ["audience_id"], values
    )
    pairs = replace_sums(
        shared, count_pairs(left), count_pairs(members), ["audience_id", "other_id"], ["persons"]
    )
    sums, pairs = keep_all(sums, pairs)
    return was, were, sums, pairs
