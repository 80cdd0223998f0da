"""Contracts of the tables `measurement.*`."""

from clvspark.lakehouse.table import Column, Table

_AS_OF = Column("as_of_date", "date", "activation that is judged", key=True)
_AUDIENCE = Column("audience_id", "string", key=True, references="audiences.definition")
_MONEY = "lakehouse currency"
_STATUS = Column(
    "status",
    "string",
    "measured; not_yet_observed: the data end before the window does; too_few_persons: a group is too small; "
    "not_valued: no model had been fitted before the assignment",
    required=True,
    allowed=("measured", "not_yet_observed", "too_few_persons", "not_valued"),
)
_P_VALUE = Column(
    "p_value",
    "double",
    "two-sided, of the studentised permutation test",
    check="p_value BETWEEN 0 AND 1",
)
_COMPARISON = (
    Column("treatment_mean", "double"),
    Column("holdout_mean", "double"),
    Column("difference", "double", "treatment_mean - holdout_mean"),
    Column("ci_low", "double", "95 % interval of the difference, of the same test"),
    Column("ci_high", "double"),
    _P_VALUE,
)


def _adjusted_for(family: str) -> Column:
    """The p-value that is corrected for everything judged together."""
    return Column(
        "p_value_adjusted",
        "double",
        f"corrected by Holm for all {family}",
        check="p_value_adjusted BETWEEN p_value AND 1",
    )


_P_VALUE_ADJUSTED = _adjusted_for("audiences measured on the date")
_IS_SIGNIFICANT = Column("is_significant", "boolean", "p_value_adjusted is at most 0.05")
_OUTCOME = Column(
    "outcome",
    "string",
    "of a person in the window: margin, revenue, purchases, visits (days with one); at its end: residual_value, "
    "predicted with the parameters known before the assignment",
    key=True,
)
_MEASURED_OR_NULL = {
    "only_what_was_measured_has_a_p_value": "(status = 'measured') = (p_value IS NOT NULL)",
    "significance_follows_from_the_corrected_value": "is_significant = (p_value_adjusted <= 0.05)",
}

