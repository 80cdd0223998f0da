"""The whole check runs every part, fails if one of them does, and ends with pytest's closing lines."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[3] / ".ci" / "run"
PARTS = ["setup", "check", "docs-site", "test", "test-demo", "test-slow"]
# Stands for make: closes like pytest, and fails for the target that FAILING names, and where tests could be skipped.
MAKE = """#!/bin/sh
[ "$CI" = true ] || exit 1
case $1 in test*) echo "=== 3 passed, 1 deselected in 61.20s (0:01:01) ===" ;; esac
[ "$1" != "$FAILING" ]
"""


@pytest.fixture
def check(tmp_path):
    make = tmp_path / "make"
    make.write_text(MAKE)
    make.chmod(0o755)

    def run(failing: str) -> tuple[int, list[list[str]]]:
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "FAILING": failing}
        done = subprocess.run([RUN], env=env, capture_output=True, text=True, check=False)
        return done.returncode, [
            line.split() for line in done.stdout.splitlines()[-1 - len(PARTS) : -1]
        ]

    return run


def test_every_part_runs_and_is_told_with_its_closing_line(check):
    code, lines = check(failing="none")

    assert code == 0
    assert [line[:2] for line in lines] == [[name, "passed"] for name in PARTS]
    assert all(
        line[4:] == ["3", "passed,", "1", "deselected", "in", "61.20s", "(0:01:01)"]
        for line in lines[3:]
    )


@pytest.mark.parametrize("part", PARTS)
def test_one_part_that_fails_fails_the_whole_after_the_others_ran(check, part):
    code, lines = check(failing=part)

    assert code == 1
    assert [line[0] for line in lines if line[1] == "FAILED"] == [part]
    assert len(lines) == len(PARTS)
