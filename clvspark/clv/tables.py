"""Contracts of the tables `clv.*`."""

from clvspark.lakehouse.table import Column, Table

_MONEY = "lakehouse currency"


def _interval(name: str, comment: str, unit: str | None = None) -> tuple[Column, Column]:
    """Both ends of a central interval of 80 %."""
    return tuple(  # type: ignore[return-value]
        Column(f"{name}_{end}", "double", f"{which} end of 80 % {comment}", unit=unit)
        for end, which in (("low", "lower"), ("high", "upper"))
    )


MODEL = Table(
    "clv.model",
    "Fitted models with their parameters, enough to score without unpickling anything.",
    (
        Column("model_id", "string", "digest of the document", key=True),
        Column("as_of_date", "date", "first day not seen by the fit", key=True),
        Column("kind", "string", required=True, check="kind IN ('transaction', 'spend')"),
        Column(
            "name",
            "string",
            "as in clv.models, with the ending WithCovariates or BySegment where it is fitted so; else the class",
            required=True,
        ),
        Column("is_champion", "boolean", "scores; chosen on the holdout", required=True),
        Column(
            "parameters",
            "map<string,double>",
            "coefficients of covariates among them; of a model by segment those of the whole",
            required=True,
        ),
        Column("standard_errors", "map<string,double>", "Wald, delta method"),
        Column("log_likelihood", "double", "in the model's time unit"),
        Column("customers", "bigint", check="customers >= 0"),
        Column("document", "string", "JSON of the model", required=True),
        Column(
            "priced",
            "string",
            "what a spend model is of: revenue or margin; NULL of a transaction model",
            allowed=("revenue", "margin"),
        ),
        Column("registry_version", "string", "version in the MLflow registry"),
    ),
    checks={"spend_is_of_something": "(priced IS NOT NULL) = (kind = 'spend')"},
)
SEGMENT_MODEL = Table(
    "clv.segment_model",
    "Parameters of the customers of one segment, of a model that is fitted by segment, and where they come from.",
    (
        Column("model_id", "string", key=True, references="clv.model"),
        Column("segment", "string", "labels, in the order of clv.segments.by", key=True),
        Column("as_of_date", "date", "first day not seen by the fit", key=True),
        Column("labels", "map<string,string>", "label by name", required=True),
        Column(
            "status",
            "string",
            "fitted: by its own customers, drawn towards the others as far as these leave it open; pooled: too few to "
            "be fitted alone; prior_only: the parameters are those of the whole",
            required=True,
            allowed=("fitted", "pooled", "prior_only"),
        ),
        Column("reason", "string", "why it could not be fitted alone"),
        Column("customers", "bigint", required=True, check="customers >= 1"),
        Column("parameters", "map<string,double>", required=True),
        Column(
            "standard_errors", "map<string,double>", "of the posterior, Laplace's approximation"
        ),
    ),
    checks={"not_fitted_for_a_reason": "(status = 'fitted') = (reason IS NULL)"},
)
_MODEL = Column(
    "model", "string", "model, baseline (LastPeriod, SimpleFormula) or challenger", key=True
)
_ORIGIN = Column(
    "fold_origin", "date", "first day of the holdout, not seen by the fit; newest first", key=True
)
BACKTEST = Table(
    "clv.backtest",
    "How well a model fitted before a date predicted what came after it, by fold; which models could not be fitted, "
    "and why.",
    (
        Column("as_of_date", "date", "end of the newest holdout", key=True),
        _MODEL,
        _ORIGIN,
        Column(
            "measure",
            "string",
            "of purchase days; of value with the prefix value_; `fitted`: whether the model was; "
            "`interval_coverage`: share of some 20,000 persons that intervals of 80 % of the model of the fold held, a "
            "jump counted by the part that is within; `interval_coverage_closed`: bounds and all of a jump included; "
            "`interval_width`: mean width, in purchase days or currency",
            key=True,
        ),
        Column("value", "double", "of the measure `fitted`: 1 in the competition, 0 left out"),
        Column(
            "role",
            "string",
            "candidate: may become the champion; baseline and challenger are judged beside them",
            required=True,
            allowed=("candidate", "baseline", "challenger"),
        ),
        Column("holdout_days", "int", unit="day", required=True),
        Column(
            "reason", "string", "why the model could not be fitted; NULL of every other measure"
        ),
    ),
    checks={"left_out_for_a_reason": "(measure = 'fitted' AND value = 0) = (reason IS NOT NULL)"},
)
BACKTEST_DECILE = Table(
    "clv.backtest_decile",
    "Tenths of the customers by what was predicted of them, and what came.",
    (
        Column("as_of_date", "date", "end of the newest holdout", key=True),
        _MODEL,
        _ORIGIN,
        Column(
            "outcome",
            "string",
            "purchases: purchase days; value: net revenue or margin, as clv.value says",
            key=True,
            allowed=("purchases", "value"),
        ),
        Column("decile", "int", "1: predicted highest", key=True, check="decile BETWEEN 1 AND 10"),
        Column("customers", "bigint", required=True, check="customers >= 1"),
        Column("mean_predicted", "double", "of a customer", required=True),
        Column("mean_actual", "double", "of a customer", required=True),
        Column(
            "cumulative_share",
            "double",
            "of all that was actual, held by this decile and those before it; NULL where nothing was",
        ),
    ),
)
NEWEST_FOLD = "fold_origin = date_sub(as_of_date, holdout_days)"
"""SQL predicate of the rows of clv.backtest of the newest holdout, which ends at `as_of_date`."""
CUSTOMER_VALUE = Table(
    "clv.customer_value",
    "What a person has been worth and is expected to be worth, on a date.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column("as_of_date", "date", key=True),
        Column(
            "p_alive",
            "double",
            "probability that the person is still a customer: has not left, and may buy again",
            check="p_alive BETWEEN 0 AND 1",
        ),
        Column(
            "expected_purchases",
            "double",
            "purchase days within the horizon",
            check="expected_purchases >= 0",
        ),
        Column("expected_spend", "double", "value of one future purchase day", unit=_MONEY),
        Column("residual_value", "double", "discounted value of the horizon", unit=_MONEY),
        Column(
            "expected_residual_value",
            "double",
            "what residual_value was expected to be by now, by what was known clv.decline_days before; NULL for who "
            "had not bought then",
            unit=_MONEY,
        ),
        Column("value_to_expected", "double", "residual_value / expected_residual_value"),
        Column(
            "chance_of_so_few",
            "double",
            "how likely at most so many purchase days within clv.decline_days were, by what was known before them, of "
            "a customer who has not left; small: no accident",
            check="chance_of_so_few BETWEEN 0 AND 1",
        ),
        *_interval("p_alive", "of p_alive, as far as the parameters are known"),
        *_interval(
            "expected_purchases", "of expected_purchases, as far as the parameters are known"
        ),
        *_interval(
            "residual_value",
            "of residual_value, as far as parameters and identity are known",
            unit=_MONEY,
        ),
        *_interval("outcome_purchases", "of the purchase days that the horizon will hold"),
        *_interval(
            "outcome_value",
            "of what the person will bring within the horizon, discounted, own chance and doubt about identity "
            "included; NULL where the mean spend has no interval",
            unit=_MONEY,
        ),
        Column(
            "p_top_decile",
            "double",
            "probability that the person will be of the tenth that brings most within the horizon",
            check="p_top_decile BETWEEN 0 AND 1",
        ),
        Column(
            "link_doubt",
            "double",
            "1 - probability of the weakest link between records of the person",
            check="link_doubt BETWEEN 0 AND 1",
        ),
        Column("historical_value", "double", "value of all purchases so far", unit=_MONEY),
        Column("clv", "double", "historical_value + residual_value", unit=_MONEY),
        Column(
            "simple_clv",
            "double",
            "purchase value x purchases a year x relationship years",
            unit=_MONEY,
        ),
        Column(
            "lifecycle_stage", "string", "new, growing, core, slipping or lapsed", required=True
        ),
        Column("horizon_days", "int", unit="day", required=True),
        Column("model_id", "string", "transaction model", required=True, references="clv.model"),
    ),
    cluster_by=("as_of_date", "person_id"),
    change_feed=True,
)
VALUE_CHANGE = Table(
    "clv.value_change",
    "The value of a person on a date against the value that was expected to be then, some days before.",
    (
        Column("person_id", "string", key=True, references="identity.person"),
        Column("as_of_date", "date", key=True),
        Column("expected_on", "date", "by what was known before this day", required=True),
        Column("residual_value", "double", "of clv.customer_value", unit=_MONEY),
        Column("expected_residual_value", "double", "of clv.customer_value", unit=_MONEY),
        Column("value_change", "double", "residual_value - expected_residual_value", unit=_MONEY),
        *_interval("value_change", "as far as parameters and identity are known", unit=_MONEY),
        Column("value_to_expected", "double", "residual_value / expected_residual_value"),
        Column(
            "chance_of_so_few",
            "double",
            "how likely so few purchases since were by accident",
            check="chance_of_so_few BETWEEN 0 AND 1",
        ),
        Column(
            "is_declining",
            "boolean",
            "begins by clv.decline.below and clv.decline.chance, ends at clv.decline.recovered_from",
            required=True,
        ),
        Column("declining_since", "date", "first date on which it was seen; NULL: not declining"),
    ),
    checks={"since_when": "is_declining = (declining_since IS NOT NULL)"},
    cluster_by=("as_of_date", "person_id"),
    change_feed=True,
)
TABLES = (MODEL, SEGMENT_MODEL, BACKTEST, BACKTEST_DECILE, CUSTOMER_VALUE, VALUE_CHANGE)
