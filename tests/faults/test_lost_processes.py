"""Faults 31 and 32: memory runs out, or Python workers are killed. One message, and a rerun comes to the same."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil
import pytest
import yaml
from support.contents import COMPARED, contents
from support.shops import Shop, clvspark, open_lake, open_shop, open_till_shop, under_way

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

GONE = 16
PATIENCE = 400  # seconds until a run must have started a Python worker


@pytest.fixture(scope="module")
def struck(goods, tmp_path_factory):
    """A shop whose first run lost its Python workers, with what that run said, after a second one."""
    shop = open_shop(tmp_path_factory.mktemp("struck") / "shop", goods)
    first = run_without_workers(shop)
    again = clvspark("run", "--config", shop.config_file, cwd=shop.folder)
    assert again.returncode == 0, again.stdout + again.stderr
    return shop, first


def test_a_run_whose_workers_are_killed_ends_in_one_message(struck):
    _, (code, said) = struck

    assert code == GONE, said
    assert "A process of Spark was ended from outside" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", COMPARED)
def test_the_next_run_comes_to_the_tables_of_a_clean_one(spark, struck, finished, name):
    rescued, clean = (
        contents(open_lake(spark, shop).table(name), name) for shop in (struck[0], finished)
    )

    assert rescued == clean


def run_without_workers(shop: Shop) -> tuple[int, str]:
    """Run the pipeline and kill every Python worker as soon as it is there; exit code and what was printed."""
    with under_way(shop, "run") as (program, output):
        deadline = time.monotonic() + PATIENCE
        while program.poll() is None:
            assert time.monotonic() < deadline, "the run neither ended nor could be struck"
            for worker in workers_of(program.pid):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
            time.sleep(0.01)
        output.seek(0)
        return program.returncode, output.read()


def workers_of(driver: int) -> list[psutil.Process]:
    """Python processes that Spark's daemon has forked for tasks."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(driver).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                parent = process.parent()
                if parent and "pyspark.daemon" in " ".join(parent.cmdline()):
                    found.append(process)
    return found


@pytest.fixture
def huge(tmp_path):
    """A shop with little memory, and a landing file of which one field does not fit into it."""
    shop = open_till_shop(tmp_path / "huge")
    config = yaml.safe_load(shop.config_file.read_text())
    config["spark"]["driver_memory"] = "512m"
    shop.config_file.write_text(yaml.safe_dump(config))
    with (shop.landing / "sales.csv").open("a") as file:
        file.write('r9,"')
        for _ in range(400):
            file.write("x" * 1_000_000)
        file.write('",2026-03-05 10:00:00,0.99\n')
    return shop


def test_a_row_that_fits_into_no_memory_is_told_and_nothing_is_written(huge):
    sound = (huge.landing / "sales.csv").read_text()[:200].split("r9")[0]
    done = clvspark("ingest", "--config", huge.config_file, cwd=huge.folder)

    assert done.returncode == GONE, done.stderr
    assert "Memory ran out" in done.stderr
    assert "Traceback" not in done.stderr
    assert "x" * 20 not in done.stdout + done.stderr

    (huge.landing / "sales.csv").write_text(sound)
    again = clvspark("ingest", "--config", huge.config_file, cwd=huge.folder)
    assert again.returncode == 0, again.stderr
