"""Where set-up keeps what it made, and the error it raises."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from clvspark.lakehouse.errors import ClvsparkError


class SetupError(ClvsparkError):
    """The machine lacks something that Spark needs; the message names the next step."""

    exit_code = 8


class MissingJavaError(SetupError):
    """No Java of an accepted version was found."""

    exit_code = 9


def cache_root() -> Path:
    """Return the folder of downloaded and generated files.

    ``CLVSPARK_CACHE`` if set, else ``.cache`` of the checkout, else (an installed wheel) the
    user's cache folder.
    """
    if chosen := os.environ.get("CLVSPARK_CACHE"):
        return Path(chosen).expanduser().absolute()
    checkout = Path(__file__).resolve().parents[3]
    if (checkout / "pyproject.toml").is_file() and (checkout / "tools" / "setup").is_dir():
        return checkout / ".cache"
    return platformdirs.user_cache_path("clvspark")


def write_if_changed(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` to `path` in one step, unless it is there already.

    Several processes may do this at the same time (test workers), so nobody ever sees half a file.
    """
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(mode)
    draft.replace(path)
