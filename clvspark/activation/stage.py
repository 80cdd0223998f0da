"""Activate: `audiences.membership` -> `activation.*` and files at the destinations."""

from __future__ import annotations

from datetime import date, timedelta
from functools import reduce
from pathlib import Path

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from clvspark.activation.config import ActivationConfig, FileDestination
from clvspark.activation.export import (
    Delivery,
    ExportedFile,
    batch_of,
    build_payload,
    count_operations,
    export_files,
)
from clvspark.activation.gate import assign_members, join_addresses, judge_members
from clvspark.activation.holdout import deal_groups, groups_today, hold_entries
from clvspark.activation.outbox import list_held, write_instructions
from clvspark.activation.tables import ASSIGNMENT, DELIVERY, HOLDOUT, OUTBOX, TABLES
from clvspark.audiences.tables import DECILE, DEFINITION, ESTIMATE, MEMBERSHIP, later_evaluation
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK, current_links
from clvspark.lakehouse import Lakehouse, Run, RunReport
from clvspark.lakehouse.dates import rows_of
from clvspark.lakehouse.errors import ConfigError
from clvspark.lakehouse.folders import recover_folders
from clvspark.lakehouse.side_by_side import keep_all, side_by_side
from clvspark.privacy.addresses import (
    add_unread_entries,
    judge_entries,
    list_entries,
)
from clvspark.privacy.consent import (
    CHANNELS,
    consent_by_channel,
)
from clvspark.privacy.erase import purge_deleted
from clvspark.privacy.statements import read_consent
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, UNREAD_ADDRESS, UNREAD_CONSENT

STAGE = "activate"
READS = (
    MEMBERSHIP,
    DEFINITION,
    ESTIMATE,
    PERSON,
    PERSON_LINK,
    ALIAS,
    CUSTOMER_RECORD,
    UNREAD_ADDRESS,
    CONSENT,
    UNREAD_CONSENT,
    EVENT,
    CUSTOMER_VALUE,
    DECILE,
)


def run(lake: Lakehouse, config: ActivationConfig, as_of: date) -> RunReport:
    """Tell every destination what changed on its lists. Consent is read at this moment, not at evaluation.

    Nobody is told anything as of a date before that of the lists; the run warns.
    """
    with lake.run(STAGE, as_of=as_of, config=config, reads=READS, writes=TABLES) as run:
        if not run.is_current:
            _activate(run, lake, config, as_of)
    return run.report


def _activate(run: Run, lake: Lakehouse, config: ActivationConfig, as_of: date) -> None:
    later = later_evaluation(lake.read_or_empty(ESTIMATE), as_of)
    if later:
        run.warn(
            f"no destination was told anything as of {as_of}: the lists are those of {later}. Next step: none, or "
            f"clvspark activate --as-of {later}"
        )
        run.create(*TABLES)
        return
    lake.read_of(ESTIMATE, as_of, stage="audiences")
    _refuse_unknown_audiences(lake, config)
    _refuse_changed_identifiers(lake, config)
    for destination in config.destinations:
        recover_folders(Path(config.exports) / destination.id)
    activated = sorted({name for d in config.destinations for name in d.audiences})
    realized = (F.col("status") == "realized") & F.col("audience_id").isin(*activated)
    members = lake.read(MEMBERSHIP).where(realized).select("audience_id", "person_id")
    identifiers: list[str] = sorted({d.identifier for d in config.destinations}) or ["email"]
    # The lists go out on the day itself, so what was said on this day counts as well; a no of any day, once known.
    until = F.lit(as_of + timedelta(days=1)).cast("timestamp")
    links = current_links(lake.read(PERSON_LINK))
    consent = read_consent(lake, links, until=until, later_refusals=True)
    listed = [_entries(lake, name) for name in identifiers]
    members, consent, *listed = keep_all(members, consent, *listed)
    entries = dict(zip(identifiers, listed, strict=True))
    every = reduce(DataFrame.unionByName, entries.values())
    dealt = lake.read_or_empty(HOLDOUT)
    aliases = lake.read_or_empty(ALIAS)
    run.merge(HOLDOUT, deal_groups(members, every, dealt, aliases, config.holdout, as_of=as_of))
    contacts = _gather_contacts(lake, entries, consent, as_of).localCheckpoint(eager=False)
    judged = _judge(lake, config, members, contacts).localCheckpoint()
    before = lake.read_or_empty(OUTBOX).localCheckpoint(eager=False)
    eligible = judged.where("verdict = 'eligible'")
    assigned = assign_members(judged, lake.read_or_empty(ASSIGNMENT), as_of=as_of)
    instructions = write_instructions(before, eligible, as_of=as_of)
    run.merge_all({ASSIGNMENT: (assigned, None), OUTBOX: (instructions, None)})
    files = _drain(run, lake, config, contacts, as_of)
    run.overwrite(
        DELIVERY,
        _deliveries(lake, judged, files, config, as_of),
        where=rows_of(as_of),
    )


