"""A text that is never shown."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Secret:
    """A secret on its way to where it is used; neither `str` nor `repr` shows it.

    Parameters
    ----------
    value : the text itself; to be used in a call, never kept in a message.
    """

    value: str = field(repr=False)

    def __str__(self) -> str:
        return "<redacted>"
