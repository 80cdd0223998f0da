"""Put small files of the tables together, and remove old ones.

spark-submit jobs/maintain.py --config conf/local.yaml
"""

from clvspark.cli import run_stage

if __name__ == "__main__":
    run_stage("maintain")
