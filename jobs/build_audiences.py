"""Rank deciles and evaluate audiences.

spark-submit jobs/build_audiences.py --config conf/local.yaml --as-of 2026-01-01
"""

from clvspark.cli import run_stage

if __name__ == "__main__":
    run_stage("audiences")
