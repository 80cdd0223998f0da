"""Folders of files that are replaced as a whole: a crash at any moment leaves the old one or the new one."""

from __future__ import annotations

import shutil
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Make the folder and those above it that are missing, for their owner only; one that is there stays as it is."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def building_folder(target: Path) -> Path:
    """Where the successor of `target` is built: beside it, hidden, on the same file system."""
    return target.with_name(f".{target.name}.new")


def swap_folder(target: Path) -> None:
    """Put the finished ``building_folder(target)`` in the place of `target`.

    The old folder is renamed aside, the new one renamed in, the old one removed. After a crash between the two
    renames the old one lies aside whole, and `recover_folder` puts it back.
    """
    _put_back(target)
    if target.exists():
        target.rename(_aside(target))
    building_folder(target).rename(target)
    shutil.rmtree(_aside(target), ignore_errors=True)


def recover_folder(target: Path) -> None:
    """Undo what an interrupted swap of `target` left: the old folder goes back, an unfinished new one away."""
    _put_back(target)
    shutil.rmtree(building_folder(target), ignore_errors=True)


def recover_folders(parent: Path) -> None:
    """`recover_folder` for every folder of `parent`."""
    left = {entry.stem[1:] for entry in parent.glob(".*") if entry.suffix in {".old", ".new"}}
    for name in sorted(left):
        recover_folder(parent / name)


def _aside(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _put_back(target: Path) -> None:
    aside = _aside(target)
    if aside.exists() and target.exists():
        shutil.rmtree(aside)
    elif aside.exists():
        aside.rename(target)
