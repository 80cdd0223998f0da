"""All histories of persons, from events and answers on."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame

from clvspark.history.interactions import build_interactions
from clvspark.history.orders import add_up_lines, attach_person, book_lines
from clvspark.history.person_day import summarise_person_days
from clvspark.history.sessions import assign_sessions, build_sessions
from clvspark.lakehouse.side_by_side import keep_all


@dataclass(frozen=True)
class Sources:
    """What histories are made of.

    Parameters
    ----------
    events : sources.event.
    answers : sources.survey_response.
    products : sources.product.
    links : identity.person_link, one row a record.
    """

    events: DataFrame
    answers: DataFrame
    products: DataFrame
    links: DataFrame


@dataclass(frozen=True)
class Histories:
    """Rows of history.order, history.interaction, history.session and history.person_day.

    Parameters
    ----------
    booked : rows of `book_lines` that all of the orders were made of; None where only some of them were made.
    """

    orders: DataFrame
    interactions: DataFrame
    sessions: DataFrame
    days: DataFrame
    booked: DataFrame | None = None


def build_histories(sources: Sources, *, default_margin_rate: float, gap_minutes: int) -> Histories:
    """Histories of everybody, each record being of the person that its link says; kept in memory once they are read."""
    events = attach_person(sources.events, sources.links)
    # Kept, as the orders are made of them and held against them.
    (booked,) = keep_all(book_lines(events), eager=False)
    orders = add_up_lines(booked, sources.products, default_margin_rate=default_margin_rate)
    # Kept, as orders are held against the events before anything is written, and touches are read twice.
    orders, touches = keep_all(
        orders, assign_sessions(events, gap_minutes=gap_minutes), eager=False
    )
    interactions = build_interactions(touches, attach_person(sources.answers, sources.links))
    (interactions,) = keep_all(interactions, eager=False)
    (days,) = keep_all(summarise_person_days(orders, interactions), eager=False)
    return Histories(orders, interactions, build_sessions(touches), days, booked)
