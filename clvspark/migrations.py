"""What the rows of earlier formats become: all changes, by the format that they lead to.

Add to it where a contract changes so that stored rows would break it, or would be misread: a key or required column, a
new name or type, a column that later runs build upon. Then raise `FORMAT_VERSION` and keep the contracts of before in
``tests/support/contracts``; a test says when that is due. Columns that may be NULL need none of this.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig
from clvspark.config import Config
from clvspark.identity.tables import ALIAS, PERSON_LINK
from clvspark.lakehouse.migrations.changes import (
    Change,
    Migrations,
    Read,
    fill,
    leave_out,
    or_else,
    rename,
)


def list_migrations(config: Config) -> Migrations:
    """All changes there are; some follow the configuration, where an earlier format did not keep what they need."""
    return {2: _to_format_2(config)}


def _to_format_2(config: Config) -> tuple[Change, ...]:
    """From release 0.1.0: the ledger tells when, orders have a later life, the outbox keeps addresses."""
    spend = f"IF(kind = 'spend', '{config.clv.value}', NULL)"
    return (
        Change(
            ALIAS.name,
            "made of the ledger: retired ids lead to who has most of their records today",
            _list_aliases,
            needs=(PERSON_LINK.name,),
            is_new=True,
        ),
        fill(
            PERSON_LINK.name,
            "links were recorded, and closed, on the days that they tell",
            recorded_at="CAST(valid_from AS TIMESTAMP)",
            closed_at="CAST(valid_to AS TIMESTAMP)",
        ),
        fill(
            "identity.person_change",
            "changes were recorded on their day, by a run that is not known",
            recorded_at="CAST(changed_on AS TIMESTAMP)",
            run_id="'unknown'",
        ),
        fill(
            "history.order",
            "an order is a purchase or a refund, without discounts; units may be more",
            row_type="IF(is_purchase, 'purchase', 'refund')",
            purchased_at="IF(is_purchase, ordered_at, NULL)",
            gross_revenue="net_revenue",
            discount="0",
        ),
        fill(
            "history.clv_summary", "summaries are of all that was known on their date", lag_days="0"
        ),
        fill("clv.model", "a spend model is of what 'clv.value' says", priced=spend),
        fill(
            "clv.backtest",
            "backtests were of one fold and of candidates alone",
            fold_origin="date_sub(as_of_date, holdout_days)",
            role="'candidate'",
        ),
        _address_outbox(config.activation),
        rename(
            "activation.delivery",
            "added and removed are persons_added and persons_removed",
            persons_added="added",
            persons_removed="removed",
        ),
        fill("measurement.response", "nobody was told from people yet", is_bot="false"),
        leave_out(
            "measurement.experiment",
            "experiments judged by Welch's intervals go: no assignment was kept to judge them by anew",
            "status",
        ),
        leave_out(
            "measurement.incremental_value",
            "what followed from them goes",
            "status",
            "treatment_persons",
        ),
        leave_out(
            "reporting.fact_model_quality",
            "goes; clvspark report --as-of makes it anew",
            "kind",
            "is_champion",
        ),
        rename(
            "reporting.fact_activation",
            "added and removed are persons_added and persons_removed",
            persons_added="added",
            persons_removed="removed",
        ),
    )


def _list_aliases(_: DataFrame, read: Read) -> DataFrame:
    """Rows of identity.alias from identity.person_link of a ledger that had none.

    A retired id has links that were closed and none that is open. It leads to whoever has most of its records today,
    the smaller id among equals; where nobody has any of them, nowhere.
    """
    links = read(PERSON_LINK.name)
    record = ["source_system", "source_record_id"]
    today = links.where("valid_to IS NULL").select(*record, F.col("person_id").alias("_heir"))
    alive = today.select(F.col("_heir").alias("retired_id")).distinct()
    closed = links.where("valid_to IS NOT NULL").withColumnRenamed("person_id", "retired_id")
    led = (
        closed.join(alive, on="retired_id", how="left_anti")
        .join(today, on=record, how="inner")
        .groupBy("retired_id", "_heir")
        .agg(F.countDistinct(*record).alias("_records"), F.max("valid_to").alias("_until"))
    )
    most = F.min_by("_heir", F.struct((-F.col("_records")).alias("n"), "_heir"))
    return led.groupBy("retired_id").agg(
        most.alias("person_id"),
        F.max("_until").alias("retired_on"),
        F.max("_until").cast("timestamp").alias("recorded_at"),
    )


def _address_outbox(config: ActivationConfig) -> Change:
    """The change by which instructions tell the address that their destination was told.

    It was that of the person, by the identifier of the destination: without it nobody could be taken off a list.
    """

    def build(stored: DataFrame, read: Read) -> DataFrame:
        persons = read("identity.person").select(
            "person_id", F.col("email").alias("_email"), F.col("phone").alias("_phone")
        )
        told = F.lit(None).cast("string")
        for destination in config.destinations:
            is_it = F.col("destination_id") == destination.id
            told = F.when(is_it, F.col(f"_{destination.identifier}")).otherwise(told)
        is_delivered = F.col("status") == "delivered"
        rows = stored.join(persons, on="person_id", how="left")
        values = {
            "address": told,
            "batch": F.when(is_delivered, F.lit(1)),
            "entry_operation": F.when(is_delivered, F.col("operation")),
            "attempts": F.lit(0),
        }
        return rows.where("status <> 'cancelled'").withColumns(
            {name: or_else(rows, name, value) for name, value in values.items()}
        )

    return Change(
        "activation.outbox",
        "instructions tell the address of their person, as 'activation.destinations' identifies persons",
        build,
        needs=("identity.person",),
    )
