"""What the JVM says reaches people, but for lines that concern nobody."""

from __future__ import annotations

import os

import pytest

from clvspark.lakehouse.runtime import gateway

INCUBATOR = b"WARNING: Using incubator modules: jdk.incubator.vector"


@pytest.mark.parametrize(
    ("noise", "said", "kept"),
    [
        (
            gateway._INCUBATOR,
            [
                INCUBATOR + b"\n",
                INCUBATOR + b", another\n",
                b"OutOfMemoryError: Java heap space\n",
                b"no end",
            ],
            slice(1, None),
        ),
        (
            gateway._VACUUMED,
            [
                b"Deleted 0 files and directories in a total of 3 directories.\n",
                b"Batch: 1\n",
                b"Deleted all\n",
            ],
            slice(1, None),
        ),
    ],
    ids=["incubator", "vacuum"],
)
def test_only_what_concerns_nobody_is_kept_back(noise, said, kept) -> None:
    seen, shown = os.pipe()
    writing = gateway._filtered(shown, noise)
    os.write(writing, b"".join(said))
    os.close(writing)
    wanted = b"".join(said[kept])
    found = b""
    while len(found) < len(wanted):
        found += os.read(seen, 1000)
    os.close(shown)
    with os.fdopen(seen, "rb") as rest:
        assert found + rest.read() == wanted
