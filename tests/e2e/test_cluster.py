"""The jobs on a real cluster, a master and two workers on loopback, give the tables of local mode."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from support.contents import COMPARED, contents
from support.jvm import QUICK_JVM
from support.shops import ROOT, environment, open_lake, open_shop

from clvspark.lakehouse import runtime
from clvspark.pipeline import STAGES

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PATIENCE = 60  # seconds until a daemon must have started


@pytest.fixture(scope="module")
def variables(tmp_path_factory):
    """The environment of everything on the cluster."""
    scratch = tmp_path_factory.mktemp("scratch")
    return environment(
        JAVA_HOME=str(runtime.ensure_java()),
        PYSPARK_PYTHON=sys.executable,
        SPARK_LOCAL_IP="127.0.0.1",
        SPARK_LOCAL_DIRS=str(scratch),
        SPARK_DAEMON_MEMORY="256m",
    )


@pytest.fixture(scope="module")
def master(variables, tmp_path_factory):
    """Address of a running cluster; its processes are gone when the module ends."""
    logs = tmp_path_factory.mktemp("cluster")
    local = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
    with ExitStack() as stack:
        log = stack.enter_context(daemon("master.Master", local, logs / "master", variables))
        address = find_in(log, r"spark://127\.0\.0\.1:\d+")
        for name in ("one", "two"):
            sizes = ["--cores", "1", "--memory", "1g", "--work-dir", str(logs / f"work_{name}")]
            arguments = [*local, *sizes, address]
            log = stack.enter_context(daemon("worker.Worker", arguments, logs / name, variables))
            find_in(log, "Successfully registered with master")
        yield address


@pytest.fixture(scope="module")
def submitted(master, variables, goods, tmp_path_factory):
    """A shop whose pipeline ran by spark-submit on the cluster: a job of one stage, of all, and the stream's."""
    shop = open_shop(
        tmp_path_factory.mktemp("submitted") / "shop",
        goods,
        spark={"master": None, "shuffle_partitions": 2, "conf": {}},
    )
    ran = [
        submit(shop, job, *options, master=master, variables=variables)
        for job, *options in (
            ["ingest_sources.py"],
            ["run_pipeline.py"],
            ["stream_events.py", "--available-now", "--as-of", str(shop.config().as_of)],
        )
    ]
    return shop, *ran


def submit(shop, job, *options, master, variables) -> str:
    """Run a job of jobs/ on the cluster; what it printed."""
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": QUICK_JVM,
        "spark.executor.extraJavaOptions": QUICK_JVM,
        "spark.ui.enabled": "false",
    }
    command = [Path(sys.executable).with_name("spark-submit"), "--master", master]
    command += ["--driver-memory", "1g", "--executor-memory", "1g"]
    command += [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    command += [ROOT / "jobs" / job, "--config", shop.config_file, *options]
    done = subprocess.run(
        command,
        cwd=shop.folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_job_ran_on_both_workers(submitted, master, tmp_path_factory):
    works = sorted(tmp_path_factory.getbasetemp().glob("cluster*/work_*/app-*/*"))

    assert {path.parent.parent.name for path in works} == {"work_one", "work_two"}
    assert len({path.parent.name for path in works}) == 3, "an application for each job"


def test_the_job_tells_the_same_as_the_command_line(submitted):
    assert submitted[2].count("(equal)") == 2


def test_what_the_job_of_a_stage_did_is_done_for_the_others(submitted):
    _, one, whole, stream = submitted

    assert told_of(one) == {"ingest": "done"}
    assert set(told_of(whole)) == set(STAGES)
    assert {stage for stage, status in told_of(whole).items() if status == "unchanged"} == {
        "ingest"
    }
    assert set(told_of(stream).values()) == {"unchanged"}


def told_of(printed: str) -> dict[str, str]:
    """Status by stage, as the lines of the stages say."""
    lines = [line.split() for line in printed.splitlines()]
    return {words[0]: words[1] for words in lines if words and words[0] in STAGES}


@pytest.mark.parametrize("name", COMPARED)
def test_every_table_equals_that_of_local_mode(spark, submitted, finished, name):
    cluster, local = (
        contents(open_lake(spark, shop).table(name), name) for shop in (submitted[0], finished)
    )

    assert cluster == local


@contextmanager
def daemon(name: str, arguments: list[str], log: Path, env: dict[str, str]) -> Iterator[Path]:
    """Run a daemon of Spark's, in a process group that ends with the block."""
    import pyspark

    spark_class = Path(pyspark.__file__).parent / "bin" / "spark-class"
    with log.open("w") as output:
        process = subprocess.Popen(
            [spark_class, f"org.apache.spark.deploy.{name}", *arguments],
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield log
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def find_in(log: Path, pattern: str) -> str:
    """The first match in a growing log file."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if match := re.search(pattern, log.read_text()):
            return match[0]
        time.sleep(0.1)
    raise TimeoutError(
        f"{log.name} did not say {pattern} in {PATIENCE} s: {log.read_text()[-2000:]}"
    )
