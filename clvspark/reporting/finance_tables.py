"""Contracts of the facts that finance reads: cohorts, equity, acquisition, forecasts, sensitivity, attribution."""

from clvspark.history.tables import ATTRIBUTION_METHODS
from clvspark.lakehouse.table import MONEY, Column, Table

_AS_OF = Column("as_of_date", "date", key=True)
_CURRENCY = "lakehouse currency"
_COHORT = Column("cohort_month", "date", "first day of the month of the first purchase", key=True)
_CHANNEL = Column(
    "channel", "string", "of the first purchase", key=True, references="reporting.dim_channel"
)

FACT_COHORT_MONTH = Table(
    "reporting.fact_cohort_month",
    "What customers acquired in one month and channel did in one later month, by what is known on a date.",
    (
        _AS_OF,
        _COHORT,
        _CHANNEL,
        Column(
            "age_months",
            "int",
            "whole months since cohort_month",
            key=True,
            check="age_months >= 0",
        ),
        Column("active_customers", "bigint", "with a purchase that stands", required=True),
        Column("orders", "bigint", "that stand", required=True),
        Column("net_revenue", MONEY, required=True, unit=_CURRENCY),
        Column("margin", MONEY, required=True, unit=_CURRENCY),
    ),
)
FACT_CUSTOMER_EQUITY = Table(
    "reporting.fact_customer_equity",
    "What the customers acquired in one month and channel have been worth, and are expected to be.",
    (
        _AS_OF,
        _COHORT,
        _CHANNEL,
        Column("customers", "bigint", required=True),
        Column("active_customers", "double", "sum of P(alive)", required=True),
        Column("historical_value", "double", required=True, unit=_CURRENCY),
        Column(
            "residual_value",
            "double",
            "customer equity: of the horizon, discounted",
            unit=_CURRENCY,
        ),
        Column("clv", "double", "historical_value + residual_value", unit=_CURRENCY),
    ),
)
FACT_ACQUISITION = Table(
    "reporting.fact_acquisition",
    "Customers acquired by channel within the time of which the spend is configured, and what they cost and bring.",
    (
        _AS_OF,
        _CHANNEL,
        Column("starts_on", "date", "first day of the spend", required=True),
        Column("ends_on", "date", "last day of the spend, inclusive", required=True),
        Column("spend", MONEY, "of reporting.acquisition_spend", required=True, unit=_CURRENCY),
        Column("new_customers", "bigint", "acquired in these months", required=True),
        Column("clv", "double", "of all of them", unit=_CURRENCY),
        Column("margin", MONEY, "of all of them so far", unit=_CURRENCY),
        Column("payback_months", "int", "until their margin had reached the spend; NULL: not yet"),
    ),
    checks={"not_reversed": "ends_on >= starts_on"},
)
FACT_FORECAST = Table(
    "reporting.fact_forecast",
    "What the customers known on a date were expected to bring in a month after it, and what they brought.",
    (
        _AS_OF,
        Column("month_starts_on", "date", "the first month begins on as_of_date", key=True),
        Column("ends_before", "date", "first day after the month", required=True),
        Column("customers", "bigint", required=True),
        Column("expected_purchases", "double", "purchase days", required=True),
        Column("expected_value", "double", "not discounted", required=True, unit=_CURRENCY),
        Column("actual_purchases", "bigint", "NULL until the month has been observed to its end"),
        Column("actual_value", MONEY, "of the same kind of value; NULL likewise", unit=_CURRENCY),
    ),
)
FACT_SENSITIVITY = Table(
    "reporting.fact_sensitivity",
    "Customer equity at another horizon and discount rate; from the forecast by month, discounted from its middle.",
    (
        _AS_OF,
        Column("horizon_months", "int", key=True, check="horizon_months >= 1"),
        Column("annual_discount_rate", "double", key=True, check="annual_discount_rate >= 0"),
        Column("customer_equity", "double", required=True, unit=_CURRENCY),
    ),
)
NO_CAMPAIGN = "none"
FACT_ATTRIBUTION = Table(
    "reporting.fact_attribution",
    "Orders placed before a date, and what they have come to, by what led to them; each method adds up to the orders.",
    (
        _AS_OF,
        Column("method", "string", key=True, allowed=ATTRIBUTION_METHODS),
        Column(
            "touchpoint_channel",
            "string",
            "direct: no touchpoint led to the order",
            key=True,
            references="reporting.dim_channel",
        ),
        Column(
            "campaign_id",
            "string",
            f"{NO_CAMPAIGN}: of no campaign",
            key=True,
            references="reporting.dim_campaign",
        ),
        Column(
            "persons",
            "bigint",
            "whose orders it led to; a person counts in several rows",
            required=True,
        ),
        Column("orders", "double", "sum of the credits", required=True),
        Column("net_revenue", MONEY, required=True, unit=_CURRENCY),
        Column("margin", MONEY, required=True, unit=_CURRENCY),
    ),
)
TABLES = (
    FACT_COHORT_MONTH,
    FACT_CUSTOMER_EQUITY,
    FACT_ACQUISITION,
    FACT_FORECAST,
    FACT_ATTRIBUTION,
    FACT_SENSITIVITY,
)
