"""Advance journeys and send the steps that are due.

spark-submit jobs/advance_moments.py --config conf/local.yaml --as-of 2026-01-01
"""

from clvspark.cli import run_stage

if __name__ == "__main__":
    run_stage("moments")
