"""The wheel, built from this checkout and installed into a folder, with nothing else of the project."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support.shops import ROOT, environment


def install_wheel(folder: Path) -> Path:
    """Build the wheel in `folder`, without a network; the folder that it is installed into."""
    build = ["build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    run([sys.executable, "-m", *build], folder)
    (wheel,) = folder.glob("clvspark-*.whl")
    install = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder / "site"]
    run([sys.executable, "-m", *install, wheel], folder)
    return folder / "site"


def run(
    command: Sequence[str | Path], cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env=variables or environment(), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done
