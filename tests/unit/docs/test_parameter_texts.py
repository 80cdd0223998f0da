"""Texts of parameters are told as texts on the site, not as types."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOL = Path(__file__).resolve().parents[3] / "tools" / "site_docstrings.py"

DOCSTRING = """Resolves records.

Parameters
----------
engine : local, or ``auto``: local where
    Spark runs in one process.
first, second : of both.

Raises
------
Error : where it fails.
"""


def test_texts_of_parameters_stand_below_their_names_and_nothing_else_is_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What builds the site has an environment of its own.
    monkeypatch.setitem(sys.modules, "griffe", SimpleNamespace(Extension=object))
    spec = importlib.util.spec_from_file_location("site_docstrings", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    found = tool.put_texts_below(DOCSTRING)

    assert "engine\n    local, or ``auto``: local where\n    Spark runs" in found
    assert "first, second\n    of both." in found
    assert "Error : where it fails." in found
    assert tool.put_texts_below("Nothing : here.") == "Nothing : here."
