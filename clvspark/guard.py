"""The last line of defence of every command: an error becomes one message and an exit code."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import typer

from clvspark import console
from clvspark.lakehouse.errors import ClvsparkError
from clvspark.lakehouse.foreign import name_of, translate

UNEXPECTED = 70
# As shells say it: 128 and the number of the signal.
INTERRUPTED, TERMINATED = 130, 143
# Signals that come together, as from a supervisor and the terminal, are one; whoever still waits may interrupt again.
_SECONDS_TO_END = 10.0
# Typer raises the errors of its own copy of click, older ones those of the package.
_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]


def guarded(call: Callable[[], Any]) -> None:
    """Run a command and exit: errors meant for people become one message, others one line that quotes no data.

    SIGTERM, which schedulers send, ends it like Ctrl-C: jobs are cancelled and what is temporary is removed.
    """
    stopped = _stop_on_signals()
    try:
        code = call()
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except _USAGE_ERROR as error:
        error.show()
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 - the last line of defence
        code = _tell(error)
    if code == INTERRUPTED:  # Typer says it by itself as well
        code = stopped[0] if stopped else INTERRUPTED
        console.err.print(
            "Stopped. Every table is as its last version left it; run the command again to go on.",
            soft_wrap=True,
        )
    sys.exit(code if isinstance(code, int) else 0)


def _stop_on_signals() -> list[int]:
    """Let Ctrl-C and SIGTERM cancel the jobs and raise KeyboardInterrupt; the list gets the exit codes."""
    stopped: list[int] = []
    raised: list[float] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped.append(TERMINATED if number == signal.SIGTERM else INTERRUPTED)
        now = time.monotonic()
        if raised and now - raised[-1] < _SECONDS_TO_END:
            return  # the jobs that run by now are those that note how it ended
        raised.append(now)
        # Py4J logs with its traceback that a call was interrupted.
        logging.disable(logging.CRITICAL)
        # Of a thread of its own: the one that is interrupted may be in the middle of a call to the JVM.
        threading.Thread(target=_cancel_jobs, daemon=True).start()
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return stopped


def _cancel_jobs() -> None:
    # Without PySpark, which takes a second to import, there are none.
    if "pyspark" in sys.modules:
        from clvspark.lakehouse.runtime.gateway import cancel_jobs

        cancel_jobs()


def _tell(error: Exception) -> int:
    """Print the error for people; return its exit code."""
    known = error if isinstance(error, ClvsparkError) else translate(error)
    if os.environ.get("CLVSPARK_DEBUG") and known is not error:
        raise error
    if known is not None:
        console.fail(known)
        return known.exit_code
    # The message of a foreign error may quote data, so only its kind is shown.
    console.err.print(
        f"[bold red]{name_of(error)}[/]: an unexpected fault. Set CLVSPARK_DEBUG=1 to see the traceback.",
        soft_wrap=True,
    )
    return UNEXPECTED
