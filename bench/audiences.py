"""What evaluating a hundred audiences costs: everybody at once, and again after a change of one percent.

python -m bench.audiences [--persons N] [--audiences N] [--share 0.01]

Persons with ten events each over two years, made up by hashes of their numbers, as the stages before `audiences` leave
them. Rules count, add up, look for first, last and sequences, compare values, deciles, stages and attributes, and build
on each other. Prints seconds and their ratio, and whether both ways ended in the same memberships.
"""

from __future__ import annotations

import argparse
import shutil
import time
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from bench.history import draw, fill
from bench.processes import CACHE
from bench.results import write_result
from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.stage import run
from clvspark.audiences.tables import MEMBERSHIP
from clvspark.catalogue import TABLES
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, RELATIONSHIP
from clvspark.identity.tables import ALIAS, PERSON, PERSON_LINK
from clvspark.lakehouse import Lakehouse, LakehouseConfig, SparkConfig, build_session
from clvspark.sources.tables import CONSENT, CUSTOMER_RECORD, EVENT, PRODUCT, SURVEY_RESPONSE

TODAY = date(2026, 4, 1)
EVENTS_A_PERSON, DAYS = 10, 730
STAGES = ("new", "growing", "core", "slipping", "lapsed")
KINDS = ("visit", "view", "cart", "email_opened", "email_clicked")
CITIES = ("York", "Leeds", "Bath", "Hull")


