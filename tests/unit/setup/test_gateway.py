"""What the JVM says reaches people, but for one line that concerns nobody."""

from __future__ import annotations

import os

import pytest

from clvspark.lakehouse.runtime import gateway


def test_only_the_line_on_incubator_modules_is_kept_back(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        b"WARNING: Using incubator modules: jdk.incubator.vector\n",
        b"WARNING: Using incubator modules: jdk.incubator.vector, another\n",
        b"java.lang.OutOfMemoryError: Java heap space\n",
        b"a last line without an end",
    ]
    source, into = os.pipe()
    seen, shown = os.pipe()
    monkeypatch.setattr(gateway, "_STDERR", shown)
    os.write(into, b"".join(said))
    os.close(into)
    gateway._pass_on(source)
    os.close(shown)
    with os.fdopen(seen, "rb") as found:
        assert found.read() == b"".join(said[1:])
