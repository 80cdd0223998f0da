"""One writer at a time on a local lakehouse.

Delta's log on a local file system is only safe within one JVM, so path mode takes an operating-system
lock for as long as a command writes. The lock goes with the process, also when it is killed.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from clvspark.lakehouse.errors import ConfigError, LockedError

LOCK_FILE = "_writer.lock"


@contextmanager
def writer_lock(root: Path, command: str, *, patience_seconds: float = 0) -> Iterator[None]:
    """Hold the lakehouse at `root` for writing.

    Raises LockedError naming the holder if it is still taken after `patience_seconds`, ConfigError if the folder
    cannot be written.
    """
    holder = root / "_writer.json"
    lock = FileLock(root / LOCK_FILE, mode=0o600)
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=patience_seconds)
    except Timeout:
        raise LockedError(_describe(root, holder)) from None
    except OSError as error:
        fault = (
            f"the folder {root} cannot be written ({error.strerror}); "
            "choose another one, mend its permissions, or run the command in a folder of your own"
        )
        raise ConfigError("lakehouse.root", [fault]) from None
    try:
        holder.write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "command": command,
                    "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                }
            )
        )
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def refuse_if_locked(root: Path, command: str) -> None:
    """LockedError if another process writes to the lakehouse at `root` now; a folder without a lock stays as it is."""
    if (root / LOCK_FILE).exists():
        with writer_lock(root, command):
            pass


def is_locked(root: Path) -> bool:
    """Whether another process writes to the lakehouse at `root` now."""
    try:
        refuse_if_locked(root, "status")
    except LockedError:
        return True
    return False


def _describe(root: Path, holder: Path) -> str:
    try:
        held = json.loads(holder.read_text())
        by = f"process {held['pid']} ({held['command']}) since {held['since']}"
    except (OSError, ValueError, KeyError):
        by = "another process"
    return (
        f"The lakehouse {root} is locked for writing: the lock is held by {by}. "
        "Wait for it to end, then run the command again."
    )
