"""A small log whose summary can be told by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

ROWS = """who,when,amount
ann,2024-01-01,10
ann,2024-01-08,20.50
ann,2024-01-08,4.50
ann,2024-01-22,30
bob,2024-01-15,7
bob,2024-02-19,9
cat,2024-01-29,0
dan,2024-02-12,5
"""


@pytest.fixture
def write_log(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str = ROWS, name: str = "log.csv") -> Path:
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write
