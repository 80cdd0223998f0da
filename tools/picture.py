"""Render the top of a report page to a PNG with a headless Chromium: ``picture.py PAGE.html IMAGE.png [HEIGHT]``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, HEIGHT = 1280, 1560
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--virtual-time-budget=20000",  # charts draw themselves; the clock of the page runs ahead until they have
)


def find_browser() -> str | None:
    """The browser that CHROMIUM names, else the first one on the PATH."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, BROWSERS)), None)


def main(page: Path, image: Path, height: int = HEIGHT) -> int:
    """Write the image whole or not at all; 0 when it is there."""
    browser = find_browser()
    if browser is None:
        print(
            f"error: no browser found (looked for {', '.join(BROWSERS)}). Install Chromium, for example with "
            "'apt install chromium', or name one: CHROMIUM=/path/to/chrome make picture",
            file=sys.stderr,
        )
        return 1
    if not page.is_file():
        print(f"error: {page} does not exist. Next step: make demo", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "page.png"
        size = f"--window-size={WIDTH},{height}"
        profile = f"--user-data-dir={folder}/profile"
        command = [
            browser,
            *FLAGS,
            profile,
            size,
            f"--screenshot={draft}",
            page.absolute().as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        if not draft.is_file():
            print(f"error: {browser} made no picture:\n{done.stderr[-2000:]}", file=sys.stderr)
            return 1
        image.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(draft, image)
    print(f"{image}: {WIDTH} x {height}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:])))
