"""The demo of an installed wheel, outside the checkout and without a network."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.needs import lack
from support.shops import ROOT, environment
from support.wheel import install_wheel, run

from clvspark.lakehouse import runtime

if sys.platform != "linux":
    lack("network namespaces are Linux's")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]
MAIN = "import clvspark.cli; print(clvspark.cli.__file__); clvspark.cli.main()"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with what the wheel installs, and nothing else of the project."""
    return install_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def demo(site, tmp_path_factory):
    """What ``clvspark demo`` prints in a folder of its own, where there is nothing but loopback."""
    folder = tmp_path_factory.mktemp("installed")
    variables = environment(PYTHONPATH=str(site), CLVSPARK_CACHE=str(runtime.cache_root()))
    command = [ROOT / "tools/offline", sys.executable, "-c", MAIN, "demo", "--customers", "300"]
    return run(command, folder, **variables).stdout, folder


def test_the_demo_runs_from_the_wheel(demo, site):
    printed, folder = demo

    assert printed.startswith(f"{site}/clvspark/cli/__init__.py\n")
    assert printed.count("(equal)") == 2
    assert {path.name for path in folder.iterdir()} == {"demo"}
    assert (folder / "demo/report.html").is_file()


def test_there_was_no_network(tmp_path):
    probe = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=5)"
    done = subprocess.run(
        [ROOT / "tools/offline", sys.executable, "-c", probe],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "Network is unreachable" in done.stderr