def main() -> None:
    """Write the tables, evaluate, change a part, evaluate again, evaluate everybody; print and write the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--audiences", type=int, default=100)
    parser.add_argument("--share", type=float, default=0.01)
    given = parser.parse_args()
    folder = CACHE / "audiences"
    shutil.rmtree(folder, ignore_errors=True)
    lake = Lakehouse(
        build_session(SparkConfig(driver_memory="8g")),  # type: ignore[call-arg]
        LakehouseConfig(root=str(folder)),
        TABLES,
    )
    write_persons(lake, given.persons)
    config = AudiencesConfig.model_validate({"definitions": list_rules(given.audiences)})
    measured = {"whole": measure(lake, config)}
    change(lake, given.persons, given.share)
    measured["changed"] = measure(lake, config)
    kept = lake.version(MEMBERSHIP)
    lake.log.force = True
    measured["anew"] = measure(lake, config)
    newer, older = lake.read(MEMBERSHIP), lake.read(MEMBERSHIP, version=kept)
    same = newer.exceptAll(older).isEmpty() and older.exceptAll(newer).isEmpty()
    ratio = measured["changed"]["seconds"] / measured["anew"]["seconds"]
    print(
        f"{given.audiences} audiences after a change of {given.share:.0%} take {ratio:.1%} of all; the same: {same}"
    )
    result = {
        "persons": given.persons,
        "events": given.persons * EVENTS_A_PERSON,
        "audiences": given.audiences,
        "share": given.share,
        "ratio": ratio,
        "same": same,
        "runs": measured,
    }
    print(f"written to {write_result(f'audiences_{given.persons}', result)}")
    shutil.rmtree(folder, ignore_errors=True)


def list_rules(number: int) -> list[dict[str, Any]]:
    """So many audiences, all different, of ten kinds; the last kind builds on another one."""
    found: list[dict[str, Any]] = []
    for n in range(number):
        days, kind = 30 + 7 * (n // 10), KINDS[n % len(KINDS)]
        rules: list[dict[str, Any]] = [
            {"event": {"type": "order", "at_least": 1 + n % 3, "within_days": days}},
            {"event": {"type": kind, "at_most": 0, "within_days": days}},
            {"amount": {"type": ["order", "refund"], "of": "net_revenue", "at_least": 20 + n, "within_days": days}},
            {"last": {"type": "order", "until_days_ago": days}},
            {"first": {"type": kind, "within_days": days, "was": {"channel": "web"}}},
            {
                "sequence": {
                    "within_days": days,
                    "steps": [{"type": kind}, {"type": "order", "within_days": 14}],
                }
            },
            {"value": {"name": "p_alive", "at_least": 0.2 + n / 200}},
            {"decile": {"metric": f"revenue_month_{(1, 3, 6, 9, 12)[n // 10 % 5]}", "at_most": 1 + n // 20}},
            {"attribute": {"name": "city", "any_of": [CITIES[n // 10 % len(CITIES)]]}},
            {"audience": {"id": f"a{max(0, n - 9):03}"}},
        ]  # fmt: skip
        include = {
            "all": [rules[n % 10], {"stage": {"any_of": [STAGES[n % 5], STAGES[(n + 2) % 5]]}}]
        }
        found.append({"id": f"a{n:03}", "name": f"Audience {n}", "include": include})
    return found


def write_persons(lake: Lakehouse, persons: int) -> None:
    """Persons, values, links, consents, events and what history makes of them."""
    spark = lake.spark
    people = spark.range(persons).withColumn("n", F.col("id"))
    person = F.concat(F.lit("p"), "id")
    record = {
        "source_system": F.lit("shop"),
        "source_record_id": F.col("id").cast("string"),
        "person_id": person,
    }
    write(
        lake,
        PERSON,
        people,
        person_id=person,
        records=F.lit(1),
        city=F.element_at(F.array(*map(F.lit, CITIES)), (draw("city", 4) + 1).cast("int")),
        email=F.concat("id", F.lit("@example.org")),
        source_systems=F.array(F.lit("shop")),
        first_seen_on=F.lit("2024-01-01"),
    )
    write(
        lake,
        PERSON_LINK,
        people,
        **record,
        valid_from=F.lit("2024-01-01"),
        reason=F.lit("single"),
        probability=F.lit(1),
        recorded_at=F.lit("2024-01-01 06:00:00"),
    )
    write(
        lake,
        CONSENT,
        people,
        **record,
        consent_id=F.col("id").cast("string"),
        channel=F.lit("email"),
        purpose=F.lit("marketing"),
        val=F.when(draw("consent", 3) > 0, "y").otherwise("n"),
        recorded_at=F.lit("2024-01-01 06:00:00"),
    )
    stage = F.element_at(F.array(*map(F.lit, STAGES)), (draw("stage", 5) + 1).cast("int"))
    alive, value = draw("alive", 1_000) / 1_000, draw("value", 100_000) / 100
    write(
        lake,
        CUSTOMER_VALUE,
        people,
        person_id=person,
        as_of_date=F.lit(TODAY),
        p_alive=alive,
        expected_purchases=alive * 5,
        expected_spend=F.lit(20.0),
        residual_value=value,
        historical_value=value,
        clv=value * 2,
        simple_clv=value,
        lifecycle_stage=stage,
        horizon_days=F.lit(364),
        model_id=F.lit("m"),
        link_doubt=F.lit(0.0),
    )
    append_events(lake, persons, persons * EVENTS_A_PERSON, first=0, days=DAYS)
    for table in (ALIAS, CUSTOMER_RECORD, EVENT, PRODUCT, SURVEY_RESPONSE, RELATIONSHIP):
        lake.overwrite(table, spark.createDataFrame([], table.schema))


def append_events(lake: Lakehouse, persons: int, number: int, *, first: int, days: int) -> None:
    """Orders, interactions and days of the first `persons`, half of them orders; once there are events, they too."""
    rows = lake.spark.range(first, first + number).withColumn("n", F.col("id"))
    at = F.lit(TODAY).cast("timestamp") - F.make_dt_interval(
        draw("day", days), draw("hour", 23) + 1
    )
    amount = ((draw("cents", 20_000) + 100) / 100).cast("decimal(18,2)")
    kind = F.element_at(F.array(*map(F.lit, KINDS)), (draw("kind", len(KINDS)) + 1).cast("int"))
    named = rows.select(
        "id",
        draw("person", persons).cast("string").alias("record"),
        F.concat(F.lit("p"), draw("person", persons)).alias("person_id"),
        (draw("type", 2) == 0).alias("is_order"),
        at.alias("at"),
        amount.alias("amount"),
        kind.alias("kind"),
        F.when(draw("channel", 2) == 0, "web").otherwise("shop").alias("channel"),
    )
    order_id = F.concat(F.lit("shop:"), "id")
    add(
        lake,
        ORDER,
        named.where("is_order"),
        order_id=order_id,
        person_id=F.col("person_id"),
        row_type=F.lit("purchase"),
        is_purchase=F.lit(True),
        ordered_at=F.col("at"),
        purchased_at=F.col("at"),
        channel=F.col("channel"),
        status=F.lit("completed"),
        lines=F.lit(1),
        units=F.lit(1),
        net_revenue=F.col("amount"),
        gross_revenue=F.col("amount"),
        discount=F.lit(0),
        tax=F.lit(0),
        cost=F.col("amount") - (F.col("amount") / 2).cast("decimal(18,2)"),
        margin=(F.col("amount") / 2).cast("decimal(18,2)"),
    )
    add(
        lake,
        INTERACTION,
        named.where("NOT is_order"),
        event_id=order_id,
        person_id=F.col("person_id"),
        interaction_type=F.col("kind"),
        occurred_at=F.col("at"),
        channel=F.col("channel"),
    )
    if lake.exists(EVENT):
        add(
            lake,
            EVENT,
            named,
            event_id=order_id,
            event_type=F.when(F.col("is_order"), "order").otherwise(F.col("kind")),
            source_system=F.lit("shop"),
            source_record_id=F.col("record"),
            occurred_at=F.col("at"),
            channel=F.col("channel"),
            order_id=F.when(F.col("is_order"), order_id),
            net_revenue=F.when(F.col("is_order"), F.col("amount")),
        )
    daily = named.groupBy("person_id", F.to_date("at").alias("day")).agg(
        F.count_if("is_order").alias("orders"),
        F.sum(F.when(F.col("is_order"), F.col("amount")).otherwise(0)).alias("net_revenue"),
        F.count_if(~F.col("is_order")).alias("interactions"),
    )
    days_of = {name: F.col(name) for name in daily.columns}
    more = {"refunds": F.lit(0), "cancellations": F.lit(0), "margin": F.col("net_revenue") / 2}
    frame = fill(daily.select(*(c.alias(n) for n, c in {**days_of, **more}.items())), PERSON_DAY)
    if lake.exists(PERSON_DAY):
        known = lake.read(PERSON_DAY).join(
            frame.select("person_id", "day"), on=["person_id", "day"], how="left_semi"
        )
        frame = add_up(known.unionByName(frame))
        lake.merge(PERSON_DAY, frame)
    else:
        lake.overwrite(PERSON_DAY, frame)


def add_up(days: DataFrame) -> DataFrame:
    """One row a person and day."""
    numbers = [c.name for c in PERSON_DAY.columns if c.name not in ("person_id", "day")]
    summed = days.groupBy("person_id", "day").agg(*(F.sum(n).alias(n) for n in numbers))
    return fill(summed, PERSON_DAY)


def change(lake: Lakehouse, persons: int, share: float) -> None:
    """New events of the day before, `share` of those that there are, of as many of the persons."""
    number, first = int(persons * EVENTS_A_PERSON * share), persons * EVENTS_A_PERSON
    append_events(lake, int(persons * share), number, first=first, days=1)


def write(lake: Lakehouse, table: Any, rows: DataFrame, **columns: Any) -> None:
    """Write a table whole."""
    lake.overwrite(table, fill(rows.select(*(c.alias(n) for n, c in columns.items())), table))


def add(lake: Lakehouse, table: Any, rows: DataFrame, **columns: Any) -> None:
    """Add rows to a table."""
    frame = fill(rows.select(*(c.alias(n) for n, c in columns.items())), table)
    (lake.append if lake.exists(table) else lake.overwrite)(table, frame)


def measure(lake: Lakehouse, config: AudiencesConfig) -> dict[str, Any]:
    """One run of the stage: seconds, rows, and when each step began."""
    start, steps = time.monotonic(), []
    lake.progress = lambda _, step: steps.append((step, round(time.monotonic() - start, 1)))
    lake.log.forget_everything()
    with lake.writing("audiences"):
        report = run(lake, config, TODAY)
    print(f"{report.seconds:.1f} s, {report.metrics}, {steps}", flush=True)
    return {
        "seconds": report.seconds,
        "steps": steps,
        "rows": report.rows,
        "metrics": report.metrics,
    }


if __name__ == "__main__":
    main()