def _judge(
    lake: Lakehouse, config: ActivationConfig, members: DataFrame, contacts: DataFrame
) -> DataFrame:
    """Verdicts over all destinations: ``audience_id, person_id, verdict, address, destination_id``."""
    columns = "audience_id string, person_id string, verdict string, address string"
    none = lake.spark.createDataFrame([], f"{columns}, destination_id string")
    verdicts = [
        judge_members(members, contacts, d).withColumn("destination_id", F.lit(d.id))
        for d in config.destinations
    ]
    return reduce(DataFrame.unionByName, verdicts, none)


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


def _refuse_changed_identifiers(lake: Lakehouse, config: ActivationConfig) -> None:
    """ConfigError naming the destinations that were told addresses as something else: they could remove nobody."""
    told = lake.read_or_empty(DELIVERY).where("file_name IS NOT NULL AND identifier IS NOT NULL")
    rows = told.select("destination_id", "identifier").distinct().collect()
    known = {row["destination_id"]: row["identifier"] for row in rows}
    faults = [
        f"activation.destinations.{d.id}: was told addresses as {known[d.id]} and would now be told them as "
        f"{d.address_column}; it could not match the two. Give the changed destination another 'id', and empty the "
        "list of the old one there"
        for d in config.destinations
        if known.get(d.id, d.address_column) != d.address_column
    ]
    if faults:
        raise ConfigError("activation", faults)


def _entries(lake: Lakehouse, identifier: str) -> DataFrame:
    links = current_links(lake.read(PERSON_LINK))
    records = lake.read_or_empty(CUSTOMER_RECORD)
    return list_entries(lake.read(PERSON), records, links, identifier)


def _gather_contacts(
    lake: Lakehouse, entries: dict[str, DataFrame], consent: DataFrame, as_of: date
) -> DataFrame:
    """One row a person: addresses and what holds for them, consent, group and value."""
    groups = groups_today(lake.read(HOLDOUT), lake.read_or_empty(ALIAS))
    groups = groups.localCheckpoint(eager=False)
    now = F.col("as_of_date") == F.lit(as_of)
    values = lake.read(CUSTOMER_VALUE).where(now).select("person_id", "clv", "lifecycle_stage")
    deciles = lake.read(DECILE).where(now & (F.col("metric") == "clv"))
    contacts = lake.read(PERSON).select("person_id", "email", "phone")
    for name, known in entries.items():
        unread = lake.read_or_empty(UNREAD_ADDRESS)
        allowed = judge_entries(add_unread_entries(known, unread, name), consent)
        held = hold_entries(known, groups)
        contacts = join_addresses(contacts, allowed, held, name)
    return (
        contacts.join(consent_by_channel(consent, CHANNELS), on="person_id", how="left")
        .join(groups, on="person_id", how="left")
        .join(values, on="person_id", how="left")
        .join(
            deciles.select("person_id", F.col("decile").alias("clv_decile")),
            on="person_id",
            how="left",
        )
    )


def _drain(
    run: Run, lake: Lakehouse, config: ActivationConfig, contacts: DataFrame, as_of: date
) -> dict[tuple[str, str], str]:
    """Export what is pending and mark it delivered; return the new files by destination and audience.

    A delivery is never written again: what is to be told later on the same date is a delivery of its own. Without
    anything to tell, the first one of a date is a manifest that says so.
    """
    outbox = lake.read(OUTBOX).localCheckpoint()
    waiting, held = outbox.where("status = 'pending'"), list_held(outbox).localCheckpoint()
    delivered = lake.read_or_empty(DELIVERY)
    waits = _count_waiting(outbox, delivered, as_of).collect()
    counts = {row["destination_id"]: row for row in waits}
    due = [d for d in config.destinations if _is_due(counts.get(d.id))]

    def export(destination: FileDestination) -> tuple[list[ExportedFile], DataFrame]:
        run.step(f"exporting to {destination.id}")
        here = F.col("destination_id") == destination.id
        instructions = waiting.where(here)
        payload = build_payload(
            instructions, held.where(here), contacts, destination
        ).localCheckpoint()
        batch = _next_batch(counts.get(destination.id))
        delivery = Delivery(destination, as_of, batch, count_operations(instructions, payload))
        lines = payload.select("outbox_id", F.col("operation").alias("entry_operation"))
        numbered = instructions.drop("entry_operation").withColumn("batch", F.lit(batch))
        told = numbered.join(lines, on="outbox_id", how="left")
        return export_files(payload, Path(config.exports), delivery), told

    exported = side_by_side(export, due)
    files = {
        (destination.id, file.audience_id): file
        for destination, (made, _) in zip(due, exported, strict=True)
        for file in made
    }
    told = reduce(DataFrame.unionByName, (told for _, told in exported), waiting.limit(0))
    run.merge(OUTBOX, _mark_delivered(told, as_of), again=True)
    _warn_of_lists_without_destination(run, config, counts)
    erased = sum(counts[d.id]["erased"] for d in due if d.id in counts)
    if erased:
        purge_deleted(lake, OUTBOX)
        run.metric("erasures_delivered", erased)
    run.metric("files", len(files))
    run.metric("entries_exported", sum(file.rows for file in files.values()))
    return {of: file.path for of, file in files.items()}


