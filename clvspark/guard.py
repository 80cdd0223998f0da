"""The last line of defence of every command: an error becomes one message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import typer

from clvspark import console
from clvspark.lakehouse.errors import ClvsparkError
from clvspark.lakehouse.foreign import translate

UNEXPECTED = 70
# As shells say it: 128 and the number of the signal.
INTERRUPTED, TERMINATED = 130, 143
# Typer raises the errors of its own copy of click, older ones those of the package.
_USAGE_ERROR: Any = typer.BadParameter.__bases__[0]


def guarded(call: Callable[[], Any]) -> None:
    """Run a command and exit: errors meant for people become one message, others one line that quotes no data.

    SIGTERM, which schedulers send, ends it like Ctrl-C: jobs are cancelled and what is temporary is removed.
    """
    stopped = []

    def stop(_: int, frame: FrameType | None) -> None:
        stopped.append(TERMINATED)
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):
            interrupt(signal.SIGINT, frame)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
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
        f"[bold red]{type(error).__name__}[/]: an unexpected fault. Set CLVSPARK_DEBUG=1 to see the traceback.",
        soft_wrap=True,
    )
    return UNEXPECTED
