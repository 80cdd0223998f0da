"""Definitions as the tables keep them, and those that the tables add."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.config import AudiencesConfig
from clvspark.audiences.rules import AudienceDefinition, InAudience, Saved, Similar
from clvspark.audiences.schedule import LastTurn
from clvspark.audiences.tables import DEFINITION, ESTIMATE, SAVED
from clvspark.lakehouse import Lakehouse
from clvspark.lakehouse.errors import ConfigError


def with_saved_lists(lake: Lakehouse, config: AudiencesConfig) -> list[AudienceDefinition]:
    """The definitions of the configuration in their order, after them an audience for each saved list.

    Raises ConfigError where a list is saved under the id of an audience that is defined.
    """
    columns = ("audience_id", "name", "description", "owner")
    rows = lake.read_or_empty(SAVED).select(*columns).orderBy("audience_id").collect()
    taken = sorted({definition.id for definition in config.definitions} & {row[0] for row in rows})
    if taken:
        fault = f"{', '.join(taken)} is the id of a saved list as well; rename the audience, or delete the list"
        raise ConfigError("audiences.definitions", [fault])
    saved = [
        AudienceDefinition.model_validate(
            {
                "id": row["audience_id"],
                "name": row["name"],
                "description": row["description"] or "",
                "owner": row["owner"] or "",
                "include": {"saved": {"id": row["audience_id"]}},
            }
        )
        for row in rows
    ]
    return [*config.in_order, *saved]


def refuse_changed_rules(lake: Lakehouse, config: AudiencesConfig) -> None:
    """ConfigError naming the audiences whose rule is not that which their version had: memberships point to it."""
    rows = lake.read_or_empty(DEFINITION).select("audience_id", "version", "rule").collect()
    faults = config.list_changed_rules({(r[0], r[1]): json.loads(r[2]) for r in rows})
    if faults:
        raise ConfigError("audiences.definitions", faults)


def read_turns(lake: Lakehouse, as_of: date) -> dict[str, LastTurn]:
    """When each audience was evaluated last before a date."""
    before = lake.read_or_empty(ESTIMATE).where(F.col("as_of_date") < F.lit(as_of))
    newest = F.max_by(F.struct("version", "evaluated_on"), "as_of_date").alias("last")
    known = before.where("evaluated_on IS NOT NULL").groupBy("audience_id").agg(newest)
    return {row[0]: LastTurn(*row[1]) for row in known.collect()}


def list_definitions(lake: Lakehouse, definitions: Sequence[AudienceDefinition]) -> DataFrame:
    """Rows of audiences.definition."""
    rows = [
        (
            d.id,
            d.version,
            d.name,
            d.description,
            d.owner,
            d.model_dump_json(exclude_none=True),
            d.labels,
            d.schedule,
            d.evaluation,
            _list_uses(d),
            d.batch_reasons,
        )
        for d in definitions
    ]
    return lake.spark.createDataFrame(rows, DEFINITION.schema)


def _list_uses(definition: AudienceDefinition) -> list[str]:
    """Ids that a rule names: of audiences, and of saved lists."""
    found = [
        c.to if isinstance(c, Similar) else c.id
        for c in definition.conditions
        if isinstance(c, InAudience | Similar | Saved)
    ]
    return list(dict.fromkeys(found))
