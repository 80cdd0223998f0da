"""Activate: `audiences.membership` -> `activation.*` and files at the destinations."""

from __future__ import annotations

from datetime import date, timedelta
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig, FileDestination
from clvspark.activation.export import (
    ExportedFile,
    address_instructions,
    build_payload,
    export_files,
)
from clvspark.activation.gate import judge_members, split_group
from clvspark.activation.outbox import list_held, write_instructions
from clvspark.activation.tables import DELIVERY, HOLDOUT, OUTBOX, TABLES
from clvspark.audiences.tables import DECILE, DEFINITION, MEMBERSHIP
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.errors import ConfigError
from clvspark.privacy.consent import CHANNELS, consent_by_channel, resolve_consent
from clvspark.sources.tables import CONSENT

STAGE = "activate"
READS = (MEMBERSHIP, DEFINITION, PERSON, PERSON_LINK, CONSENT, CUSTOMER_VALUE, DECILE)


def run(lake: Lakehouse, config: ActivationConfig, as_of: date) -> RunReport:
    """Tell every destination what changed on its lists. Consent is read at this moment, not at evaluation."""
    with lake.run(STAGE, as_of=as_of, config=config, reads=READS, writes=TABLES) as run:
        if not run.is_current:
            _activate(run, lake, config, as_of)
    return run.report


def _activate(run: Run, lake: Lakehouse, config: ActivationConfig, as_of: date) -> None:
    _refuse_unknown_audiences(lake, config)
    members = (
        lake.read(MEMBERSHIP)
        .where("status = 'realized'")
        .select("audience_id", "person_id")
        .localCheckpoint()
    )
    run.overwrite(HOLDOUT, _assign_groups(lake, members, config, as_of))
    contacts = _gather_contacts(lake, as_of).localCheckpoint()
    verdicts = [
        judge_members(members, contacts, destination).withColumn(
            "destination_id", F.lit(destination.id)
        )
        for destination in config.destinations
    ]
    none = lake.spark.createDataFrame(
        [], "audience_id string, person_id string, verdict string, destination_id string"
    )
    judged = reduce(DataFrame.unionByName, verdicts, none).localCheckpoint()
    before = lake.read_or_empty(OUTBOX).localCheckpoint()
    eligible = judged.where("verdict = 'eligible'").select(
        "destination_id", "audience_id", "person_id"
    )
    run.merge(OUTBOX, write_instructions(before, eligible, as_of=as_of))
    files = _drain(run, lake, config, contacts, as_of)
    run.overwrite(
        DELIVERY,
        _deliveries(lake, judged, files, config, as_of),
        where=f"as_of_date = DATE'{as_of}'",
    )


def _refuse_unknown_audiences(lake: Lakehouse, config: ActivationConfig) -> None:
    known = {row[0] for row in lake.read(DEFINITION).select("audience_id").distinct().collect()}
    faults = [
        f"activation.destinations.{d.id}: audience {name!r} is not defined; defined are {', '.join(sorted(known))}"
        for d in config.destinations
        for name in d.audiences
        if name not in known
    ]
    if faults:
        raise ConfigError("activation", faults)


def _assign_groups(
    lake: Lakehouse, members: DataFrame, config: ActivationConfig, as_of: date
) -> DataFrame:
    """Groups of everyone seen before, unchanged, and of the new ones."""
    before = lake.read_or_empty(HOLDOUT).localCheckpoint()
    new = members.select("person_id").distinct().join(before, on="person_id", how="left_anti")
    dealt = new.select(
        "person_id",
        split_group(config.holdout).alias("split_group"),
        F.lit(as_of).alias("assigned_on"),
    )
    return before.unionByName(dealt).select(*HOLDOUT.names)


