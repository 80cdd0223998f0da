"""The cache of JARs: filled once, checked at every session start, never resolved there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock

from clvspark.lakehouse.runtime.cache import SetupError, cache_root
from clvspark.lakehouse.runtime.ivy import download
from clvspark.lakehouse.runtime.pins import DELTA_VERSION, Jar, pinned_jars

_MANIFEST = "manifest.json"
_NEXT_STEP = "run `make setup` (or `python -m clvspark.lakehouse.runtime`) with a network"


def jar_paths() -> list[Path]:
    """Return the JARs for ``spark.jars``: Delta, Kafka, PostgreSQL, Splink's similarity functions.

    Reads only the cache. Raises SetupError when a file is missing or has another size than when
    it was downloaded.
    """
    folder = jar_folder()
    manifest = folder / _MANIFEST
    if not manifest.is_file():
        raise SetupError(f"{folder}: the JARs of Spark's connectors are not there; {_NEXT_STEP}")
    expected = json.loads(manifest.read_text(encoding="utf-8"))
    damaged = [name for name, facts in expected.items() if _size(folder / name) != facts["bytes"]]
    if damaged:
        raise SetupError(
            f"{folder}: {', '.join(damaged)} missing or cut short; delete the folder, "
            f"then {_NEXT_STEP}"
        )
    return [folder / name for name in expected]


def ensure_jars(report: Callable[[str], None] = print) -> list[Path]:
    """Return `jar_paths()`, after downloading what is not in the cache; `report` gets progress."""
    folder = jar_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / ".lock"):
        if not _is_whole(folder):
            _fill(folder, report)
    return jar_paths()


def jar_folder() -> Path:
    """Return the cache folder of the installed versions, so that an upgrade never mixes JARs."""
    parts = {"spark": version("pyspark"), "delta": DELTA_VERSION, "splink": version("splink")}
    return cache_root() / "jars" / "-".join(f"{name}-{value}" for name, value in parts.items())


def missing_jars(shipped: Path) -> list[Jar]:
    """Return the pinned JARs that the folder `shipped` (pyspark's own) has in no version.

    Two versions of one library on a class path are a lottery, so Spark's own wins.
    """
    names = {re.sub(r"-\d[^_]*\.jar$", "", path.name) for path in shipped.glob("*.jar")}
    return [jar for jar in pinned_jars() if jar.name not in names]


def sha256_of(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_whole(folder: Path) -> bool:
    try:
        return bool(jar_paths())
    except SetupError:
        shutil.rmtree(folder, ignore_errors=True)
        return False


def _fill(folder: Path, report: Callable[[str], None]) -> None:
    jars = missing_jars(_package_folder("pyspark") / "jars")
    report(f"Downloading {len(jars)} JARs (Delta {DELTA_VERSION}, Kafka, PostgreSQL), 24 MB")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".filling-") as name:
        filling = Path(name) / folder.name
        filling.mkdir()
        download(jars, into=filling)
        for jar in jars:
            _verify(filling / jar.file_name, jar.sha256)
        shutil.copy(_similarity_jar(), filling)
        manifest = {
            path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for path in sorted(filling.glob("*.jar"))
        }
        (filling / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        filling.replace(folder)
    report(f"{len(manifest)} JARs are in {folder}")


def _verify(path: Path, expected: str | None) -> None:
    if expected and sha256_of(path) != expected:
        raise SetupError(
            f"{path.name}: the downloaded file is not the one the project was tested with "
            f"(SHA-256 is not {expected}); ask whoever runs your repository mirror"
        )


def _similarity_jar() -> Path:
    # Importing Splink takes seconds, which only this set-up pays: sessions use the copy.
    from splink.backends.spark import similarity_jar_location

    return Path(similarity_jar_location())


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SetupError(f"the package {package} is not installed; run: pip install clvspark")
    return Path(spec.origin).parent


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1
