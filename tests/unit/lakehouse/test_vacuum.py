"""Fault 27: files of versions that somebody may be reading."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.vacuum import maintain_tables


@pytest.mark.parametrize("hours", [-1, 0, 1, 167])
def test_files_that_a_reader_may_need_are_never_removed(hours):
    untouched = SimpleNamespace()  # whatever is asked of it fails

    with pytest.raises(ConfigError, match=r"(?s)--retain-hours.*less than 168.*Allowed: 168"):
        maintain_tables(untouched, retain_hours=hours)
