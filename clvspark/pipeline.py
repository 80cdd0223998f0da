"""The stages by name, in the order of the flow; the command line, the jobs and the stream all run them here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date

from clvspark.activation import stage as activation
from clvspark.audiences import stage as audiences
from clvspark.audiences.decisions import stage as decisions
from clvspark.audiences.moments import stage as moments
from clvspark.catalogue import TABLES
from clvspark.clv import stage as clv
from clvspark.config import Config
from clvspark.history import stage as history
from clvspark.identity import stage as identity
from clvspark.lakehouse import Lakehouse, RunReport, build_session
from clvspark.lakehouse.lake import Progress
from clvspark.lakehouse.lock import refuse_if_locked
from clvspark.measurement import offer_stage as offers
from clvspark.measurement import response_stage as responses
from clvspark.measurement import stage as measurement
from clvspark.measurement.plan import Goal, HoldoutPlan
from clvspark.reporting import stage as reporting
from clvspark.sources import stage as sources
from clvspark.valuation import champion_outlook, frozen_valuation, relationship_stages

StageFunction = Callable[[Lakehouse, Config, date], RunReport]

STAGES: dict[str, StageFunction] = {
    "ingest": lambda lake, config, as_of: sources.run(lake, config.sources, as_of),
    "resolve": lambda lake, config, as_of: identity.run(lake, config.identity, as_of),
    "history": lambda lake, config, as_of: history.run(
        lake, config.history.keeping(config.clv.lags_days), as_of
    ),
    "fit": lambda lake, config, as_of: clv.run_fit(
        lake, config.clv, as_of, stages=relationship_stages(config.history.relationship)
    ),
    "score": lambda lake, config, as_of: clv.run_score(lake, config.clv, as_of),
    "audiences": lambda lake, config, as_of: audiences.run(lake, config.audiences, as_of),
    "moments": lambda lake, config, as_of: moments.run(
        lake,
        config.decisions,
        as_of,
        session_gap_minutes=config.history.session_gap_minutes,
    ),
    "learn": lambda lake, config, as_of: offers.run(lake, config.measurement, as_of),
    "decide": lambda lake, config, as_of: decisions.run(lake, config.decisions, as_of),
    "activate": lambda lake, config, as_of: activation.run(lake, config.activation, as_of),
    "responses": lambda lake, config, as_of: responses.run(lake, config.measurement, as_of),
    "measure": lambda lake, config, as_of: measurement.run_measure(
        lake,
        config.measurement,
        as_of,
        plan=HoldoutPlan(
            config.activation.holdout.percent,
            config.activation.percent_by_audience,
        ),
        valuation=frozen_valuation(config.clv),
        goals={
            moment.id: Goal(moment.goal.measure, moment.goal.within_days)
            for moment in config.decisions.moments
        },
    ),
    "report": lambda lake, config, as_of: reporting.run(
        lake, config.reporting, as_of, outlook=champion_outlook(config.clv)
    ),
}


def open_lakehouse(
    config: Config,
    *,
    progress: Progress | None = None,
    writes: str | None = None,
    migrating: bool = False,
) -> Lakehouse:
    """Build the session and open the lakehouse that `config` describes.

    `writes` names a command that is going to write: LockedError, before Spark starts, where another process does.
    `migrating` opens one of an earlier format, which is refused else.
    """
    root = config.lakehouse.local_root
    if writes and root:
        refuse_if_locked(root, writes)
    spark = build_session(config.spark, has_catalog=config.lakehouse.catalog is not None)
    own = {table.name: table for table in config.reporting.own_contracts}
    return Lakehouse(spark, config.lakehouse, {**TABLES, **own}, progress, migrating=migrating)


def name_command(names: Sequence[str]) -> str:
    """Command that runs these stages, as others are told who holds the lakehouse."""
    return " ".join(names) if len(names) < len(STAGES) else "run"


def refuse_failures(reports: Iterable[RunReport]) -> None:
    """DeliveryError where destinations failed while all else was done: for the exit status of a command."""
    for report in reports:
        if report.stage == activation.STAGE:
            activation.refuse_failed_destinations(report)


def run_stages(
    lake: Lakehouse,
    config: Config,
    names: Iterable[str],
    *,
    as_of: date,
    force: bool = False,
    patience_seconds: float = 0,
) -> Iterator[RunReport]:
    """Run the stages named, in the order given, and yield each report as soon as it is there.

    The lakehouse is held for writing all the while; the first error ends the run. `force` runs a stage although
    nothing it depends on has changed; `patience_seconds` is how long another writer is waited for.
    """
    names = list(names)
    with lake.writing(name_command(names), patience_seconds=patience_seconds):
        lake.log.force = force
        for name in names:
            yield STAGES[name](lake, config, as_of)
