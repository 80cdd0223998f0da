"""One micro-batch: from landing files to rows of the outbox, every table written once.

Whatever is written follows from the files of the batch and from what the tables hold of its events and persons, whether
or not some of it was written before: a batch that is taken again after a crash comes to the same rows, and Delta skips
those it has. The names of the files are written last; from then on the batch has nothing left to do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from pyspark.sql import DataFrame

from clvspark.activation.members import list_audience_members
from clvspark.activation.tables import OUTBOX
from clvspark.audiences.tables import MEMBERSHIP, MEMBERSHIP_EVENT
from clvspark.config import Config
from clvspark.identity.tables import PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.run_log import MICRO_BATCH
from clvspark.lakehouse.side_by_side import all_of, keep_all, side_by_side
from clvspark.lakehouse.subsets import rows_among, rows_beside
from clvspark.lakehouse.transaction import Transaction
from clvspark.live.kept import Kept, id_hash
from clvspark.live.lists import compare_lists, evaluate_persons, read_lists
from clvspark.live.people import (
    RECORD,
    count_unknown,
    find_persons,
    first_instant,
    list_recent,
    list_records,
    since,
)
from clvspark.live.scene import Scene
from clvspark.live.take import Taken, take_files
from clvspark.live.tell import (
    Refusals,
    Told,
    find_refusals,
    list_refused,
    read_told,
    write_news,
)
from clvspark.live.writes import Change, Write, verify_changes
from clvspark.sources.intake import Drop
from clvspark.sources.tables import EVENT, FILE, QUARANTINE, SURVEY_RESPONSE

# Written beside one another; more would wait for the cores.
_WRITES_AT_ONCE = 6
# One by one, before the others.
_WRITTEN_FIRST = (OUTBOX, QUARANTINE)
# Tables whose versions a batch leaves behind, so that a table that was restored is found.
GUARDED = (EVENT, FILE, MEMBERSHIP, MEMBERSHIP_EVENT, OUTBOX)
_COUNTS = ("events", "repeated", "quarantined", "waiting", "persons", "moves", "instructions")


@dataclass
class Account:
    """What became of a micro-batch, and how long it took.

    Parameters
    ----------
    arrivals : when the first and the last of it arrived; None where nothing did.
    link_version : of identity.person_link; who has come to be of another person since is decided for by an account of
        its own, so that a micro-batch that is taken again decides for the same records.
    """

    query_id: str
    batch_id: int
    arrivals: tuple[datetime, datetime] | None
    link_version: int | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    decided_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    files: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - began, 3)

    @property
    def latency(self) -> float | None:
        """Seconds from the first arrival of the batch to its rows of the outbox."""
        if self.arrivals is None:
            return None
        return (self.decided_at - self.arrivals[0]).total_seconds()

    def as_row(self, as_of: date, versions: Mapping[str, int | None]) -> tuple[object, ...]:
        """Row of ops.micro_batch."""
        first, last = self.arrivals or (None, None)
        values: dict[str, object] = {
            "query_id": self.query_id,
            "batch_id": self.batch_id,
            "as_of_date": as_of,
            "started_at": self.started_at,
            "decided_at": self.decided_at,
            "ended_at": self.ended_at,
            "first_arrival_at": first,
            "last_arrival_at": last,
            "files": self.files,
            **self.counts,
            "link_version": self.link_version,
            "table_versions": json.dumps(versions),
            "seconds": json.dumps(self.seconds),
        }
        return tuple(values[name] for name in MICRO_BATCH.names)


class Decider:
    """Decides for the persons of each micro-batch, upon a scene that is replaced when everybody's has changed."""

    def __init__(
        self,
        lake: Lakehouse,
        config: Config,
        scene: Scene,
        warn: Callable[[str], None],
        events_at: int | None = None,
    ) -> None:
        """Begin with a scene; nobody is known to have refused anything since it was set.

        `events_at` is a version of sources.event that is known, the newest if None; see `guard.find_version_before`.
        """
        self._lake, self._config, self._warn = lake, config, warn
        self.scene = scene
        self._refusals: Refusals | None = None
        self._untold: DataFrame | None = None
        self._keep_events(events_at)

    def change_scene(self, scene: Scene) -> None:
        """Decide upon another scene from now on.

        Within a day refusals stay, as one may have come while the scene was set.
        """
        is_new_day = self.scene.as_of != scene.as_of
        self.scene = scene
        if is_new_day:
            self._refusals = self._untold = None
            self._keep_events()

    def _keep_events(self, version: int | None = None) -> None:
        """Keep the ids of all events, and the recent ones, as the stages that begin a day have left them."""
        events = self._lake.read(EVENT, version=version)
        self._ids = Kept(events.select(id_hash()))
        self._recent = Kept(since(events, first_instant(self.scene.as_of), "occurred_at"))

    def contacts(self) -> DataFrame:
        """Contacts as of now."""
        known = self.scene.contacts
        return known if self._refusals is None else self._refusals.lay_over(known)

    def refused(self) -> DataFrame | None:
        """``person_id`` of who has refused anything since the scene was set; None: nobody."""
        return None if self._refusals is None else self._refusals.rows.select("person_id")

    @property
    def untold(self) -> DataFrame | None:
        """``person_id`` of who has refused something and is not taken off all lists yet; None: nobody."""
        return self._untold

    def note_taken_off(self) -> None:
        """Whoever has refused has left all lists."""
        self._untold = None

    def take(
        self, drops: Sequence[Drop], account: Account, relinked: DataFrame | None = None
    ) -> None:
        """Take the files of a micro-batch, and evaluate who is of another person now (`relinked`: ``person_id``)."""
        scene, lake = self.scene, self._lake
        with account.step("read"):
            taken = take_files(lake, drops, self._ids.rows, self._warn, as_of=scene.as_of)
        account.files = len(taken.files)
        account.counts |= {
            name: taken.counts[name] for name in ("events", "repeated", "quarantined")
        }
        with account.step("recognise"):
            who = self._recognise(taken, account, relinked)
        writes = list(taken.writes)
        if scene.definitions and account.counts["persons"]:
            with account.step("evaluate"):
                writes = [*self._evaluate(taken, who, account), *writes]
        with account.step("write"):
            self._write(writes, account)
            self._remember(taken)
        with account.step("note"):
            self._note(taken, account)

    def _write(self, writes: Sequence[Write], account: Account) -> None:
        """Write what a micro-batch comes to, the outbox first, as others wait for it."""
        once = transaction_of(account)
        # And what is refused before the events, as these tell what of the batch was known.
        for table in _WRITTEN_FIRST:
            for write in writes:
                if write.change.table is table:
                    write.do(self._lake, once)
            if table is OUTBOX:
                account.decided_at = datetime.now(UTC)
        rest = [write for write in writes if write.change.table not in _WRITTEN_FIRST]
        side_by_side(lambda write: write.do(self._lake, once), rest, at_once=_WRITES_AT_ONCE)

    def _remember(self, taken: Taken) -> None:
        if taken.counts["events"]:
            self._ids.add(taken.news.select(id_hash()))
            first = first_instant(self.scene.as_of)
            self._recent.add(since(taken.news, first, "occurred_at"))
        if taken.changed is not None and not taken.changed.isEmpty():
            self._keep_events()

    def _recognise(self, taken: Taken, account: Account, relinked: DataFrame | None) -> DataFrame:
        """``person_id`` of everybody whom the batch touches, in memory."""
        scene = self.scene
        records = list_records(taken.events).localCheckpoint(eager=False)
        links = rows_among(scene.links, records, *RECORD).localCheckpoint()
        who = find_persons(records, links)
        if relinked is not None:
            who = who.unionByName(relinked.select("person_id")).distinct()
        refused = list_refused(taken.events, taken.others)
        waiting, nobody_refuses = all_of(lambda: count_unknown(taken.news, links), refused.isEmpty)
        if not nobody_refuses:
            new = find_refusals(refused, scene)
            self._refusals = new if self._refusals is None else self._refusals.join(new)
            refusers = new.rows.select("person_id").distinct()
            untold = self._untold
            self._untold = refusers if untold is None else untold.unionByName(refusers)
            who = who.unionByName(refusers).distinct()
        who = who.localCheckpoint()
        account.counts |= {"waiting": waiting, "persons": who.count()}
        return who

    def _evaluate(self, taken: Taken, who: DataFrame, account: Account) -> list[Write]:
        """Writes of audiences and the outbox."""
        scene, lake, contacts = self.scene, self._lake, self.contacts()
        lists, was, told = all_of(
            lambda: evaluate_persons(scene, who, self._gather_recent(taken, who)),
            lambda: read_lists(lake, scene, who),
            lambda: read_told(lake, scene, who, scene.ids, contacts),
        )
        members = list_audience_members(lists.members)
        (memberships, moves), news = all_of(
            lambda: compare_lists(lists, was), lambda: self._list_news(told, members)
        )
        writes, _ = verify_changes([*news, memberships, moves])
        rows = {write.change.table: write.rows for write in writes}
        account.counts |= {"moves": rows[MEMBERSHIP_EVENT], "instructions": rows[OUTBOX]}
        return writes

    def _list_news(self, told: Told, members: DataFrame) -> list[Change]:
        """New rows of activation.*, in memory."""
        news = write_news(self._lake, self._config.activation, self.scene, told, members)
        rows = keep_all(*(table.conform(df) for table, df in news.items()), eager=False)
        return [Change(table, added=df) for table, df in zip(news, rows, strict=True)]

    def _gather_recent(self, taken: Taken, who: DataFrame) -> DataFrame:
        scene, lake = self.scene, self._lake
        links = rows_among(scene.links, who, "person_id").localCheckpoint(eager=False)
        first = first_instant(scene.as_of)
        stored = self._recent.rows
        if taken.changed is not None:
            stored = rows_beside(stored, taken.changed, "event_id").unionByName(taken.changed)
        stored = rows_among(stored, links, *RECORD).select(*EVENT.names)
        news = since(taken.news, first, "occurred_at")
        answers = since(lake.read_or_empty(SURVEY_RESPONSE), first, "answered_at")
        came = taken.others.get(SURVEY_RESPONSE)
        if came is not None:
            answers = answers.unionByName(came)
        events, answers = keep_all(
            stored.unionByName(news),
            rows_among(answers, links, *RECORD).select(*SURVEY_RESPONSE.names),
            eager=False,
        )
        return list_recent(
            events,
            answers,
            scene.products,
            links,
            default_margin_rate=self._config.history.default_margin_rate,
        )

    def _note(self, taken: Taken, account: Account) -> None:
        """Write which files were taken, and what became of them."""
        lake = self._lake
        if taken.files:
            rows = lake.spark.createDataFrame(taken.files, FILE.schema).coalesce(1)
            once = transaction_of(account).of(FILE.name)
            lake.append(FILE, rows, once=once, cached=True)
        # After the files: it says which versions the tables have come to.
        note(lake, account, self.scene.as_of)


def transaction_of(account: Account) -> Transaction:
    """What makes the writes of a micro-batch the same ones whenever it is taken."""
    # Delta's versions begin at 0, and what is noted before the first micro-batch has one as well.
    return Transaction(f"clvspark stream {account.query_id}", account.batch_id + 1)


def note(lake: Lakehouse, account: Account, as_of: date) -> None:
    """Write the account of a micro-batch."""
    account.ended_at = datetime.now(UTC)
    versions = {table.name: lake.version(table) for table in GUARDED}
    row = lake.spark.createDataFrame([account.as_row(as_of, versions)], MICRO_BATCH.schema)
    lake.append(MICRO_BATCH, row.coalesce(1), once=transaction_of(account).of(MICRO_BATCH.name))


def list_relinked(lake: Lakehouse, before: int | None, now: int | None) -> DataFrame | None:
    """``person_id`` of everybody whose records have changed between two versions of the links; None: nobody."""
    if before == now:
        return None
    feed = lake.changes(PERSON_LINK, since=before, until=now)
    rows = current_links(lake.read(PERSON_LINK)) if feed is None else feed
    return rows.select("person_id").distinct().localCheckpoint()
