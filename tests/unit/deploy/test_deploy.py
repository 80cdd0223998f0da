"""What deploys clvspark names only jobs that there are, with arguments that they accept, in the order of the flow."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from typer.main import get_command

from clvspark import cli
from clvspark.config import Config
from clvspark.lakehouse.fixed_conf import FIXED
from clvspark.pipeline import STAGES

ROOT = Path(__file__).resolve().parents[3]
DEPLOY = ROOT / "deploy"
DAY = "2026-04-01"


@pytest.fixture(scope="module")
def command_of():
    """The command that each job runs, by the name of its file."""
    patched = pytest.MonkeyPatch()
    found: dict[str, str] = {}
    for job in (ROOT / "jobs").glob("*.py"):
        patched.setattr(cli, "run_stage", lambda name, job=job.name: found.update({job: name}))
        runpy.run_path(str(job), run_name="__main__")
    patched.undo()
    return found


def parse(command: str, arguments: list[str]) -> dict[str, object]:
    """Options of a command as it would read them; wrong usage is an error."""
    filled = [re.sub(r"^\{\{.*\}\}$", DAY, argument) for argument in arguments]
    return get_command(cli.app).commands[command].make_context(command, filled).params


def test_the_airflow_dag_has_one_task_a_stage_in_the_order_of_the_flow(monkeypatch, command_of):
    tasks: list[Task] = []

    class Task:
        def __init__(self, **settings: object) -> None:
            self.settings, self.after = settings, None
            tasks.append(self)

        def __rshift__(self, later: Task) -> Task:
            later.after = self
            return later

    class Dag:
        def __init__(self, **settings: object) -> None:
            self.settings = settings

        def __enter__(self):
            return self

        def __exit__(self, *_: object) -> None: ...

    for name in ("airflow", "airflow.sdk", "airflow.providers.apache.spark.operators.spark_submit"):
        module = ModuleType(name)
        vars(module).update(DAG=Dag, SparkSubmitOperator=Task)
        for part in range(1, name.count(".") + 1):
            parent = name.rsplit(".", part)[0]
            monkeypatch.setitem(sys.modules, parent, sys.modules.get(parent, ModuleType(parent)))
        monkeypatch.setitem(sys.modules, name, module)

    dag = runpy.run_path(str(DEPLOY / "airflow" / "clvspark_daily.py"))["dag"]

    assert [task.settings["task_id"] for task in tasks] == list(STAGES)
    assert [task.after for task in tasks] == [None, *tasks[:-1]]
    assert dag.settings["max_active_runs"] == 1
    for task in tasks:
        job = Path(task.settings["application"]).name
        assert command_of[job] == task.settings["task_id"]
        parse(command_of[job], task.settings["application_args"])


def test_the_databricks_bundle_checks_the_installation_then_runs_each_stage_after_the_one_before(
    command_of,
):
    file = DEPLOY / "databricks" / "databricks.yml"
    bundle = yaml.safe_load(file.read_text(encoding="utf-8"))
    (job,) = bundle["resources"]["jobs"].values()
    tasks = job["tasks"]

    keys = [task["task_key"] for task in tasks]
    assert keys == ["check_installation", *STAGES]
    assert [task.get("depends_on", []) for task in tasks] == [
        [],
        *([{"task_key": key}] for key in keys[:-1]),
    ]
    for task in tasks:
        script = file.parent / task["spark_python_task"]["python_file"]
        name = command_of[script.resolve().relative_to(ROOT / "jobs").name]
        assert name == task["task_key"].replace("check_installation", "doctor")
        parse(name, task["spark_python_task"]["parameters"])
    assert job["max_concurrent_runs"] == 1


def test_the_databricks_bundle_uses_only_variables_and_folders_that_there_are():
    file = DEPLOY / "databricks" / "databricks.yml"
    text = file.read_text(encoding="utf-8")
    bundle = yaml.safe_load(text)

    assert {*re.findall(r"\$\{var\.(\w+)\}", text)} == {*bundle["variables"]}
    assert all((file.parent / path).is_dir() for path in bundle["sync"]["paths"])
    assert (file.parent / bundle["artifacts"]["clvspark"]["path"] / "pyproject.toml").is_file()
    assert (ROOT / "conf" / bundle["variables"]["config"]["default"]).is_file()


@pytest.mark.parametrize(("name", "command"), [("pipeline", "run"), ("stream", "stream")])
def test_the_kubernetes_applications_run_jobs_of_the_image(command_of, name, command):
    application = yaml.safe_load((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())
    spec = application["spec"]

    assert command_of[Path(spec["mainApplicationFile"]).name] == command
    options = parse(command, spec["arguments"])
    inside = Path(str(options["config"])).relative_to("/opt/clvspark")
    assert (ROOT / inside).is_file()
    assert f"pyspark=={spec['sparkVersion']}" in (ROOT / "constraints.txt").read_text()
    delta = {key: FIXED[key] for key in spec["sparkConf"] if key in FIXED}
    assert delta == {key: value for key, value in spec["sparkConf"].items() if key in FIXED}
    assert len(delta) == 2


def test_the_drivers_of_kubernetes_run_under_the_account_that_may_start_executors():
    access = [*yaml.safe_load_all((DEPLOY / "kubernetes" / "access.yaml").read_text())]
    (account,) = [each["metadata"] for each in access if each["kind"] == "ServiceAccount"]

    for name in ("pipeline", "stream"):
        application = yaml.safe_load((DEPLOY / "kubernetes" / f"{name}.yaml").read_text())
        assert application["metadata"]["namespace"] == account["namespace"]
        assert application["spec"]["driver"]["serviceAccount"] == account["name"]


def test_the_image_copies_what_there_is_and_starts_the_spark_that_is_pinned():
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE)
        for word in line.split()[:-1]
    }
    context = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8")

    assert copied == {"constraints.txt", "dist/clvspark-*.whl", "jobs", "conf"}
    assert {word.split("/")[0] for word in copied} == {
        *re.findall(r"^!(\S+)$", context, re.MULTILINE)
    }
    spark = re.search(r"^FROM apache/spark:([\d.]+)-", text, re.MULTILINE)[1]
    assert f"pyspark=={spark}" in (ROOT / "constraints.txt").read_text()


@pytest.fixture
def submit(tmp_path):
    """Runs the script with a spark-submit that notes its arguments, and fails on the job named FAILS."""
    log = tmp_path / "log"
    program = tmp_path / "spark-submit"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\ncase "$*" in *"$FAILS"*) exit 9 ;; esac\n')
    program.chmod(0o755)

    def run(*jobs: str, **environment: str) -> tuple[int, list[list[str]], str]:
        given = {"SPARK_SUBMIT": str(program), "FAILS": "nothing", "PATH": os.environ["PATH"]}
        done = subprocess.run(
            [DEPLOY / "spark-submit" / "run.sh", *jobs],
            env={**given, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = log.read_text().splitlines() if log.exists() else []
        return done.returncode, [line.split() for line in lines], done.stderr

    return run


def test_the_script_submits_jobs_in_the_order_given(submit, command_of):
    code, calls, _ = submit(
        "ingest_sources",
        "resolve_identities",
        SPARK_OPTIONS="--master yarn --num-executors 4",
        CLVSPARK_CONFIG="conf/mine.yaml",
        AS_OF=DAY,
    )

    assert code == 0
    assert [call[:4] for call in calls] == [["--master", "yarn", "--num-executors", "4"]] * 2
    assert [command_of[Path(call[4]).name] for call in calls] == ["ingest", "resolve"]
    for call in calls:
        options = parse(command_of[Path(call[4]).name], call[5:])
        assert (str(options["config"]), f"{options['as_of']:%F}") == ("conf/mine.yaml", DAY)


def test_the_script_runs_the_whole_pipeline_where_no_job_is_named(submit):
    code, ((job, _, config, _, day),), _ = submit()

    assert (code, Path(job).name, Path(config).name) == (0, "run_pipeline.py", "cluster.yaml")
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", day)


def test_the_script_ends_with_the_status_of_the_first_job_that_fails(submit):
    code, calls, _ = submit("ingest_sources", "build_history", "fit_models", FAILS="build_history")

    assert (code, len(calls)) == (9, 2)


def test_a_job_that_there_is_not_is_named_with_those_that_there_are(submit):
    code, calls, told = submit("ingest")

    assert (code, calls) == (2, [])
    assert "there is no job ingest" in told
    assert "ingest_sources" in told


def test_the_configuration_of_a_cluster_is_accepted():
    from clvspark.config import read_config

    config = read_config(ROOT / "conf" / "cluster.yaml")

    assert isinstance(config, Config)
    assert config.spark.master is None, "the master is that of spark-submit"
