"""A Griffe extension of the documentation site: what stands beside a parameter in our docstrings is what it means.

Numpydoc takes ``name : text`` for a type; types are in the signatures, where the site finds them.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-{3,}$|\Z)", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*) : (.*)$", re.MULTILINE)


class ParameterTexts(griffe.Extension):  # type: ignore[misc]
    """Puts the text of each parameter where numpydoc has descriptions."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Rewrite the docstring of a class or function before it is parsed."""
        if obj.docstring is not None:
            obj.docstring.value = put_texts_below(obj.docstring.value)


def put_texts_below(docstring: str) -> str:
    """The docstring with ``name : text`` of its parameters as ``name`` and, below it, the text."""

    def below(section: re.Match[str]) -> str:
        return _ENTRY.sub(r"\1\n    \2", section[0])

    return _SECTION.sub(below, docstring)