def _gather_contacts(lake: Lakehouse, as_of: date) -> DataFrame:
    """One row a person: addresses, consent, group and value."""
    links = lake.read(PERSON_LINK).where("valid_to IS NULL")
    # The lists go out on the day itself, so what was said on this day counts as well.
    until = F.lit(as_of + timedelta(days=1)).cast("timestamp")
    consent = resolve_consent(lake.read(CONSENT), links, purpose="marketing", until=until)
    now = F.col("as_of_date") == F.lit(as_of)
    values = lake.read(CUSTOMER_VALUE).where(now).select("person_id", "clv", "lifecycle_stage")
    deciles = lake.read(DECILE).where(now & (F.col("metric") == "clv"))
    return (
        lake.read(PERSON)
        .select("person_id", "email", "phone")
        .join(consent_by_channel(consent, CHANNELS), on="person_id", how="left")
        .join(lake.read(HOLDOUT).select("person_id", "split_group"), on="person_id", how="left")
        .join(values, on="person_id", how="left")
        .join(
            deciles.select("person_id", F.col("decile").alias("clv_decile")),
            on="person_id",
            how="left",
        )
    )


def _drain(
    run: Run, lake: Lakehouse, config: ActivationConfig, contacts: DataFrame, as_of: date
) -> dict[tuple[str, str], ExportedFile]:
    """Export what is pending and mark it delivered; return the files by destination and audience.

    The files of a date hold all its instructions, so that a second run of the date writes them again whole.
    """
    outbox = lake.read(OUTBOX)
    delivered = F.coalesce(F.col("delivered_on") == F.lit(as_of), F.lit(False))
    of_today = (F.col("status") == "pending") | delivered
    waiting = outbox.where(of_today).localCheckpoint()
    addressed = [
        address_instructions(
            waiting.where(F.col("destination_id") == destination.id), contacts, destination
        )
        for destination in config.destinations
    ]
    today = reduce(DataFrame.unionByName, addressed, waiting.limit(0)).localCheckpoint()
    held = list_held(outbox.where(~of_today).unionByName(today)).localCheckpoint()
    files: dict[tuple[str, str], ExportedFile] = {}
    for destination in config.destinations:
        run.step(f"exporting to {destination.id}")
        here = F.col("destination_id") == destination.id
        payload = build_payload(today.where(here), held.where(here), contacts, destination)
        for file in export_files(payload, Path(config.exports), destination, as_of=as_of):
            files[destination.id, file.audience_id] = file
    status = {"status": F.lit("delivered"), "delivered_on": F.lit(as_of)}
    told = today.where("status = 'pending'").withColumns(status)
    run.merge(OUTBOX, told.select(*OUTBOX.names))
    run.metric("files", len(files))
    run.metric("rows_exported", sum(file.rows for file in files.values()))
    return files


def _deliveries(
    lake: Lakehouse,
    judged: DataFrame,
    files: dict[tuple[str, str], ExportedFile],
    config: ActivationConfig,
    as_of: date,
) -> DataFrame:
    """Rows of activation.delivery: one a destination and audience, also where nobody qualified."""
    pairs = [
        (d.id, name, _file_name(files, d, name))
        for d in config.destinations
        for name in d.audiences
    ]
    lists = lake.spark.createDataFrame(
        pairs, "destination_id string, audience_id string, file_name string"
    )
    counts = judged.groupBy("destination_id", "audience_id").agg(
        F.count(F.lit(1)).alias("members"),
        *(
            F.count_if(F.col("verdict") == v).alias(v)
            for v in ("without_consent", "without_identifier", "held_out")
        ),
    )
    told = (
        lake.read(OUTBOX)
        .where(F.col("delivered_on") == F.lit(as_of))
        .groupBy("destination_id", "audience_id")
        .agg(
            F.count_if(F.col("operation") == "add").alias("added"),
            F.count_if(F.col("operation") == "remove").alias("removed"),
        )
    )
    keys = ["destination_id", "audience_id"]
    rows = lists.join(counts, on=keys, how="left").join(told, on=keys, how="left")
    return rows.fillna(0).withColumn("as_of_date", F.lit(as_of)).select(*DELIVERY.names)


def _file_name(
    files: dict[tuple[str, str], ExportedFile], destination: FileDestination, audience: str
) -> str | None:
    file = files.get((destination.id, audience))
    return file.name if file else None
