"""Fault 33, a webhook that misbehaves: what is sent again, under which key, for how long, and when one stops asking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.webhook import CUT, HANG, TAKE_AND_CUT, Step, Webhook, webhook

from clvspark.activation.destinations.http.courier import Courier, judge_status, read_wait
from clvspark.activation.destinations.http.requests import Batch, cut_batches
from clvspark.activation.destinations.secret import Secret
from clvspark.activation.destinations.settings import HttpDestination


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def destination(**change: Any) -> HttpDestination:
    given = {
        "id": "crm", "kind": "http", "url": "http://localhost/", "channel": "email", "identifier": "email",
        "hashed": False, "audiences": ["top"], "timeout_seconds": 0.2, "backoff_seconds": 1,
    }  # fmt: skip
    return HttpDestination.model_validate(given | change)


def line(number: int, operation: str = "add", audience: str = "top") -> dict[str, Any]:
    return {
        "audience_id": audience, "outbox_id": f"o{number}", "operation": operation,
        "email": f"p{number}@example.org", "clv_decile": 1, "clv": 2.0, "lifecycle_stage": "core",
    }  # fmt: skip


def deliver(
    hook: Webhook, batches: list[Batch], clock: Clock, **change: Any
) -> dict[str, tuple[str, str | None]]:
    courier = Courier(
        destination(**change),
        Secret(hook.url),
        {},
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 1,
    )
    results = [result for batch in batches for result in courier.deliver(batch)]
    assert sorted(id_ for id_, _, _ in results) == sorted(id_ for b in batches for id_ in b.ids)
    return {id_: (outcome, reason) for id_, outcome, reason in results}


ONE = [Batch([line(1)])]


@pytest.mark.parametrize("step", [408, 423, 429, 500, 502, 503, HANG, CUT, TAKE_AND_CUT], ids=str)
def test_what_may_succeed_later_is_sent_again_under_the_same_key_and_counts_once(
    step: Step,
) -> None:
    clock = Clock()
    with webhook(script=[step, step], hang_seconds=0.5) as hook:
        assert deliver(hook, ONE, clock) == {"o1": ("accepted", None)}
        assert len(hook.keys) == 3
        assert len(set(hook.keys)) == 1
        assert hook.applied == Counter({"o1": 1})
    assert clock.slept == [1, 2], "doubled"


def test_a_server_says_how_long_to_wait() -> None:
    clock = Clock()
    with webhook(script=[(429, "7"), (503, "0")]) as hook:
        assert deliver(hook, ONE, clock) == {"o1": ("accepted", None)}
    assert clock.slept == [7, 2]


def test_what_fails_to_the_last_attempt_has_failed_and_tells_why() -> None:
    for step, reason in ((500, "http_500"), (HANG, "timeout"), (CUT, "connection")):
        with webhook(script=[step] * 3, hang_seconds=0.5) as hook:
            assert deliver(hook, ONE, Clock(), attempts=3) == {"o1": ("failed", reason)}
            assert len(hook.requests) == 3


def test_who_is_not_there_is_asked_again_and_has_failed() -> None:
    gone = Webhook(url="http://127.0.0.1:9/hook")
    assert deliver(gone, ONE, Clock(), attempts=2) == {"o1": ("failed", "connection")}


def test_one_line_that_is_not_taken_leaves_the_others_of_its_batch_delivered() -> None:
    lines = [line(n) for n in range(7)]
    with webhook(poison={"p3@example.org"}) as hook:
        outcomes = deliver(hook, [Batch(lines)], Clock())
        assert outcomes.pop("o3") == ("rejected", "http_422")
        assert set(outcomes.values()) == {("accepted", None)}
        assert hook.held == {"top": {f"p{n}@example.org" for n in range(7) if n != 3}}
        assert len(set(hook.keys)) == len(hook.keys), "another set of lines is another key"


def test_where_no_line_is_taken_it_is_not_the_lines_that_are_wrong() -> None:
    batches = [Batch([line(n) for n in range(20)]), Batch([line(99)])]
    with webhook(script=[400] * 100) as hook:
        outcomes = deliver(hook, batches, Clock())
        assert outcomes.pop("o99") == ("waiting", "circuit_open")
        assert set(outcomes.values()) == {("failed", "http_400")}
        assert len(hook.requests) < 25


@pytest.mark.parametrize("status", [301, 401, 403, 404, 501])
def test_who_refuses_everything_is_not_asked_again_and_no_line_is_to_blame(status: int) -> None:
    with webhook(script=[status]) as hook:
        outcomes = deliver(hook, [*ONE, Batch([line(2)])], Clock())
        assert outcomes == {
            "o1": ("waiting", f"http_{status}"),
            "o2": ("waiting", "circuit_open"),
        }
        assert len(hook.requests) == 1


def test_an_open_circuit_is_tried_once_after_a_pause() -> None:
    batches = [Batch([line(n)]) for n in range(6)]
    settings = {"attempts": 2, "breaker_failures": 2, "breaker_seconds": 60}
    clock = Clock()
    with webhook(script=[500] * 5) as hook:
        outcomes = deliver(hook, batches, clock, **settings)
        assert [outcomes[f"o{n}"][0] for n in range(6)] == ["failed"] * 3 + ["waiting"] * 3
        assert len(hook.requests) == 5, "two attempts each, and one after the pause"
    assert 60 in clock.slept
    with webhook(script=[500] * 4) as hook:
        outcomes = deliver(hook, batches, Clock(), **settings)
        assert [outcomes[f"o{n}"][0] for n in range(6)] == ["failed"] * 2 + ["accepted"] * 4


def test_a_run_gives_up_when_its_time_is_over() -> None:
    clock = Clock()
    with webhook(script=[(503, "3600")]) as hook:
        assert deliver(hook, ONE, clock, give_up_seconds=60) == {"o1": ("failed", "http_503")}
    assert clock.now < 60
    clock = Clock()
    with webhook() as hook:
        batches = [Batch([line(n)]) for n in range(4)]
        outcomes = deliver(hook, batches, clock, give_up_seconds=2.5, requests_per_second=1)
        assert [outcomes[f"o{n}"][0] for n in range(4)] == ["accepted"] * 3 + ["waiting"]


def test_a_rate_is_kept_by_all_tasks_together() -> None:
    clock = Clock()
    with webhook() as hook:
        batches = [Batch([line(n)]) for n in range(3)]
        deliver(hook, batches, clock, requests_per_second=4, parallel=2)
    assert clock.slept == [0.5, 0.5]


def test_headers_carry_secrets_that_nothing_shows() -> None:
    secret = Secret("Bearer s3cret")
    with webhook() as hook:
        courier = Courier(
            destination(headers={"X-App": "clv"}), Secret(hook.url), {"Authorization": secret}
        )
        list(courier.deliver(ONE[0]))
        headers = hook.requests[0].headers
    assert (headers["Authorization"], headers["X-App"]) == ("Bearer s3cret", "clv")
    assert "s3cret" not in f"{secret} {secret!r} {courier!r}"
    assert hook.url not in repr(courier)


def test_retry_after_is_a_number_or_a_date() -> None:
    now = datetime(2026, 4, 1, 12, 0, 0, tzinfo=UTC)
    assert read_wait("120", now) == 120
    assert read_wait("Wed, 01 Apr 2026 12:00:30 GMT", now) == 30
    assert read_wait("Wed, 01 Apr 2026 11:00:00 GMT", now) == 0
    assert read_wait("soon", now) == read_wait(None, now) == 0


def test_every_status_has_a_verdict() -> None:
    again = {status for status in range(100, 600) if judge_status(status) == "again"}
    assert again == {408, 423, 429, *range(500, 600)} - {501}
    assert {s for s in range(100, 600) if judge_status(s) == "accepted"} == set(range(200, 300))


@given(
    audiences=st.lists(st.sampled_from("abc"), max_size=30).map(sorted),
    rows=st.integers(1, 7),
)
def test_batches_hold_every_line_once_and_agree(audiences: list[str], rows: int) -> None:
    lines = [line(n, audience=name) for n, name in enumerate(audiences)]
    batches: Iterator[Batch] = cut_batches(lines, ["audience_id"], rows)
    kept = list(batches)
    assert [one for batch in kept for one in batch.lines] == lines
    assert all(len({one["audience_id"] for one in batch.lines}) == 1 for batch in kept)
    assert all(len(batch.lines) <= rows for batch in kept)


@given(script=st.lists(st.sampled_from([500, 429, CUT, TAKE_AND_CUT, 200]), max_size=12))
def test_whatever_the_receiver_does_it_has_each_change_at_most_once_and_all_that_were_accepted(
    script: list[Step],
) -> None:
    """Runs are repeated with what was not accepted, as the outbox does."""
    left = [line(n) for n in range(5)]
    with webhook(script=list(script)) as hook:
        for _ in range(20):
            batches = list(cut_batches(left, [], 2))
            outcomes = deliver(hook, batches, Clock(), attempts=2, breaker_seconds=0)
            left = [one for one in left if outcomes[one["outbox_id"]][0] != "accepted"]
            if not left:
                break
        assert left == []
        assert hook.applied == Counter({f"o{n}": 1 for n in range(5)})
        assert hook.held == {"top": {f"p{n}@example.org" for n in range(5)}}
