"""Several commands of the command line in one process, so that they share one start of Spark.

As a program: ``python commands.py JSON``, the list of the arguments of each command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MARK = "\x1e"


@dataclass(frozen=True)
class Outcome:
    """What a person would see of one command."""

    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        """Standard error without the line breaks of the terminal."""
        return " ".join(self.err.split())


def run_commands(
    commands: Sequence[Sequence[str | Path]],
    *,
    cwd: Path,
    env: dict[str, str],
    timeout: float = 500,
) -> list[Outcome]:
    """Run commands one after the other in one new process, each through the real entry point."""
    asked = json.dumps([[str(argument) for argument in command] for command in commands])
    done = subprocess.run(
        [sys.executable, __file__, asked],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    )
    outs, errs = done.stdout.split(_MARK), done.stderr.split(_MARK)
    codes = [int(text) for text in outs[1::2]]
    return [Outcome(*seen) for seen in zip(codes, outs[0::2], errs, strict=False)]


def _run_here(commands: list[list[str]]) -> None:
    from clvspark import cli

    for arguments in commands:
        sys.argv = ["clvspark", *arguments]
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(1, f"{_MARK}{code}{_MARK}".encode())
        os.write(2, _MARK.encode())


if __name__ == "__main__":
    _run_here(json.loads(sys.argv[1]))
