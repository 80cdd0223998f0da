"""The pipeline of a day as an Airflow DAG: one task a stage, each by spark-submit, in the order of the flow.

Airflow variables: ``clvspark_home`` (the folder with jobs/ and conf/), ``clvspark_config`` (the configuration file).
The connection ``clvspark_spark`` names the cluster. Needs apache-airflow-providers-apache-spark.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

try:
    from airflow.sdk import DAG  # Airflow 3
except ImportError:
    from airflow import DAG  # Airflow 2

JOBS = {
    "ingest": "ingest_sources.py",
    "resolve": "resolve_identities.py",
    "history": "build_history.py",
    "fit": "fit_models.py",
    "score": "score_customers.py",
    "audiences": "build_audiences.py",
    "moments": "advance_moments.py",
    "learn": "learn_offers.py",
    "decide": "decide_offers.py",
    "activate": "activate_audiences.py",
    "responses": "join_responses.py",
    "measure": "measure_activation.py",
    "report": "build_report.py",
}
HOME = "{{ var.value.get('clvspark_home', '/opt/clvspark') }}"
CONFIG = "{{ var.value.get('clvspark_config', '/opt/clvspark/conf/cluster.yaml') }}"
# The day on which the run starts is the first that is not known.
DAY = "{{ (data_interval_end | default(none, true) or dag_run.run_after) | ds }}"

with DAG(
    dag_id="clvspark_daily",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    # One writer: a lakehouse in a folder refuses a second one, tables of a catalog would conflict.
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["clvspark"],
) as dag:
    before = None
    for stage, job in JOBS.items():
        task = SparkSubmitOperator(
            task_id=stage,
            application=f"{HOME}/jobs/{job}",
            application_args=["--config", CONFIG, "--as-of", DAY],
            conn_id="clvspark_spark",
            name=f"clvspark-{stage}",
        )
        if before is not None:
            before >> task
        before = task
