"""Contracts of the facts of how good and how well run things are: models, identity, quarantine, operations."""

from clvspark.lakehouse.table import Column, Table

_AS_OF = Column("as_of_date", "date", key=True)
ASPECTS = (
    "records_of_person",
    "match_weight_of_pair",
    "comparison_level",
    "unlinkable_share",
    "guard",
)

FACT_MODEL_QUALITY = Table(
    "reporting.fact_model_quality",
    "Every measure of model and identity quality, by date.",
    (
        _AS_OF,
        Column("model", "string", "identity, or a model as clv.model names it", key=True),
        Column("measure", "string", key=True),
        Column("value", "double"),
        Column(
            "kind",
            "string",
            "backtest: newest holdout; parameter, fit: of the fitted model; identity: newest resolution",
            required=True,
            allowed=("backtest", "parameter", "fit", "identity"),
        ),
        Column("standard_error", "double", "of a parameter"),
        Column("is_champion", "boolean", "the model values everybody", required=True),
    ),
)
FACT_IDENTITY = Table(
    "reporting.fact_identity",
    "How records became persons, counted: one row a step of a distribution.",
    (
        _AS_OF,
        Column(
            "aspect",
            "string",
            "what is counted: persons by records, pairs by match weight, bits of a comparison level, records that "
            "cannot be linked at a threshold, cases of a guard",
            key=True,
            allowed=ASPECTS,
        ),
        Column("item", "string", "step of the distribution", key=True),
        Column("position", "int", "place of the step", required=True),
        Column("value", "double", "persons, pairs, bits, share or cases", required=True),
        Column("records", "bigint", "of the cases of a guard"),
    ),
)
FACT_QUARANTINE = Table(
    "reporting.fact_quarantine",
    "Rows kept out by system, table and reason, as of the run for a date.",
    (
        _AS_OF,
        Column("source_system", "string", key=True),
        Column("target_table", "string", key=True),
        Column("reason", "string", key=True),
        Column("rows", "bigint", required=True, check="rows >= 1"),
        Column(
            "net_revenue", "decimal(18,2)", "as far as it can be read", unit="lakehouse currency"
        ),
    ),
)
FACT_OPERATION = Table(
    "reporting.fact_operation",
    "Numbers of the newest run of each stage that did its work for a date.",
    (
        _AS_OF,
        Column("stage", "string", key=True),
        Column("measure", "string", "seconds, rows_written, or as in ops.metric", key=True),
        Column("value", "double"),
        Column(
            "kind",
            "string",
            required=True,
            allowed=("run", "metric", "warning"),
        ),
        Column("text", "string", "what is warned of"),
        Column("started_at", "timestamp", "of the run", required=True),
    ),
)
TABLES = (FACT_MODEL_QUALITY, FACT_IDENTITY, FACT_QUARANTINE, FACT_OPERATION)
