#!/bin/sh
# Jobs of clvspark by spark-submit, one after the other; the first that fails ends it with its status.
#   deploy/spark-submit/run.sh                                   the whole pipeline in one session
#   deploy/spark-submit/run.sh ingest_sources resolve_identities some jobs, each in a session of its own
# Read from the environment:
#   CLVSPARK_CONFIG  configuration file            (conf/cluster.yaml)
#   AS_OF            first day that is not known   (today, UTC)
#   SPARK_SUBMIT     the program                   (spark-submit)
#   SPARK_OPTIONS    its options, e.g. "--master yarn --deploy-mode client --num-executors 4"
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
config=${CLVSPARK_CONFIG:-$root/conf/cluster.yaml}
day=${AS_OF:-$(date -u +%F)}
[ $# -gt 0 ] || set -- run_pipeline
for job in "$@"; do
    file=$root/jobs/$job.py
    if [ ! -f "$file" ]; then
        echo "error: there is no job $job. Jobs: $(cd "$root/jobs" && ls ./*.py | sed 's/^..//; s/[.]py$//' | tr '\n' ' ')" >&2
        exit 2
    fi
    # Options are several words on purpose.
    # shellcheck disable=SC2086
    "${SPARK_SUBMIT:-spark-submit}" ${SPARK_OPTIONS:-} "$file" --config "$config" --as-of "$day"
done
