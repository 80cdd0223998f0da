"""Which mapping a landing file is of, told by its name, and whether it was taken before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

from pyspark.sql import functions as F

from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.files import FoundFile, qualify
from clvspark.sources.config import SourcesConfig
from clvspark.sources.intake import Drop
from clvspark.sources.landing import resolve_landing
from clvspark.sources.map_rows import name_drop
from clvspark.sources.tables import FILE


def sort_files(lake: Lakehouse, sources: SourcesConfig, paths: Sequence[str]) -> list[Drop]:
    """Files by the mapping whose path they match; what matches none is nobody's, as in a batch, and left out."""
    landing = resolve_landing(sources.landing)
    start = qualify(lake.spark, landing).rstrip("/") + "/"
    plain = {path: _without_scheme(path).removeprefix(_without_scheme(start)) for path in paths}
    found: dict[tuple[str, str], list[FoundFile]] = defaultdict(list)
    drops = {(s.system, f.path): f for s in sources.systems for f in s.files}
    for below in sorted(plain.values()):
        for key in drops:
            if _matches(lake.spark, key[1], below):
                # Neither size nor age is asked for: a file of the stream is read once.
                found[key].append(FoundFile(f"{start}{below}", 1, 0))
    return [
        Drop(landing, system, drops[system, glob], files, [], [])
        for (system, glob), files in found.items()
    ]


def leave_taken(lake: Lakehouse, drops: Sequence[Drop]) -> list[Drop]:
    """The drops without files that a batch, or an earlier micro-batch, has taken."""
    names = {(drop.name, name) for drop in drops for name in drop.names(lake)}
    if not names or not lake.exists(FILE):
        return list(drops)
    asked = F.col("file_name").isin(*{name for _, name in names})
    taken = {tuple(row) for row in lake.read(FILE).where(asked).collect()}
    left = []
    for drop in drops:
        mapping = name_drop(drop.system, drop.spec)
        files = [
            file
            for file, name in zip(drop.files, drop.names(lake), strict=True)
            if (mapping, name) not in taken
        ]
        if files:
            left.append(Drop(drop.landing, drop.system, drop.spec, files, [], []))
    return left


def _without_scheme(path: str) -> str:
    """A path as it is however its scheme is spelt: file:/a, file:///a."""
    return re.sub(r"^(\w+):/+", r"\1:/", path)


@cache
def _pattern(spark: Any, part: str) -> Any:
    glob = spark.sparkContext._jvm.org.apache.hadoop.fs.GlobPattern  # noqa: SLF001 - Hadoop has no Python door
    return glob(part)


def _matches(spark: Any, glob: str, path: str) -> bool:
    """Whether a path below the landing folder is one of a glob, folder by folder, as Hadoop lists them."""
    parts, names = glob.split("/"), path.split("/")
    if len(parts) != len(names) or any(name.startswith(("_", ".")) for name in names):
        return False
    return all(_pattern(spark, part).matches(name) for part, name in zip(parts, names, strict=True))
