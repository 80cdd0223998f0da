"""The end of a process between two tables."""

from __future__ import annotations

import pytest

from clvspark.lakehouse import Lakehouse


class CrashError(Exception):
    """The end of a process, as the next one finds it."""


def end_before(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let nothing be written to a table, and nothing at all from then on."""
    ended: list[str] = []

    def ending(write):
        def instead(lake, table, *rest, **more):
            if ended or table.name == name:
                ended.append(table.name)
                raise CrashError(table.name)
            return write(lake, table, *rest, **more)

        return instead

    for method in ("append", "merge", "overwrite"):
        monkeypatch.setattr(Lakehouse, method, ending(getattr(Lakehouse, method)))
