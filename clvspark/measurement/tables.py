"""Contracts of the tables `measurement.*`."""

from clvspark.lakehouse.table import Column, Table

_AS_OF = Column("as_of_date", "date", "activation that is judged", key=True)
_AUDIENCE = Column("audience_id", "string", key=True, references="audiences.definition")
_MONEY = "lakehouse currency"
_STATUS = Column(
    "status",
    "string",
    "measured; not_yet_observed: the data end before the window does; too_few_persons: a group is too small",
    required=True,
    check="status IN ('measured', 'not_yet_observed', 'too_few_persons')",
)
_P_VALUE = Column(
    "p_value",
    "double",
    "two-sided, of the studentised permutation test",
    check="p_value BETWEEN 0 AND 1",
)
_P_VALUE_ADJUSTED = Column(
    "p_value_adjusted",
    "double",
    "corrected by Holm for all audiences measured on the date",
    check="p_value_adjusted BETWEEN p_value AND 1",
)
_IS_SIGNIFICANT = Column("is_significant", "boolean", "p_value_adjusted is at most 0.05")
_MEASURED_OR_NULL = {
    "only_what_was_measured_has_a_p_value": "(status = 'measured') = (p_value IS NOT NULL)",
    "significance_follows_from_the_corrected_value": "is_significant = (p_value_adjusted <= 0.05)",
}

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
WINDOW = Table(
    "measurement.window",
    "How far the window after an activation has been observed; before its end nothing in it is measured.",
    (
        _AS_OF,
        Column("window_days", "int", unit="day", required=True),
        Column("days_observed", "int", unit="day", required=True, check="days_observed >= 0"),
        Column(
            "last_order_on",
            "date",
            "newest order or refund of anybody up to the day of the run; NULL where none is known",
        ),
    ),
    checks={"no_longer_than_the_window": "days_observed <= window_days"},
)
EXPERIMENT = Table(
    "measurement.experiment",
    "Treatment against holdout, by intention to treat: everyone who could be told about for the audience when it "
    "was activated, as activation.assignment has them.",
    (
        _AS_OF,
        _AUDIENCE,
        Column(
            "outcome", "string", "margin, revenue or purchases a person in the window", key=True
        ),
        _STATUS,
        Column("window_days", "int", unit="day", required=True),
        Column("days_observed", "int", "of the window, by the last order known", unit="day"),
        Column("treatment_persons", "bigint", "assigned to treatment", required=True),
        Column("holdout_persons", "bigint", "assigned to the holdout", required=True),
        Column("treatment_mean", "double"),
        Column("holdout_mean", "double"),
        Column("difference", "double", "treatment_mean - holdout_mean"),
        Column("ci_low", "double", "95 % interval of the difference, of the same test"),
        Column("ci_high", "double"),
        _P_VALUE,
        _P_VALUE_ADJUSTED,
        _IS_SIGNIFICANT,
        Column("sample_ratio_p_value", "double", "of the group sizes, given the holdout share"),
    ),
    checks=_MEASURED_OR_NULL,
)
INCREMENTAL_VALUE = Table(
    "measurement.incremental_value",
    "Realised incremental margin of activating an audience: the difference a person times the persons assigned to "
    "treatment. It has come true; predicted CLV is another thing and is never added to it.",
    (
        _AS_OF,
        _AUDIENCE,
        _STATUS,
        Column("treatment_persons", "bigint", "assigned to treatment", required=True),
        Column("holdout_persons", "bigint", "assigned to the holdout", required=True),
        Column("incremental_margin", "double", "realised in the window", unit=_MONEY),
        Column("ci_low", "double", "95 % interval", unit=_MONEY),
        Column("ci_high", "double", unit=_MONEY),
        _P_VALUE,
        _P_VALUE_ADJUSTED,
        _IS_SIGNIFICANT,
    ),
    checks=_MEASURED_OR_NULL,
)
TABLES = (RESPONSE, WINDOW, EXPERIMENT, INCREMENTAL_VALUE)
