"""Decide what each person is offered.

spark-submit jobs/decide_offers.py --config conf/local.yaml --as-of 2026-01-01
"""

from clvspark.cli import run_stage

if __name__ == "__main__":
    run_stage("decide")
