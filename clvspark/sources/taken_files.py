"""Landing files that ingest has taken: one that is gone is told before its rows are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from clvspark.lakehouse.errors import MissingInputError

# System and path of a mapping; the path of a file below the landing folder.
Taken = tuple[str, str]


def refuse_removed(before: Iterable[Taken], now: Iterable[Taken]) -> None:
    """MissingInputError naming mappings of which files are gone that an earlier ingest has read.

    Tables are built from the files that are there: with a file its sales would go, and the refusals of consent that it
    alone brought. Mappings that are not configured any more are no matter: they were taken out on purpose.
    """
    there = set(now)
    mappings = {mapping for mapping, _ in there}
    gone = sorted(file for file in set(before) - there if file[0] in mappings)
    if not gone:
        return
    example = dict(reversed(gone))
    told = [
        f"{number:,} of {mapping}, e.g. {example[mapping]}"
        for mapping, number in Counter(mapping for mapping, _ in gone).items()
    ]
    raise MissingInputError(
        f"Landing files that were read before are gone: {'; '.join(told)}. What they said would be lost, refusals of "
        "consent as well; nothing was written. Put them back; or, if it is to be lost, set "
        "'sources.removed_files: accept' for one run."
    )
