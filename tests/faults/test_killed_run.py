"""Faults 1 and 4: a run killed again and again, then run to its end, equals a clean run."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from support.contents import COMPARED, contents
from support.shops import clvspark, kill_children, open_lake, open_shop, under_way

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SEED = 20260401
KILLS = 6
PATIENCE = 400  # seconds until a run must have come to the point where it is killed


@pytest.fixture(scope="module")
def killed(goods, tmp_path_factory):
    """The shop after its run was killed at random points, and then run to its end.

    Every other time the JVM is killed as well; else it finds out by itself, while the next run starts already.
    """
    shop = open_shop(tmp_path_factory.mktemp("killed") / "shop", goods)
    chance = random.Random(SEED)
    points = [(chance.randint(1, 14), chance.uniform(0, 1.5)) for _ in range(KILLS)]
    for number, (commits, delay) in enumerate(points):
        kill_a_run(shop, commits, delay, whole=number % 2 == 0)
    done = clvspark("run", "--config", shop.config_file, cwd=shop.folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return shop, done.stdout


def test_the_last_run_had_something_left_to_do_and_something_already_done(killed):
    stages = [line.split()[1] for line in killed[1].splitlines()[:10]]

    assert set(stages) == {"unchanged", "done"}
    assert stages == sorted(stages, reverse=True), "a stage was done again after one that was not"


@pytest.mark.parametrize("name", COMPARED)
def test_every_table_equals_that_of_a_clean_run(spark, killed, finished, name):
    rescued, clean = (
        contents(open_lake(spark, shop).table(name), name) for shop in (killed[0], finished)
    )

    assert rescued == clean


def test_files_equal_those_of_a_clean_run(killed, finished):
    rescued, clean = (
        {
            str(path.relative_to(s.exports)): path.read_bytes()
            for path in s.exports.rglob("*.[cj]s*")
        }
        for s in (killed[0], finished)
    )

    assert len(clean) > 4
    assert rescued == clean


def kill_a_run(shop, commits: int, delay: float, *, whole: bool) -> None:
    """Kill a run, the `whole` of its processes, after so many commits and seconds; it must not have ended by itself."""
    until = commits_of(shop.lakehouse) + commits
    with under_way(shop, "run") as (program, output):
        deadline = time.monotonic() + PATIENCE
        while program.poll() is None and commits_of(shop.lakehouse) < until:
            assert time.monotonic() < deadline, "the run did not come to the point in time"
            time.sleep(0.05)
        time.sleep(delay)  # into the middle of the next write
        output.seek(0)
        assert program.poll() is None, f"{until} commits, {delay} s: {output.read()}"
        if whole:
            kill_children(program)


def commits_of(lakehouse: Path) -> int:
    """Commits of all tables so far."""
    return sum(1 for _ in lakehouse.glob("*/*/_delta_log/*.json"))
