"""The parts of the star schema: what each is built from, so that only those are built whose inputs have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import DELIVERY
from clvspark.audiences.tables import DECILE, DEFINITION, ESTIMATE, MEMBERSHIP_EVENT
from clvspark.clv.tables import BACKTEST, CUSTOMER_VALUE, MODEL, NEWEST_FOLD
from clvspark.history.tables import ATTRIBUTION, CLV_SUMMARY, INTERACTION, ORDER, PERSON_DAY
from clvspark.identity.tables import ALIAS, PAIR, PERSON, PERSON_LINK, REVIEW, SHARED_IDENTIFIER
from clvspark.identity.tables import MODEL as IDENTITY_MODEL
from clvspark.lakehouse.run_log import METRIC, RUN, newest_runs
from clvspark.lakehouse.table import Table
from clvspark.measurement.tables import RESPONSE, WINDOW
from clvspark.reporting import (
    dimensions,
    facts,
    finance_facts,
    finance_tables,
    quality_facts,
    quality_tables,
    tables,
)
from clvspark.reporting.moment import Moment
from clvspark.sources.tables import CAMPAIGN, CAMPAIGN_MEMBER, QUARANTINE

_CONTACTS = (INTERACTION, CAMPAIGN, CAMPAIGN_MEMBER, PERSON_LINK, RESPONSE, ALIAS, WINDOW)
_FORECAST = (CLV_SUMMARY, MODEL, ORDER, PERSON_DAY, WINDOW)


@dataclass(frozen=True)
class Part:
    """One table of the star schema.

    Parameters
    ----------
    reads : tables that it is built from.
    is_derived : it is built from other parts, after them.
    is_always_new : it tells of runs, of which there are new ones at every run.
    """

    table: Table
    reads: tuple[Table, ...]
    build: Callable[[Moment], DataFrame]
    is_derived: bool = False
    is_always_new: bool = False

    @property
    def has_dates(self) -> bool:
        """Whether it keeps the rows of every date."""
        return "as_of_date" in self.table.names


def _build_profile(moment: Moment) -> DataFrame:
    return facts.build_fact_profile(
        moment.values, moment.persons, moment.read(PERSON_DAY), as_of=moment.as_of
    )


def _build_clv_decile(moment: Moment) -> DataFrame:
    after = None
    if moment.window.is_over:
        after = facts.sum_by_decile(moment.revenue_after, moment.ranks_today)
    return facts.build_fact_clv_decile(
        moment.deciles, moment.values, after, days_observed=moment.window.days_observed
    )


def _build_response(moment: Moment) -> DataFrame:
    return facts.build_fact_response(
        moment.contacts,
        moment.read_now(RESPONSE),
        moment.ranks_today,
        as_of=moment.as_of,
        days_observed=moment.window.days_observed,
    )


def _build_response_by_audience(moment: Moment) -> DataFrame:
    return facts.build_fact_response_by_audience(
        moment.contacts,
        moment.read_now(RESPONSE),
        moment.members_today,
        moment.read(DEFINITION),
        as_of=moment.as_of,
        days_observed=moment.window.days_observed,
    )


def _build_model_quality(moment: Moment) -> DataFrame:
    resolved = newest_runs(moment.read(RUN), moment.as_of).where("stage = 'resolve'")
    identity = moment.read(METRIC).join(F.broadcast(resolved.select("run_id")), on="run_id")
    return quality_facts.build_fact_model_quality(
        moment.read_now(BACKTEST).where(NEWEST_FOLD),
        moment.read_now(MODEL),
        identity,
        as_of=moment.as_of,
    )


def _build_identity(moment: Moment) -> DataFrame:
    return quality_facts.build_fact_identity(
        moment.read(PERSON),
        moment.read(PAIR),
        moment.read(REVIEW),
        moment.read(SHARED_IDENTIFIER),
        moment.read(IDENTITY_MODEL).where("is_champion"),
        as_of=moment.as_of,
    )


def _build_operation(moment: Moment) -> DataFrame:
    newest = newest_runs(moment.read(RUN), moment.as_of).where("stage <> 'report'")
    return quality_facts.build_fact_operation(newest, moment.read(METRIC), as_of=moment.as_of)


def _build_cohort_month(moment: Moment) -> DataFrame:
    return finance_facts.build_fact_cohort_month(
        moment.read(ORDER), moment.first_purchases, as_of=moment.as_of
    )


def _build_customer_equity(moment: Moment) -> DataFrame:
    return finance_facts.build_fact_customer_equity(
        moment.values, moment.first_purchases, as_of=moment.as_of
    )


def _build_acquisition(moment: Moment) -> DataFrame:
    if not moment.config.acquisition_spend:  # nothing is known of what acquisition cost
        return moment.read(finance_tables.FACT_ACQUISITION).limit(0)
    return finance_facts.build_fact_acquisition(
        moment.config.acquisition_spend,
        moment.made(finance_tables.FACT_CUSTOMER_EQUITY),
        moment.made(finance_tables.FACT_COHORT_MONTH),
        as_of=moment.as_of,
    )


def _build_forecast(moment: Moment) -> DataFrame:
    months = max(12, *moment.config.sensitivity.horizon_months)
    ends = finance_facts.list_ends(moment.as_of, months)
    expected = moment.expected([(end - moment.as_of).days for end in ends])
    if expected is None:
        return moment.read(finance_tables.FACT_FORECAST).limit(0)
    return finance_facts.build_fact_forecast(
        expected,
        moment.read(PERSON_DAY),
        moment.first_purchases,
        ends,
        value=moment.value,
        as_of=moment.as_of,
        known_until=moment.window.known_until,
    )


def _build_sensitivity(moment: Moment) -> DataFrame:
    wanted = moment.config.sensitivity
    return finance_facts.build_fact_sensitivity(
        moment.made(finance_tables.FACT_FORECAST),
        sorted({*wanted.horizon_months, max(1, round(moment.horizon_days / (365.25 / 12)))}),
        sorted({*wanted.annual_discount_rates, moment.annual_discount_rate}),
        as_of=moment.as_of,
    )


PARTS = (
    Part(tables.DIM_DATE, (PERSON_DAY,), lambda m: dimensions.build_dim_date(m.read(PERSON_DAY))),
    Part(
        tables.DIM_AUDIENCE,
        (DEFINITION,),
        lambda m: dimensions.build_dim_audience(m.read(DEFINITION)),
    ),
    Part(
        tables.DIM_CAMPAIGN, (CAMPAIGN,), lambda m: dimensions.build_dim_campaign(m.read(CAMPAIGN))
    ),
    Part(
        tables.DIM_CHANNEL,
        (ORDER, INTERACTION),
        lambda m: dimensions.build_dim_channel(m.read(ORDER), m.read(INTERACTION)),
    ),
    Part(
        tables.DIM_DESTINATION,
        (DELIVERY,),
        lambda m: dimensions.build_dim_destination(m.read(DELIVERY)),
    ),
    Part(
        tables.DIM_PERSON_SEGMENT,
        (),
        lambda m: dimensions.build_dim_person_segment(m.values.sparkSession),
    ),
    Part(
        tables.FACT_PROFILE,
        (CUSTOMER_VALUE, PERSON_LINK, PERSON_DAY),
        _build_profile,
    ),
    Part(
        tables.FACT_PROFILE_BY_AUDIENCE,
        (ESTIMATE,),
        lambda m: facts.build_fact_profile_by_audience(m.read_now(ESTIMATE)),
    ),
    Part(
        tables.FACT_AUDIENCE_OVERLAP,
        (MEMBERSHIP_EVENT,),
        lambda m: facts.build_fact_audience_overlap(m.members, as_of=m.as_of),
    ),
    Part(
        tables.FACT_CLV_DECILE,
        (DECILE, CUSTOMER_VALUE, PERSON_DAY, ALIAS, WINDOW),
        _build_clv_decile,
    ),
    Part(tables.FACT_RESPONSE, (*_CONTACTS, DECILE), _build_response),
    Part(
        tables.FACT_RESPONSE_BY_AUDIENCE,
        (*_CONTACTS, MEMBERSHIP_EVENT, DEFINITION),
        _build_response_by_audience,
    ),
    Part(
        tables.FACT_ACTIVATION,
        (DELIVERY,),
        lambda m: facts.build_fact_activation(m.read_now(DELIVERY)),
    ),
    Part(
        quality_tables.FACT_MODEL_QUALITY,
        (BACKTEST, MODEL, PERSON_LINK),
        _build_model_quality,
    ),
    Part(
        quality_tables.FACT_IDENTITY,
        (PERSON, PAIR, REVIEW, SHARED_IDENTIFIER, IDENTITY_MODEL),
        _build_identity,
    ),
    Part(
        quality_tables.FACT_QUARANTINE,
        (QUARANTINE,),
        lambda m: quality_facts.build_fact_quarantine(m.read(QUARANTINE), as_of=m.as_of),
    ),
    Part(quality_tables.FACT_OPERATION, (), _build_operation, is_always_new=True),
    Part(finance_tables.FACT_COHORT_MONTH, (ORDER,), _build_cohort_month),
    Part(finance_tables.FACT_CUSTOMER_EQUITY, (ORDER, CUSTOMER_VALUE), _build_customer_equity),
    Part(finance_tables.FACT_FORECAST, _FORECAST, _build_forecast),
    Part(
        finance_tables.FACT_ATTRIBUTION,
        (ATTRIBUTION,),
        lambda m: finance_facts.build_fact_attribution(m.read(ATTRIBUTION), as_of=m.as_of),
    ),
    Part(
        finance_tables.FACT_ACQUISITION,
        (ORDER, CUSTOMER_VALUE),
        _build_acquisition,
        is_derived=True,
    ),
    Part(finance_tables.FACT_SENSITIVITY, _FORECAST, _build_sensitivity, is_derived=True),
)
"""The parts that are delivered."""
