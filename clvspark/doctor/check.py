"""One check: what is tried, what was found, and how to mend it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from clvspark.lakehouse.errors import ClvsparkError
from clvspark.lakehouse.foreign import name_of, translate

Status = Literal["ok", "missing", "optional", "not examined"]


class NotExamined(Exception):  # noqa: N818 - no fault: there was nothing to try
    """A check has nothing to try: what it is about is not configured, or what it stands on is missing."""


class Missing(ClvsparkError):  # noqa: N818 - the name of what is found
    """What a check looks for is not there; the message says what was found instead, without a secret."""


@dataclass(frozen=True)
class Check:
    """Something an installation may lack.

    Parameters
    ----------
    probe : returns in a few words what it found; any error means that it is missing.
    mend : the next step where it is missing.
    needed : without it nothing runs; else only what `name` says is left out.
    """

    name: str
    probe: Callable[[], str]
    mend: str
    needed: bool = True


@dataclass(frozen=True)
class Finding:
    """What came of one check; `mend` is empty where nothing is to be done."""

    name: str
    status: Status
    found: str
    mend: str
    seconds: float


def examine(checks: Iterable[Check], *, begin: Callable[[str], None]) -> list[Finding]:
    """Try every check, whatever came of those before; `begin` is called with the name of each."""
    found = []
    for check in checks:
        begin(check.name)
        found.append(_try(check))
    return found


def _try(check: Check) -> Finding:
    began = time.monotonic()
    status: Status = "ok"
    mend = ""
    try:
        text = check.probe()
    except NotExamined as reason:
        status, text = "not examined", str(reason)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is missing
        status, text, mend = "missing" if check.needed else "optional", _tell(error), check.mend
    return Finding(check.name, status, text, mend, round(time.monotonic() - began, 3))


def _tell(error: Exception) -> str:
    """An error in words; of a foreign one the kind alone, as its message may quote a connection string."""
    known = error if isinstance(error, ClvsparkError) else translate(error)
    return str(known) if known is not None else name_of(error)
