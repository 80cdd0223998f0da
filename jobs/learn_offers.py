"""Sum what came of decisions whose window is over.

spark-submit jobs/learn_offers.py --config conf/local.yaml --as-of 2026-01-01
"""

from clvspark.cli import run_stage

if __name__ == "__main__":
    run_stage("learn")
