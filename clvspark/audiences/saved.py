"""Lists of persons that people save from a notebook: `save_audience`, and `saved: {id: ...}` in rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.rules.standing import AUDIENCE_ID
from clvspark.audiences.tables import DEFINITION, ESTIMATE, SAVED, SAVED_MEMBER
from clvspark.identity.tables import ALIAS, PERSON, resolve_aliases
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError


def save_audience(
    lake: Lakehouse,
    audience_id: str,
    persons: DataFrame | str,
    *,
    name: str = "",
    description: str = "",
    owner: str = "",
    at: datetime | None = None,
) -> int:
    """Keep a list of persons under an id, in place of what was there; return how many they are.

    `persons` is a DataFrame with ``person_id``, or a query in which tables stand in braces: ``SELECT person_id FROM
    {clv.customer_value} WHERE clv > 1000``. Ids that were absorbed since lead to their heirs, an id that is nobody's is
    left out. `at` is now where it is not given. The next run of `clvspark audiences` evaluates the list like any
    audience; a rule names it with ``saved: {id: ...}``. Raises ConfigError if the id, or what is given, is not right.

    >>> guests = lake.table("history.order").where("ordered_at > '2026-03-01'")  # doctest: +SKIP
    >>> save_audience(lake, "spring_guests", guests)  # doctest: +SKIP
    """
    if not re.fullmatch(AUDIENCE_ID, audience_id):
        raise ConfigError("save_audience", [f"{audience_id!r} is no id; use a-z, 0-9 and _"])
    rows = _query(lake, persons) if isinstance(persons, str) else persons
    if "person_id" not in rows.columns:
        raise ConfigError(
            "save_audience", [f"no column person_id; there are {', '.join(rows.columns)}"]
        )
    today = resolve_aliases(rows.select("person_id"), lake.read_or_empty(ALIAS)).distinct()
    known = today.join(lake.read(PERSON), on="person_id", how="left_semi")
    members = known.select(F.lit(audience_id).alias("audience_id"), "person_id").localCheckpoint()
    count = members.count()
    about = [(audience_id, name or audience_id, description, owner, at or datetime.now(UTC), count)]
    with lake.writing("save_audience"):
        lake.overwrite(SAVED_MEMBER, members, where=f"audience_id = '{audience_id}'", cached=True)
        lake.merge(SAVED, lake.spark.createDataFrame(about, SAVED.schema))
    return count


def delete_audience(lake: Lakehouse, audience_id: str) -> None:
    """Delete a saved list; ConfigError if there is none, or if an audience that was evaluated last builds on it."""
    saved = lake.read_or_empty(SAVED)
    if audience_id not in {row[0] for row in saved.select("audience_id").collect()}:
        raise ConfigError("delete_audience", [f"there is no saved audience {audience_id!r}"])
    users = list_users(lake, audience_id)
    if users:
        raise ConfigError(
            "delete_audience",
            [
                f"{', '.join(users)} build on {audience_id}; take it out of their rules, then run clvspark audiences"
            ],
        )
    with lake.writing("delete_audience"):
        for table in (SAVED_MEMBER, SAVED):
            rest = lake.read_or_empty(table).where(F.col("audience_id") != audience_id)
            lake.overwrite(table, rest)


def list_users(lake: Lakehouse, audience_id: str) -> list[str]:
    """Audiences that the last evaluation knew and that build on an audience or a saved list."""
    estimates = lake.read_or_empty(ESTIMATE)
    last = estimates.agg(F.max("as_of_date").alias("as_of_date"))
    now = estimates.join(F.broadcast(last), on="as_of_date").select("audience_id", "version")
    users = (
        lake.read_or_empty(DEFINITION)
        .join(now, on=["audience_id", "version"], how="left_semi")
        .where(F.array_contains("builds_on", audience_id) & (F.col("audience_id") != audience_id))
    )
    return sorted(row[0] for row in users.select("audience_id").collect())


def _query(lake: Lakehouse, text: str) -> DataFrame:
    names = set(re.findall(r"\{([\w.]+)\}", text))
    frames = {name.replace(".", "_"): lake.table(name) for name in names}
    for name in names:
        text = text.replace(f"{{{name}}}", f"{{{name.replace('.', '_')}}}")
    return lake.spark.sql(text, args=None, **frames)
