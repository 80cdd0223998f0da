"""Run the stages for every new landing file.

spark-submit jobs/stream_events.py --config conf/local.yaml --as-of 2026-01-01
"""

from clvspark.cli import run_stage

if __name__ == "__main__":
    run_stage("stream")
