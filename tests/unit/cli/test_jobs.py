"""Every stage, all of them, the stream, the upkeep of its tables and the check of an installation are jobs."""

from __future__ import annotations

import runpy
from pathlib import Path

from clvspark import cli
from clvspark.pipeline import STAGES

JOBS = Path(__file__).resolve().parents[3] / "jobs"


def test_each_job_runs_a_command_of_its_own(monkeypatch):
    ran = []
    monkeypatch.setattr(cli, "run_stage", ran.append)
    for job in sorted(JOBS.glob("*.py")):
        runpy.run_path(str(job), run_name="__main__")

    assert sorted(ran) == sorted([*STAGES, "run", "stream", "maintain", "doctor"])


def test_each_job_says_how_it_is_submitted():
    for job in JOBS.glob("*.py"):
        assert f"spark-submit jobs/{job.name} --config" in job.read_text(encoding="utf-8")
