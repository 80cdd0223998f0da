"""What a machine lacks skips a test, but never in CI, and in no other way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.needs import lack, need_module

TESTS = Path(__file__).resolve().parents[2]
SKIPS = re.compile(r"\bpytest\.(?:mark\.)?(?:skip|skipif|importorskip|xfail)\b|\bunittest\.skip")
# The one way, and what is searched for.
THE_WAY = {TESTS / "support" / "needs.py", Path(__file__)}


def test_a_part_that_is_missing_skips_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such part"):
        lack("no such part")
    with pytest.raises(pytest.skip.Exception, match="no_such_module cannot be imported"):
        need_module("no_such_module")


def test_a_part_that_is_missing_fails_a_test_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no such part"):
        lack("no such part")
    with pytest.raises(pytest.fail.Exception, match="no_such_module cannot be imported"):
        need_module("no_such_module")


def test_no_test_is_skipped_in_another_way() -> None:
    files = [file for file in sorted(TESTS.rglob("*.py")) if file not in THE_WAY]
    assert len(files) > 100
    found = {
        str(file.relative_to(TESTS)): SKIPS.findall(file.read_text(encoding="utf-8"))
        for file in files
    }
    assert {name: skips for name, skips in found.items() if skips} == {}
