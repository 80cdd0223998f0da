"""Check what an installation has, and say how to mend what is missing.

spark-submit jobs/check_installation.py --config conf/local.yaml
"""

from clvspark.cli import run_stage

if __name__ == "__main__":
    run_stage("doctor")