def _next_batch(count: Row | None) -> int:
    """Number of the destination's next delivery of the date."""
    return count["batches"] + 1 if count else 1


def _is_due(count: Row | None) -> bool:
    """Whether the destination gets a delivery: the first of a date always, a later one with something to tell."""
    return _next_batch(count) == 1 or bool(count and count["waiting"])


def _count_waiting(outbox: DataFrame, delivered: DataFrame, as_of: date) -> DataFrame:
    """By destination: instructions that wait, those of them that erasures left, deliveries of the date so far.

    In: activation.outbox, activation.delivery. An erasure may take all instructions of a delivery; its files, which
    went out, are still known.
    """
    waits = F.col("status") == "pending"
    batch = F.when(F.col("delivered_on") == F.lit(as_of), F.coalesce("batch", F.lit(1)))
    told = outbox.select(
        "destination_id",
        waits.cast("int").alias("waits"),
        (waits & F.col("person_id").isNull()).cast("int").alias("erased"),
        batch.alias("batch"),
    )
    sent = delivered.where((F.col("as_of_date") == F.lit(as_of)) & F.col("file_name").isNotNull())
    nothing = F.lit(0)
    files = sent.select(
        "destination_id",
        nothing.alias("waits"),
        nothing.alias("erased"),
        batch_of(F.col("file_name")).alias("batch"),
    )
    return (
        told.unionByName(files)
        .groupBy("destination_id")
        .agg(
            F.sum("waits").alias("waiting"),
            F.sum("erased").alias("erased"),
            F.coalesce(F.max("batch"), F.lit(0)).alias("batches"),
        )
    )


def _mark_delivered(told: DataFrame, as_of: date) -> DataFrame:
    """The instructions as delivered; of an erased person nothing is kept, so the address goes."""
    changes = {
        "status": F.lit("delivered"),
        "delivered_on": F.lit(as_of),
        "address": F.when(F.col("person_id").isNotNull(), F.col("address")),
    }
    return told.withColumns(changes).select(*OUTBOX.names)


def _deliveries(
    lake: Lakehouse,
    judged: DataFrame,
    files: dict[tuple[str, str], str],
    config: ActivationConfig,
    as_of: date,
) -> DataFrame:
    """Rows of activation.delivery: one a destination and audience, also where nobody qualified."""
    keys = ["destination_id", "audience_id"]
    today = F.col("as_of_date") == F.lit(as_of)
    before = {tuple(r[:2]): r[2] for r in _files_of(lake.read_or_empty(DELIVERY).where(today))}
    pairs = [(d.id, name) for d in config.destinations for name in d.audiences]
    told_as = {d.id: d.address_column for d in config.destinations}
    named = [(*pair, told_as[pair[0]], files.get(pair, before.get(pair))) for pair in pairs]
    lists = lake.spark.createDataFrame(
        named, "destination_id string, audience_id string, identifier string, file_name string"
    )
    counts = judged.groupBy(*keys).agg(
        F.count(F.lit(1)).alias("members"),
        *(
            F.count_if(F.col("verdict") == v).alias(v)
            for v in ("without_consent", "without_identifier", "held_out")
        ),
    )
    delivered = lake.read(OUTBOX).where(F.col("delivered_on") == F.lit(as_of))
    told = delivered.groupBy(*keys).agg(
        F.count_if(F.col("operation") == "add").alias("persons_added"),
        F.count_if(F.col("operation") == "remove").alias("persons_removed"),
        F.count_if(F.col("entry_operation") == "add").alias("entries_added"),
        F.count_if(F.col("entry_operation") == "remove").alias("entries_removed"),
    )
    rows = lists.join(counts, on=keys, how="left").join(told, on=keys, how="left")
    return rows.fillna(0).withColumn("as_of_date", F.lit(as_of)).select(*DELIVERY.names)


def _warn_of_lists_without_destination(
    run: Run, config: ActivationConfig, counts: dict[str, Row]
) -> None:
    """Tell of destinations that are no longer configured while something waits to be told to them."""
    for name in sorted(set(counts) - {destination.id for destination in config.destinations}):
        if counts[name]["waiting"]:
            run.warn(
                f"{counts[name]['waiting']:,} instructions wait for the destination {name!r}, which is not configured "
                "any more: its list still holds people who have left it. Next step: put it back under "
                "'activation.destinations' for one run, or delete the list there by hand."
            )


def _files_of(deliveries: DataFrame) -> list[Row]:
    return deliveries.select("destination_id", "audience_id", "file_name").collect()
