"""Make a virtual environment with pip in it, also where the distribution left out the usual way."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# Debian and its kin keep the wheels of ensurepip here, sometimes without ensurepip.
SYSTEM_WHEELS = Path("/usr/share/python-wheels")


class SetupError(Exception):
    """The machine lacks something that set-up cannot bring; the message names the next step."""


def ensure(venv: Path) -> None:
    """Make `venv` a working environment with pip, using the running interpreter if it is new."""
    if _works(venv, "import pip"):
        return
    if venv.exists():
        print(f"{venv.name} does not work (was its Python removed?): making it anew", flush=True)
        shutil.rmtree(venv)
    base = _base_interpreter()
    for attempt in ways(base, venv):
        if all(_succeeds(command) for command in attempt) and _works(venv, "import pip"):
            return
        shutil.rmtree(venv, ignore_errors=True)
    raise SetupError(
        f"{base} can neither make a virtual environment nor find a pip for it. Install one of "
        "them, for example with 'apt install python3-venv', then run the same command again."
    )


def ways(base: str, venv: Path) -> Iterator[list[list[str]]]:
    """Yield the ways to make `venv` with a pip, the usual one first, each a list of commands."""
    bare = [base, "-m", "venv", "--without-pip", str(venv)]
    inside = str(venv / "bin" / "python")
    if importlib.util.find_spec("ensurepip"):
        yield [[base, "-m", "venv", str(venv)]]
    if importlib.util.find_spec("pip"):
        yield [bare, [base, "-m", "pip", "--python", inside, "install", "--quiet", "pip"]]
    for wheel in sorted(SYSTEM_WHEELS.glob("pip-*.whl")):
        yield [bare, [inside, f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)]]
    if importlib.util.find_spec("virtualenv"):
        yield [[base, "-m", "virtualenv", "--quiet", str(venv)]]
    if uv := shutil.which("uv"):
        yield [[uv, "venv", "--quiet", "--seed", "--python", base, str(venv)]]


def _base_interpreter() -> str:
    # Started by the old environment's Python, the new one must not hang on its links.
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _works(venv: Path, statement: str) -> bool:
    python = venv / "bin" / "python"
    return python.exists() and _succeeds([str(python), "-c", statement])


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
