"""One writer at a time, also over processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clvspark.lakehouse.errors import LockedError
from clvspark.lakehouse.lock import writer_lock

_HOLDER = """
import sys
from pathlib import Path
from clvspark.lakehouse.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "history"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_held_by_another_process_names_it_and_goes_with_it(tmp_path: Path) -> None:
    root = tmp_path / "lakehouse"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = (
            rf"lock is held by process {holder.pid} \(history\) since .* run the command again"
        )
        with pytest.raises(LockedError, match=message), writer_lock(root, "fit"):
            pytest.fail("two writers at once")
        holder.kill()
    with writer_lock(root, "fit"):
        assert (root / "_writer.json").exists()


def test_the_lock_is_released_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), writer_lock(tmp_path, "fit"):
        raise KeyError
    assert not (tmp_path / "_writer.json").exists()
    with writer_lock(tmp_path, "fit"):
        pass


def test_only_the_owner_may_look_into_the_lakehouse(tmp_path: Path) -> None:
    root = tmp_path / "lakehouse"
    with writer_lock(root, "fit"):
        assert root.stat().st_mode & 0o777 == 0o700
        assert (root / "_writer.lock").stat().st_mode & 0o777 == 0o600
