"""A circuit breaker: who does not answer is left alone for a while, then asked once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Breaker:
    """Counts failures in a row; after so many of them the circuit is open.

    Parameters
    ----------
    failures : in a row, after which it opens.
    pause_seconds : how long nothing is tried before one attempt decides: it closes the circuit, or ends it.
    """

    failures: int
    pause_seconds: float
    failed: int = 0
    is_over: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the next attempt must wait for the pause."""
        return self.failed >= self.failures

    def note_success(self) -> None:
        """An answer: everything is as at the beginning."""
        self.failed = 0

    def note_failure(self) -> None:
        """No answer; the attempt after a pause was the last."""
        self.is_over |= self.is_open
        self.failed += 1

    def end(self) -> None:
        """Ask no more in this run."""
        self.is_over = True
