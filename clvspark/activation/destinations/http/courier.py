"""Sends batches one after the other: at a rate, repeated with growing pauses, until the time is over."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from clvspark.activation.destinations.http.breaker import Breaker
from clvspark.activation.destinations.http.requests import Batch, Request, build_request
from clvspark.activation.destinations.secret import Secret
from clvspark.activation.destinations.sender import Outcome
from clvspark.activation.destinations.settings import HttpDestination

Verdict = Literal["accepted", "content", "again", "refused"]
Result = tuple[str, Outcome, str | None]
# Answers that another attempt may change, and those that are about what was sent.
_AGAIN = {408, 423, 429}
_NOT_IMPLEMENTED = 501
_CONTENT = {400, 409, 413, 422}
# Single lines of one batch that are not taken before one believes that no line of it would be.
_ENOUGH_REJECTED = 8
_READ_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """What came of one request: a verdict, why, and how long the server asks to wait."""

    verdict: Verdict
    reason: str | None = None
    wait_seconds: float = 0.0


def judge_status(status: int) -> Verdict:
    """What a status says: 408, 423, 429 and 5xx but 501 may change, 400, 409, 413 and 422 are about the lines."""
    if 200 <= status < 300:
        return "accepted"
    if status in _AGAIN or (status >= 500 and status != _NOT_IMPLEMENTED):
        return "again"
    return "content" if status in _CONTENT else "refused"


def read_wait(header: str | None, now: datetime) -> float:
    """Seconds that a ``Retry-After`` asks to wait, given as a number or as a date; 0 where it says nothing."""
    if header is None:
        return 0.0
    text = header.strip()
    if text.isdigit():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return 0.0


@dataclass
class Courier:
    """Sends the batches of one task.

    Parameters
    ----------
    url, secrets : address and headers that are never shown.
    clock, sleep, jitter : of the machine; tests bring their own.
    """

    destination: HttpDestination
    url: Secret
    secrets: Mapping[str, Secret]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    _next: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Begin to count time."""
        to = self.destination
        self._pool = urllib3.PoolManager(retries=False, timeout=to.timeout_seconds)
        self._breaker = Breaker(to.breaker_failures, to.breaker_seconds)
        self._deadline = self.clock() + to.give_up_seconds

    def deliver(self, batch: Batch) -> Iterator[Result]:
        """Send a batch, in halves where a line of it is not taken; an outcome for each of its lines."""
        if not self._may_try():
            yield from _all(
                batch, "waiting", "circuit_open" if self._breaker.is_over else "time_over"
            )
            return
        answer = self._insist(batch)
        if answer.verdict == "content":
            yield from self._isolate(batch, answer)
        else:
            yield from _all(batch, self._note(answer), answer.reason)

    def _note(self, answer: Answer) -> Outcome:
        """Tell the circuit of an answer; what lines that were not refused for themselves come to by it.

        Who refuses whatever is sent (no right, no such address) is not asked again, and no line is to blame.
        """
        if answer.verdict == "accepted":
            self._breaker.note_success()
            return "accepted"
        if answer.verdict == "again":
            self._breaker.note_failure()
            return "failed"
        self._breaker.end()
        return "waiting"

    def _isolate(self, batch: Batch, answer: Answer) -> Iterator[Result]:
        """Find the lines that are not taken; the others are.

        Where the first few single lines are all refused it is not they that are wrong: nothing is given up for good.
        """
        self._breaker.note_success()
        results: dict[str, Result] = {}
        parts, rejected = [batch], 0
        while parts:
            part = parts.pop()
            if part is not batch:
                answer = self._insist(part)
            if answer.verdict != "content":
                outcome = self._note(answer)
                results |= {id_: (id_, outcome, answer.reason) for id_ in part.ids}
                if outcome != "accepted":
                    break
            elif len(part.lines) > 1:
                parts += reversed(part.halves())
            else:
                rejected += 1
                results[part.ids[0]] = (part.ids[0], "rejected", answer.reason)
                if rejected >= _ENOUGH_REJECTED and not _any_accepted(results):
                    self._breaker.end()
                    results.clear()
                    break
        left = [id_ for id_ in batch.ids if id_ not in results]
        results |= {id_: (id_, "failed", answer.reason) for id_ in left}
        yield from results.values()

    def _may_try(self) -> bool:
        """Whether there is a circuit and time for another batch; waits for the end of a pause."""
        if self._breaker.is_over or max(self.clock(), self._next) >= self._deadline:
            return False
        if self._breaker.is_open:
            if self.clock() + self._breaker.pause_seconds >= self._deadline:
                return False
            self.sleep(self._breaker.pause_seconds)
        return True

    def _insist(self, batch: Batch) -> Answer:
        """Send one request until it is answered for good, the attempts are used up, or the time is over."""
        to = self.destination
        request = build_request(batch, to, self.url.value)
        answer = Answer("again", "time_over")
        attempts = 1 if self._breaker.is_open else to.attempts
        for attempt in range(attempts):
            self._keep_rate()
            answer = self._ask(request, batch.key)
            if answer.verdict != "again" or attempt + 1 == attempts:
                return answer
            longest = min(to.longest_backoff_seconds, to.backoff_seconds * 2**attempt)
            wait = max(answer.wait_seconds, longest * (0.5 + self.jitter() / 2))
            if self.clock() + wait >= self._deadline:
                return answer
            self.sleep(wait)
        return answer

    def _keep_rate(self) -> None:
        """Wait for this task's turn: all tasks together keep the rate."""
        rate = self.destination.requests_per_second
        if rate is None:
            return
        now = self.clock()
        if now < self._next:
            self.sleep(self._next - now)
        self._next = max(now, self._next) + self.destination.parallel / rate

    def _ask(self, request: Request, key: str) -> Answer:
        headers = {
            "Content-Type": "application/json",
            **self.destination.headers,
            **{name: secret.value for name, secret in self.secrets.items()},
            self.destination.key_header: key,
        }
        try:
            response = self._pool.request(
                request.method,
                request.url,
                body=request.body,
                headers=headers,
                redirect=False,
                preload_content=False,
            )
            try:
                response.read(_READ_BYTES)  # so that the connection can be used again
            finally:
                response.release_conn()
        except HTTPError as error:
            is_late = isinstance(error, HTTPTimeoutError) and not isinstance(
                error, NewConnectionError
            )
            return Answer("again", "timeout" if is_late else "connection")
        verdict = judge_status(response.status)
        wait = read_wait(response.headers.get("Retry-After"), datetime.now(UTC))
        return Answer(verdict, None if verdict == "accepted" else f"http_{response.status}", wait)


def _all(batch: Batch, outcome: Outcome, reason: str | None) -> Iterator[Result]:
    return ((id_, outcome, reason) for id_ in batch.ids)


def _any_accepted(results: Mapping[str, Result]) -> bool:
    return any(outcome == "accepted" for _, outcome, _ in results.values())