RESPONSE = Table(
    "measurement.response",
    "What a person did in the window after activation: with a campaign, by coming or buying, by answering a survey.",
    (
        Column(
            "event_id",
            "string",
            "of history.interaction; of a purchase 'order:' and its order_id",
            key=True,
            references="history.interaction",
        ),
        _AS_OF,
        Column("person_id", "string", required=True, references="identity.person"),
        Column("campaign_id", "string", references="sources.campaign"),
        Column("response_type", "string", required=True),
        Column("responded_at", "timestamp", required=True),
        Column("audience_ids", "array<string>", "audiences the person was in on as_of_date"),
        Column("clv_decile", "int", check="clv_decile BETWEEN 1 AND 10"),
        Column("channel", "string"),
        Column(
            "is_bot",
            "boolean",
            "an open or click that measurement.bots takes for a machine's; kept, to be left out of rates",
            required=True,
        ),
    ),
    cluster_by=("as_of_date", "person_id"),
)
CHECKPOINT = Table(
    "measurement.checkpoint",
    "How far a process has read a table, one row a run: the next run reads what has changed since.",
    (
        Column("process", "string", key=True),
        _AS_OF,
        Column("table_name", "string", "that was read", key=True),
        Column("recorded_at", "timestamp", "end of the run", key=True),
        Column("status", "string", required=True, allowed=("success", "failed")),
        Column(
            "mode",
            "string",
            "full: everything was built anew; incremental: only who was touched",
            allowed=("full", "incremental"),
        ),
        Column(
            "last_table_version",
            "bigint",
            "version up to which the results are; of a failed run that of the last success; NULL: none",
        ),
    ),
    checks={"success_has_a_mode": "status = 'failed' OR mode IS NOT NULL"},
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
        _OUTCOME,
        _STATUS,
        Column("window_days", "int", unit="day", required=True),
        Column("days_observed", "int", "of the window, by the last order known", unit="day"),
        Column("treatment_persons", "bigint", "assigned to treatment", required=True),
        Column("holdout_persons", "bigint", "assigned to the holdout", required=True),
        *_COMPARISON,
        _P_VALUE_ADJUSTED,
        _IS_SIGNIFICANT,
        Column("sample_ratio_p_value", "double", "of the group sizes, given the holdout share"),
        Column("cuped_difference", "double", "less what the value before explains; NULL: nothing"),
        Column("cuped_ci_low", "double", "95 % interval of cuped_difference"),
        Column("cuped_ci_high", "double"),
        Column("cuped_p_value", "double", "not corrected", check="cuped_p_value BETWEEN 0 AND 1"),
        Column("cuped_theta", "double", "slope of the outcome on the predicted value before"),
        Column(
            "cuped_correlation",
            "double",
            "of both; CUPED leaves 1 - its square of the variance",
            check="cuped_correlation BETWEEN -1 AND 1",
        ),
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
EXPERIMENT_SEGMENT = Table(
    "measurement.experiment_segment",
    "Treatment against holdout within a decile of CLV or a lifecycle stage, as both were before the assignment.",
    (
        _AS_OF,
        _AUDIENCE,
        Column("segment_kind", "string", key=True, allowed=("clv_decile", "lifecycle_stage")),
        Column("segment", "string", "unknown: had no value before", key=True),
        Column("outcome", "string", "margin or residual_value", key=True),
        _STATUS,
        Column("treatment_persons", "bigint", required=True),
        Column("holdout_persons", "bigint", required=True),
        *_COMPARISON,
        _adjusted_for("segments of the kind measured on the date"),
        _IS_SIGNIFICANT,
    ),
    checks=_MEASURED_OR_NULL,
)
EFFECT = Table(
    "measurement.effect",
    "What acting on an audience brought, as it is reported. Realised and predicted stand side by side and are never "
    "added.",
    (
        _AS_OF,
        _AUDIENCE,
        Column(
            "effect",
            "string",
            "people: assigned to treatment; extra_*: in all; extra_clv_per_person: of one",
            key=True,
        ),
        Column(
            "kind",
            "string",
            "whether it has come true, or is predicted",
            required=True,
            allowed=("count", "realised", "predicted"),
        ),
        _STATUS,
        Column("value", "double", "money in the lakehouse currency"),
        Column("ci_low", "double", "95 % interval"),
        Column("ci_high", "double"),
        Column("cuped_value", "double", "the same by CUPED"),
        Column("cuped_ci_low", "double"),
        Column("cuped_ci_high", "double"),
    ),
    checks={"only_what_was_measured_has_a_value": "(status = 'measured') = (value IS NOT NULL)"},
)
POWER = Table(
    "measurement.power",
    "What an experiment can find, from what its people did in the window before; known before anything is sent.",
    (
        _AS_OF,
        _AUDIENCE,
        Column("outcome", "string", "margin, revenue, purchases or visits", key=True),
        Column(
            "basis",
            "string",
            "assigned: the groups as dealt; members: not activated yet, members shared out as planned",
            required=True,
            allowed=("assigned", "members"),
        ),
        Column(
            "history_days", "int", "before as_of_date, that mean and deviation are of", unit="day"
        ),
        Column("treatment_persons", "bigint", required=True),
        Column("holdout_persons", "bigint", required=True),
        Column("mean_before", "double", "of a person in the window before"),
        Column("standard_deviation_before", "double"),
        Column(
            "power",
            "double",
            "chance to find the effect; NULL where none can be foreseen",
            check="power BETWEEN 0 AND 1",
        ),
        Column(
            "minimum_detectable_effect",
            "double",
            "difference a person, found with this chance, two-sided at 0.05; NULL where none can be foreseen",
            check="minimum_detectable_effect >= 0",
        ),
        Column(
            "status",
            "string",
            "foreseen; too_few_persons: a group is too small; all_alike_before: all did the same in the window before, "
            "which says nothing of what they may do; NULL: written before this was told",
            allowed=("foreseen", "too_few_persons", "all_alike_before"),
        ),
    ),
)
TARGETING = Table(
    "measurement.targeting",
    "Whether acting on those with the highest score first pays: the uplift curve of margin net of the cost of contact. "
    "No rows: too few persons for two steps.",
    (
        _AS_OF,
        _AUDIENCE,
        Column("score", "string", "as it was before the assignment", key=True),
        Column("step", "int", "1: highest scores", key=True, check="step >= 1"),
        Column("treatment_persons", "bigint", required=True),
        Column("holdout_persons", "bigint", required=True),
        Column("share_targeted", "double", "of all persons, in this step and those before"),
        Column("lowest_score", "double", "of the step, to three significant digits"),
        Column("difference", "double", "net of cost, a person of the step", unit=_MONEY),
        Column("ci_low", "double", "95 % interval of difference", unit=_MONEY),
        Column("ci_high", "double", unit=_MONEY),
        Column(
            "cumulative_gain",
            "double",
            "of acting on this step and those before, a person of the audience",
            unit=_MONEY,
        ),
        Column("auuc", "double", "area under the curve", unit=_MONEY),
        Column("qini", "double", "area between the curve and that of chance", unit=_MONEY),
        Column("qini_ci_low", "double", "95 % interval of qini", unit=_MONEY),
        Column("qini_ci_high", "double", unit=_MONEY),
    ),
)
OFFER_OUTCOME = Table(
    "measurement.offer_outcome",
    "What came of the decisions of a day, by context and offer; a posterior is the prior and all sums before a date.",
    (
        Column("context", "string", "as the decision has it, e.g. decile and stage", key=True),
        Column("offer_id", "string", "an offer, or what stands for none", key=True),
        Column("decided_on", "date", key=True),
        Column("trials", "bigint", "decisions whose window is over", check="trials >= 1"),
        Column(
            "successes", "bigint", "of them, followed by a purchase in the window", required=True
        ),
        Column(
            "margin_sum",
            "decimal(18,2)",
            "margin in the windows, before the cost of the offer",
            required=True,
            unit=_MONEY,
        ),
        Column(
            "margin_square_sum",
            "decimal(38,4)",
            "of the squares of each decision's margin",
            required=True,
            check="margin_square_sum >= 0",
        ),
    ),
    checks={"successes_are_trials": "successes BETWEEN 0 AND trials"},
)
JOURNEY_OUTCOME = Table(
    "measurement.journey_outcome",
    "What the goal of a moment is measured by, of one journey, once its days were over; a run of the day of its "
    "entry looks at it again. Of a "
    "person the first journey of a moment counts, if they could be told about one of its steps.",
    (
        Column("journey_id", "string", key=True, references="audiences.journey"),
        Column("measure", "string", "of the goal", key=True),
        Column(
            "within_days", "int", "of the entry", key=True, unit="day", check="within_days >= 1"
        ),
        Column("moment_id", "string", required=True),
        Column("person_id", "string", required=True, references="identity.person"),
        Column(
            "split_group",
            "string",
            "as activation.assignment dealt the person on the first step that was due",
            required=True,
            check="split_group IN ('treatment', 'holdout')",
        ),
        Column("entered_on", "date", required=True),
        Column("value", "decimal(18,2)", "money in the lakehouse currency", required=True),
    ),
    cluster_by=("moment_id",),
)
MOMENT_GOAL = Table(
    "measurement.moment_goal",
    "Whether a moment reaches its goal: journeys of treatment against those of the holdout, by intention to treat, "
    "over all journeys that were entered by the date and whose days are over.",
    (
        Column("as_of_date", "date", key=True),
        Column("moment_id", "string", key=True),
        Column("measure", "string", "of the goal", required=True),
        Column("within_days", "int", "of the entry", unit="day", required=True),
        Column(
            "status",
            "string",
            "measured; not_yet_observed: no journey's days are over, or no model had been fitted before; "
            "too_few_persons: a group is too small",
            required=True,
            allowed=("measured", "not_yet_observed", "too_few_persons"),
        ),
        Column("treatment_persons", "bigint", "whose days are over", required=True),
        Column("holdout_persons", "bigint", "whose days are over", required=True),
        *_COMPARISON,
        _adjusted_for("moments measured on the date"),
        _IS_SIGNIFICANT,
    ),
    checks=_MEASURED_OR_NULL,
)
TABLES = (
    RESPONSE,
    CHECKPOINT,
    WINDOW,
    EXPERIMENT,
    INCREMENTAL_VALUE,
    EXPERIMENT_SEGMENT,
    EFFECT,
    POWER,
    TARGETING,
    OFFER_OUTCOME,
    JOURNEY_OUTCOME,
    MOMENT_GOAL,
)
