"""Contracts of the tables `measurement.*`."""

from clvspark.lakehouse.table import Column, Table

_AS_OF = Column("as_of_date", "date", "activation that is judged", key=True)
_MONEY = "lakehouse currency"

RESPONSE = Table(
    "measurement.response",
    "What a person did with a campaign in the window after activation.",
    (
        Column("event_id", "string", key=True, references="history.interaction"),
        _AS_OF,
        Column("person_id", "string", required=True, references="identity.person"),
        Column("campaign_id", "string", references="sources.campaign"),
        Column("response_type", "string", required=True),
        Column("responded_at", "timestamp", required=True),
        Column("audience_ids", "array<string>", "audiences the person was in on as_of_date"),
        Column("clv_decile", "int", check="clv_decile BETWEEN 1 AND 10"),
    ),
)
EXPERIMENT = Table(
    "measurement.experiment",
    "Treatment against holdout, by intention to treat, for each audience that was activated.",
    (
        _AS_OF,
        Column("audience_id", "string", key=True, references="audiences.definition"),
        Column(
            "outcome", "string", "margin, revenue or purchases a person in the window", key=True
        ),
        Column("window_days", "int", unit="day", required=True),
        Column("treatment_persons", "bigint", required=True),
        Column("holdout_persons", "bigint", required=True),
        Column("treatment_mean", "double"),
        Column("holdout_mean", "double"),
        Column("difference", "double", "treatment_mean - holdout_mean"),
        Column("ci_low", "double", "95 % confidence interval of the difference (Welch)"),
        Column("ci_high", "double"),
        Column("sample_ratio_p_value", "double", "of the group sizes, given the holdout share"),
    ),
)
INCREMENTAL_VALUE = Table(
    "measurement.incremental_value",
    "What activating an audience was worth: the difference a person times the persons treated.",
    (
        _AS_OF,
        Column("audience_id", "string", key=True, references="audiences.definition"),
        Column("treated_persons", "bigint", required=True),
        Column("realised_margin", "double", "incremental margin in the window", unit=_MONEY),
        Column("ci_low", "double", unit=_MONEY),
        Column("ci_high", "double", unit=_MONEY),
        Column("is_significant", "boolean", "the interval leaves out 0"),
    ),
)
TABLES = (RESPONSE, EXPERIMENT, INCREMENTAL_VALUE)
