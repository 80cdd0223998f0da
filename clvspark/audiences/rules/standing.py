"""Conditions on where a person stands: deciles, values, stage, consent, survey, other groups of persons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from clvspark.audiences.rules.bounds import NumberBounds, empty_range
from clvspark.lakehouse.strict_model import StrictModel, check
from clvspark.privacy.consent import Channel

Metric = Literal[
    "revenue_month_1",
    "revenue_month_3",
    "revenue_month_6",
    "revenue_month_9",
    "revenue_month_12",
    "revenue_all",
    "margin_month_1",
    "margin_month_3",
    "margin_month_6",
    "margin_month_9",
    "margin_month_12",
    "margin_all",
    "orders_month_1",
    "orders_month_3",
    "orders_month_6",
    "orders_month_9",
    "orders_month_12",
    "orders_all",
    "clv",
    "residual_value",
]
PREDICTED = ("clv", "residual_value")
ValueName = Literal[
    "p_alive",
    "expected_purchases",
    "expected_spend",
    "residual_value",
    "expected_residual_value",
    "value_to_expected",
    "chance_of_so_few",
    "historical_value",
    "clv",
    "simple_clv",
    "p_alive_low",
    "p_alive_high",
    "residual_value_low",
    "residual_value_high",
    "outcome_value_low",
    "outcome_value_high",
    "p_top_decile",
    "link_doubt",
]
StageName = Literal["new", "growing", "core", "slipping", "lapsed"]
Identifier = Literal["email", "phone", "person_id", "record"]
AUDIENCE_ID = r"^[a-z][a-z0-9_]*$"


class Decile(StrictModel):
    """The person's decile by a metric, 1 is the best; by past metrics also within one channel or category.

    Who has no activity in the look-back is in no decile: no bound holds of them.
    """

    metric: Metric
    channel: str | None = Field(None, min_length=1, max_length=200)
    category: str | None = Field(None, min_length=1, max_length=200)
    at_least: int = Field(1, ge=1, le=10)
    at_most: int = Field(10, ge=1, le=10)

    @check
    def _possible(self) -> Iterator[str]:
        yield from empty_range(self.at_least, self.at_most)

    @check
    def _one_scope(self) -> Iterator[str]:
        scoped = [name for name in ("channel", "category") if getattr(self, name) is not None]
        if len(scoped) > 1:
            yield "give either 'channel' or 'category'"
        if scoped and self.metric in PREDICTED:
            yield f"what is predicted has no {scoped[0]}; leave it out, or use a past metric"
        if self.category is not None and self.metric.startswith("margin"):
            yield "the margin is not known by category; use revenue or orders"

    @property
    def ranked_as(self) -> str:
        """The metric as audiences.decile has it."""
        return scoped_metric(self.metric, channel=self.channel, category=self.category)


def scoped_metric(metric: str, *, channel: str | None = None, category: str | None = None) -> str:
    """A metric within a channel or a category, as audiences.decile has it."""
    if channel is not None:
        return f"{metric} channel={channel}"
    return metric if category is None else f"{metric} category={category}"


class Value(NumberBounds):
    """A predicted or past value of the person."""

    name: ValueName

    @check
    def _bounded(self) -> Iterator[str]:
        if not self.is_bounded:
            yield "give 'at_least', 'at_most' or both"


class Stage(StrictModel):
    """The person's lifecycle stage, as the model sees it."""

    any_of: list[StageName] = Field(min_length=1)


class Consent(StrictModel):
    """Marketing consent for a channel; `contactable`: with an address, and the consent of all who share it."""

    channel: Channel
    contactable: bool = False


class Survey(StrictModel):
    """The person's newest survey score, within so many days."""

    score_at_least: int = Field(0, ge=0, le=10)
    score_at_most: int = Field(10, ge=0, le=10)
    within_days: int | None = Field(None, ge=1)

    @check
    def _possible(self) -> Iterator[str]:
        yield from empty_range(self.score_at_least, self.score_at_most)


class InAudience(StrictModel):
    """Membership of another audience."""

    id: str


class Bucket(StrictModel):
    """A random share of all persons, the same ones every time: those whose hash with the salt falls into it."""

    salt: str = Field(min_length=1, max_length=200, description="another salt draws other people")
    percent: float = Field(gt=0, le=100, description="in steps of 0.01")
    start: float = Field(0, ge=0, lt=100, description="where the share begins, in percent")

    @check
    def _within(self) -> Iterator[str]:
        if self.start + self.percent > 100:
            yield "start + percent must be at most 100"


class Listed(StrictModel):
    """Who is in an uploaded file: CSV with a header, one identifier a row, as plain text or as SHA-256."""

    file: str = Field(description="path, seen from where the command runs")
    column: str = Field(pattern=r"^\w+$", description="header of the identifiers")
    identifier: Identifier = "email"

    @check
    def _is_csv(self) -> Iterator[str]:
        if not self.file.endswith(".csv") or "://" in self.file or ".." in self.file.split("/"):
            yield "name a CSV file without '..' or '://'"


class Saved(StrictModel):
    """Who is in a list that `save_audience` has kept."""

    id: str = Field(pattern=AUDIENCE_ID)


class Similar(StrictModel):
    """The share of all other persons that is likest to the members of an audience, by what is known of them."""

    to: str = Field(pattern=AUDIENCE_ID, description="id of the core audience")
    percent: float = Field(gt=0, le=50, description="of all persons outside the core audience")
