"""What the star schema is built from, as it was on a date: shared by its facts, and read when the first asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.audiences.tables import (
    DECILE,
    MEMBERSHIP_EVENT,
    members_of_today,
    members_on,
    ranks_of_today,
)
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY
from clvspark.identity.tables import ALIAS, PERSON_LINK, current_links, links_as_of
from clvspark.lakehouse.table import Table
from clvspark.reporting import finance_facts
from clvspark.reporting.config import ReportingConfig
from clvspark.sources.tables import CAMPAIGN, CAMPAIGN_MEMBER


@dataclass(frozen=True)
class Window:
    """The days from `as_of` on in which what came true is counted.

    Parameters
    ----------
    known_until : day of the newest order, None where none is known.
    """

    as_of: date
    days: int
    days_observed: int
    known_until: date | None = None

    @property
    def end(self) -> date:
        """First day after it."""
        return self.as_of + timedelta(days=self.days)

    @property
    def is_over(self) -> bool:
        """Whether it has been observed to its end."""
        return self.days_observed >= self.days

    @property
    def so_far(self) -> str:
        """How much of it is known, in words."""
        if self.is_over:
            return f"all of the {self.days} days from {self.as_of} on are known"
        if not self.days_observed:
            return f"none of the {self.days} days from {self.as_of} on is known yet"
        return f"{self.days_observed} of the {self.days} days from {self.as_of} on are known so far"


@dataclass(frozen=True)
class Moment:
    """The inputs of one date.

    Parameters
    ----------
    read : the rows of a table, empty where it does not exist yet.
    made : the rows of a table of the star schema on the date, as they were just built or are stored.
    expected : what is expected of spans that end so many days after the date; None where no model was fitted.
    """

    read: Callable[[Table], DataFrame]
    made: Callable[[Table], DataFrame]
    expected: Callable[[list[int]], DataFrame | None]
    config: ReportingConfig
    as_of: date
    window: Window
    value: str
    horizon_days: int
    annual_discount_rate: float

    def read_now(self, table: Table) -> DataFrame:
        """The rows of the date."""
        return self.read(table).where(F.col("as_of_date") == F.lit(self.as_of))

    @cached_property
    def values(self) -> DataFrame:
        """clv.customer_value of the date."""
        return self.read_now(CUSTOMER_VALUE)

    @cached_property
    def deciles(self) -> DataFrame:
        """audiences.decile of the date."""
        return self.read_now(DECILE)

    @cached_property
    def members(self) -> DataFrame:
        """Members of audiences on the date."""
        return members_on(self.read(MEMBERSHIP_EVENT), self.as_of)

    @cached_property
    def members_today(self) -> DataFrame:
        """The same, as who they are today: persons may have been merged since. Kept, as several facts ask for it."""
        return members_of_today(self.members, self.read(ALIAS)).localCheckpoint(eager=False)

    @cached_property
    def ranks_today(self) -> DataFrame:
        """Deciles of the date, of persons as who they are today; kept as well."""
        ranks = ranks_of_today(self.deciles, self.read(ALIAS), self.as_of)
        return ranks.localCheckpoint(eager=False)

    @cached_property
    def persons(self) -> DataFrame:
        """``person_id, records`` of everyone known on the date; of today where the ledger begins after it."""
        links = self.read(PERSON_LINK)
        known = links_as_of(links, self.as_of)
        if not known.limit(1).count():
            known = current_links(links)
        return known.groupBy("person_id").agg(F.count(F.lit(1)).alias("records"))

    @cached_property
    def revenue_after(self) -> DataFrame:
        """Net revenue of each person in the window."""
        day = F.col("day")
        within = (day >= F.lit(self.as_of)) & (day < F.lit(self.window.end))
        days = self.read(PERSON_DAY).where(within)
        revenue = F.sum("net_revenue").cast("double").alias("revenue_after")
        return days.groupBy("person_id").agg(revenue)

    @cached_property
    def contacts(self) -> DataFrame:
        """``person_id, campaign_id`` of messages sent, and of members of campaigns that ran, in the window; kept."""
        start, end = F.lit(self.as_of), F.lit(self.window.end)
        sent = self.read(INTERACTION).where(
            (F.col("interaction_type") == "email_sent")
            & (F.col("occurred_at") >= start.cast("timestamp"))
            & (F.col("occurred_at") < end.cast("timestamp"))
        )
        running = self.read(CAMPAIGN).where(
            (F.col("starts_on") < end) & (F.col("ends_on") >= start)
        )
        links = current_links(self.read(PERSON_LINK))
        record = ["source_system", "source_record_id"]
        addressed = (
            self.read(CAMPAIGN_MEMBER)
            .join(running.select("campaign_id"), on="campaign_id")
            .join(links.select(*record, "person_id"), on=record)
        )
        columns = ["person_id", "campaign_id"]
        both = sent.select(*columns).unionByName(addressed.select(*columns))
        return both.localCheckpoint(eager=False)

    @cached_property
    def first_purchases(self) -> DataFrame:
        """The cohort of each customer; kept, as several facts begin with it."""
        found = finance_facts.find_first_purchases(self.read(ORDER), as_of=self.as_of)
        return found.localCheckpoint(eager=False)
