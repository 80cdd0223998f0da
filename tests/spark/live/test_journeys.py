"""Journeys within the day, on a tiny lakehouse with a clock of its own: entered, sent, told and never taken back."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import functions as F
from support.contents import contents
from support.crash import CrashError, end_before
from support.retailer import PEOPLE, buy, enter_audience, write_people
from support.shops import rows_of

from clvspark.activation.config import ActivationConfig
from clvspark.activation.tables import OUTBOX
from clvspark.audiences.decisions.config import DecisionsConfig
from clvspark.audiences.moments import stage
from clvspark.audiences.moments.tables import MOMENT
from clvspark.history.tables import INTERACTION, SESSION
from clvspark.lakehouse import Lakehouse, RunReport
from clvspark.live.journeys import Journeys
from clvspark.live.scene import NEW_GROUP, STRATUM
from clvspark.privacy.consent import CHANNELS

TODAY, AS_OF = date(2026, 4, 1), date(2026, 4, 2)
AFTER = datetime(2026, 4, 2, 0, 20, tzinfo=UTC)
STEPS = [
    {"id": "letter", "channel": "email", "message": "still_there"},
    {"id": "reminder", "channel": "email", "message": "last_chance", "wait_days": 1},
]
CART: dict[str, Any] = {
    "id": "cart", "name": "Cart", "goal": {"measure": "orders"}, "steps": STEPS, "exits": ["order"],
    "trigger": {"happened": {"type": "cart_abandoned"}}, "re_entry": {"after_days": 0},
}  # fmt: skip
WELCOME = {**CART, "id": "welcome", "trigger": {"entered_audience": {"id": "vip"}}}
MOMENTS = {"moments": [CART, WELCOME], "caps": [{"contacts": 1, "within_days": 1}]}
DECISIONS = DecisionsConfig.model_validate(MOMENTS)
MAILER = {
    "id": "mailer", "kind": "file", "format": "csv", "channel": "email", "identifier": "email", "hashed": False,
    "audiences": ["cart.letter", "cart.reminder", "welcome.letter", "vips.gift"],
}  # fmt: skip
GIFT = {
    "id": "gift", "name": "Gift", "goal": "margin", "channels": ["email"], "margin": 50, "stock": 2,
    "limit": {"contacts": 1, "within_days": 90},
}  # fmt: skip
OFFERS: dict[str, Any] = {
    "offers": [GIFT],
    "points": [{"id": "vips", "audiences": ["vip"], "ranking": "fixed"}],
}
# Without the welcome, so that the cap leaves room for the gift.
BOTH = DecisionsConfig.model_validate({**OFFERS, "moments": [CART]})
COMPARED = (
    "audiences.decision",
    "audiences.journey",
    "audiences.journey_step",
    "audiences.moment",
    "activation.outbox",
    "activation.assignment",
    "activation.holdout",
)


class Day:
    """A day on which things happen, and are looked at."""

    def __init__(self, lake: Lakehouse, decisions: DecisionsConfig = DECISIONS) -> None:
        self.lake = lake
        activation = ActivationConfig.model_validate(
            {"exports": "exports", "destinations": [MAILER]}
        )
        history = SimpleNamespace(session_gap_minutes=30)
        self.config: Any = SimpleNamespace(
            decisions=decisions, activation=activation, history=history
        )
        self.refusing: set[str] = set()
        self.said: set[str] = set()
        self.journeys = Journeys(lake, self.config, lambda _: None, lambda: self.now)

    def batch(self, now: datetime, *, force: bool = False) -> RunReport:
        """A run of the stage."""
        with self.lake.writing("moments"):
            self.lake.log.forget_everything()
            self.lake.log.force = force
            done = stage.run(self.lake, DECISIONS, AS_OF, session_gap_minutes=30, now=now)
            self.lake.log.force = False
            return done

    def look(self, now: str | datetime) -> RunReport | None:
        """A look of the stream."""
        self.now = at(now) if isinstance(now, str) else now
        refused = self.lake.spark.createDataFrame([(name,) for name in self.said], "person_id string")  # fmt: skip
        decider: Any = SimpleNamespace(
            scene=SimpleNamespace(as_of=AS_OF), contacts=self.contacts, refused=lambda: refused
        )
        return self.journeys.advance(decider, nullcontext())

    def contacts(self):
        rows = [(name, f"{name}@example.com") for name in PEOPLE]
        known = self.lake.spark.createDataFrame(rows, "person_id string, email string")
        allowed = ~F.col("person_id").isin(*self.refusing, *self.said, "")
        columns = {f"consent_{channel}": allowed for channel in CHANNELS}
        columns |= {"email_consent_email": allowed, "email_held": F.lit(False)}
        texts = dict.fromkeys(("lifecycle_stage", STRATUM), F.lit("core"))
        groups = dict.fromkeys(("split_group", NEW_GROUP), F.lit("treatment"))
        return known.withColumns({**columns, **texts, **groups, "clv_decile": F.lit(1)})

    def leave_cart(self, person: str, time: str) -> None:
        """Something is put into the cart, and nothing follows."""
        spark, when = self.lake.spark, f"{TODAY} {time}:00"
        visit = {"person_id": person, "channel": "web", "started_at": when, "ended_at": when}
        carts = {"events": 1, "has_cart": True, "has_checkout": False, "has_order": False}
        row = {**visit, **carts, "session_id": f"{person}{time}", "is_cart_abandoned": True}
        self.lake.append(SESSION, SESSION.rows(spark, [row]))
        done = {"person_id": person, "channel": "web", "interaction_type": "cart"}
        touch = {**done, "event_id": f"{person}{time}", "occurred_at": when}
        self.lake.append(INTERACTION, INTERACTION.rows(spark, [touch]))

    def on_journeys(self) -> list[tuple]:
        columns = ("moment_id", "person_id", "entered_on", "ended_on", "end_reason")
        return rows_of(self.lake, "audiences.journey", *columns)

    def steps(self) -> list[tuple]:
        columns = ("moment_id", "person_id", "step_id", "status", "reason")
        rows = rows_of(self.lake, "audiences.journey_step", *columns)
        return [(*names, reason or status) for *names, status, reason in rows]

    def offered(self) -> list[tuple]:
        return rows_of(self.lake, "audiences.decision", "person_id", "offer_id", "channel")

    def told(self) -> list[tuple]:
        rows = self.lake.read_or_empty(OUTBOX).orderBy("audience_id", "person_id", "sequence")
        columns = ("audience_id", "address", "operation")
        return [tuple(row) for row in rows.select(*columns).collect()]


def at(time: str) -> datetime:
    """An instant of today."""
    return datetime.fromisoformat(f"{TODAY}T{time}:00+00:00")


@pytest.fixture(scope="module")
def morning(open_lake, tmp_path_factory) -> Path:
    """The lakehouse once the day was begun. Only copy it."""
    folder = tmp_path_factory.mktemp("morning")
    day = Day(open_lake(folder))
    write_people(day.lake, [AS_OF])
    day.batch(at("06:00"))
    return folder


@pytest.fixture
def day(open_lake, morning: Path, tmp_path: Path) -> Day:
    return Day(open_lake(copy(morning, tmp_path / "day")))


def copy(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


def test_a_cart_counts_once_its_session_is_over_and_an_order_takes_the_person_off(day: Day) -> None:
    day.leave_cart("ann", "10:00")
    early = day.look("10:10")
    assert early is not None, "something was put into the cart"
    assert day.on_journeys() == [], "ann may still order"
    assert day.look("10:20") is None, "nothing has happened since"

    found = day.look("10:31")
    assert found is not None
    counts = {name: found.metrics[name] for name in ("journeys_entered", "steps_sent", "instructions")}  # fmt: skip
    assert counts == {"journeys_entered": 1, "steps_sent": 1, "instructions": 1}
    assert day.on_journeys() == [("cart", "ann", AS_OF, None, None)]
    assert day.steps() == [("cart", "ann", "letter", "sent")]
    assert day.told() == [("cart.letter", "ann@example.com", "add")]
    assert day.look("10:40") is None

    buy(day.lake, "ann", f"{TODAY} 12:00:00")
    day.look("12:01")
    over = [("cart", "ann", AS_OF, AS_OF, "order")]
    assert day.on_journeys() == over
    assert day.steps() == [("cart", "ann", "letter", "sent")], "nobody can take it back"
    gone = [("cart.letter", "ann@example.com", op) for op in ("add", "remove")]
    assert day.told() == gone

    day.leave_cart("ann", "15:00")
    day.look("15:40")
    assert (day.on_journeys(), day.told()) == (over, gone), "the message goes out once"


def test_a_batch_of_the_same_date_keeps_what_was_sent_and_adds_what_the_day_brought(
    day: Day,
) -> None:
    for person, time in (("ann", "10:00"), ("bob", "23:50")):
        day.leave_cart(person, time)
    day.look("10:31")
    buy(day.lake, "ann", f"{TODAY} 12:00:00")
    day.batch(at("12:01"))
    assert day.on_journeys() == [("cart", "ann", AS_OF, AS_OF, "order")]

    day.batch(AFTER)
    expected = [("cart", "ann", AS_OF, AS_OF, "order"), ("cart", "bob", AS_OF, None, None)]
    assert day.on_journeys() == expected
    sent = [("cart", "ann", "letter", "sent"), ("cart", "bob", "letter", "sent")]
    assert day.steps() == sent
    day.batch(AFTER, force=True)
    assert (day.on_journeys(), day.steps()) == (expected, sent), "a rerun comes to the same"
    came = day.lake.read(MOMENT).where("moment_id = 'cart'").collect()
    assert [(r["entered"], r["ended"], r["active"], r["sent"], r["settled_on"]) for r in came] == [
        (2, 1, 1, 2, AS_OF)
    ]


@pytest.mark.slow
def test_the_end_of_the_day_closes_the_sessions_that_were_open(day: Day) -> None:
    day.leave_cart("bob", "23:50")
    day.look("23:59")
    assert day.on_journeys() == []
    day.look(AFTER)

    assert day.on_journeys() == [("cart", "bob", AS_OF, None, None)]
    settled = day.lake.read(MOMENT).select("settled_on").distinct().collect()
    assert [row[0] for row in settled] == [AS_OF]
    assert day.told() == [("cart.letter", "bob@example.com", "add")]


@pytest.mark.slow
def test_caps_count_what_was_sent_today_and_without_consent_nothing_is(day: Day) -> None:
    day.refusing.add("cat")
    for person in ("ann", "cat"):
        day.leave_cart(person, "10:00")
    day.look("10:31")
    enter_audience(day.lake, "vip", "ann", AS_OF)
    day.look("11:00")

    assert day.steps() == [
        ("cart", "ann", "letter", "sent"),
        ("cart", "cat", "letter", "without_consent"),
        ("welcome", "ann", "letter", "capped"),
    ]
    assert day.told() == [("cart.letter", "ann@example.com", "add")]


@pytest.mark.slow
def test_who_refuses_leaves_the_lists_of_steps(day: Day) -> None:
    day.leave_cart("ann", "10:00")
    day.look("10:31")
    day.said.add("ann")
    day.leave_cart("bob", "11:00")
    day.look("11:31")

    assert day.told() == [
        ("cart.letter", "ann@example.com", "add"),
        ("cart.letter", "ann@example.com", "remove"),
        ("cart.letter", "bob@example.com", "add"),
    ]
    assert day.steps()[0] == ("cart", "ann", "letter", "sent")


@pytest.fixture
def offers(lake: Lakehouse) -> Day:
    """A day with a gift for two, and nobody at its decision point."""
    write_people(lake, [AS_OF])
    day = Day(lake, DecisionsConfig.model_validate(OFFERS))
    assert day.look("06:00") is None
    assert day.offered() == []
    return day


def test_who_comes_to_a_decision_point_within_the_day_is_offered_what_is_left(offers: Day) -> None:
    enter_audience(offers.lake, "vip", "ann", AS_OF)
    found = offers.look("09:00")
    assert found is not None
    assert (found.metrics["offers_made"], found.metrics["instructions"]) == (1, 1)
    ann = ("ann", "gift", "email")
    assert offers.offered() == [ann]
    assert offers.told() == [("vips.gift", "ann@example.com", "add")]
    assert offers.look("09:10") is None, "nobody has come since"

    for person in ("ann", "bob", "cat"):
        enter_audience(offers.lake, "slipping" if person == "ann" else "vip", person, AS_OF)
    offers.said.add("ann")
    offers.look("10:00")
    (second,) = {("bob", "gift", "email"), ("cat", "gift", "email")} & set(offers.offered())
    other = "cat" if second[0] == "bob" else "bob"
    assert set(offers.offered()) == {ann, second, (other, "none", None)}, "the stock is two"
    assert set(offers.told()) == {
        ("vips.gift", "ann@example.com", "add"),
        ("vips.gift", "ann@example.com", "remove"),
        ("vips.gift", f"{second[0]}@example.com", "add"),
    }


def test_without_consent_nothing_is_offered_and_other_offers_are_believed_in_anew(
    offers: Day,
) -> None:
    offers.refusing.add("ann")
    enter_audience(offers.lake, "vip", "ann", AS_OF)
    offers.look("09:00")
    assert offers.offered() == [("ann", "none", None)]
    assert offers.told() == []

    more = {**OFFERS, "offers": [GIFT, {**GIFT, "id": "card", "name": "Card"}]}
    restarted = Day(offers.lake, DecisionsConfig.model_validate(more))
    enter_audience(offers.lake, "vip", "bob", AS_OF)
    restarted.look("10:00")
    assert ("bob", "card", "email") in restarted.offered(), "the first by its id"


@pytest.fixture(scope="module")
def noon(open_lake, morning: Path, tmp_path_factory) -> Path:
    """The lakehouse when ann has ordered, whom a step was sent, bob has left a cart, and cat has come for a gift.

    Only copy it.
    """
    folder = copy(morning, tmp_path_factory.mktemp("noon") / "day")
    day = Day(open_lake(folder), BOTH)
    day.leave_cart("ann", "10:00")
    day.look("10:31")
    buy(day.lake, "ann", f"{TODAY} 12:00:00")
    day.leave_cart("bob", "12:00")
    enter_audience(day.lake, "vip", "cat", AS_OF)
    return folder


@pytest.fixture(scope="module")
def undisturbed(open_lake, noon: Path, tmp_path_factory) -> Day:
    """The day after the next look."""
    day = Day(open_lake(copy(noon, tmp_path_factory.mktemp("undisturbed") / "day")), BOTH)
    day.look("12:31")
    assert len(day.told()) == 4
    assert day.offered() == [("cat", "gift", "email")]
    return day


@pytest.mark.slow
@pytest.mark.parametrize(
    "table",
    [
        "audiences.journey_step",
        "audiences.moment",
        "audiences.decision",
        "activation.outbox",
        "ops.run",
    ],
)
def test_a_look_that_ended_between_two_tables_is_taken_again(
    open_lake, noon, undisturbed, tmp_path, monkeypatch, table
) -> None:
    folder = copy(noon, tmp_path / "day")
    end_before(monkeypatch, table)
    with pytest.raises(CrashError):
        Day(open_lake(folder), BOTH).look("12:31")
    monkeypatch.undo()
    killed = Day(open_lake(folder), BOTH)
    killed.look("12:32")

    for name in COMPARED:
        left, right = (contents(one.lake.table(name), name) for one in (undisturbed, killed))
        assert left == right, name
