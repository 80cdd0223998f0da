"""Parts that a machine may lack: a test that needs one is skipped there, and fails in CI, which must have them all."""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest


def lack(reason: str) -> NoReturn:
    """End the test, as this machine lacks what it needs: skipped, or failed where the variable CI is set."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have every part, and lacks one: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def need_module(name: str) -> ModuleType:
    """A module of a package that there are no wheels of for some machines."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        lack(f"{name} cannot be imported ({error}); it comes with the extra 'dev'")
