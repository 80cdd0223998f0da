"""Contracts of the tables of moments: who is on which journey, and what they were sent."""

from clvspark.lakehouse.table import Column, Table

_PERSON = Column("person_id", "string", required=True, references="identity.person")
_JOURNEY = "digest of moment, person at the entry, and entered_on"

JOURNEY = Table(
    "audiences.journey",
    "One passage of a person through a moment, from the entry to its end.",
    (
        Column("journey_id", "string", _JOURNEY, key=True),
        Column("moment_id", "string", required=True),
        Column("version", "int", "of the moment's definition at the entry", required=True),
        _PERSON,
        Column("entered_on", "date", "as_of date of the trigger", required=True),
        Column("ends_on", "date", "first day on which it is over, whatever happens", required=True),
        Column("ended_on", "date", "first day on which it was over; NULL: under way"),
        Column(
            "end_reason",
            "string",
            "completed: ends_on has come; merged: of two journeys of who turned out to be one person the later one; "
            "untriggered: what it was entered for turned out not to be so",
            allowed=("completed", "order", "recovered", "left_audience", "merged", "untriggered"),
        ),
    ),
    checks={
        "ends_for_a_reason": "(ended_on IS NULL) = (end_reason IS NULL)",
        # On the day of the entry where what is known since would not have let the person enter.
        "ends_after_the_entry": "ended_on IS NULL OR ended_on >= entered_on",
        "ends_in_time": "ended_on IS NULL OR ended_on <= ends_on",
    },
    cluster_by=("moment_id", "person_id"),
    change_feed=True,
)
JOURNEY_STEP = Table(
    "audiences.journey_step",
    "One step of a journey that was due: sent once, or left out for a reason.",
    (
        Column("journey_step_id", "string", "digest of journey and step", key=True),
        Column("journey_id", "string", required=True, references="audiences.journey"),
        Column("moment_id", "string", required=True),
        Column("step_id", "string", required=True),
        Column("step_number", "int", "1 is the first", required=True, check="step_number >= 1"),
        _PERSON,
        Column("channel", "string", required=True),
        Column("message", "string", "what to send, as the sending system names it", required=True),
        Column("due_on", "date", "day of the journey's plan", required=True),
        Column("status", "string", required=True, allowed=("sent", "left_out")),
        Column(
            "reason",
            "string",
            "why it was left out",
            allowed=("ended", "without_consent", "capped", "too_late"),
        ),
        Column("contacted_on", "date", "as_of date of the contact; NULL: left out"),
        Column("decided_on", "date", "as_of date of the run that decided", required=True),
    ),
    checks={
        "left_out_for_a_reason": "(status = 'left_out') = (reason IS NOT NULL)",
        "sent_on_a_day": "(status = 'sent') = (contacted_on IS NOT NULL)",
        "not_before_it_is_due": "contacted_on IS NULL OR contacted_on >= due_on",
    },
    cluster_by=("moment_id", "person_id"),
    change_feed=True,
)
MOMENT = Table(
    "audiences.moment",
    "What came of a moment on a date; its dates are those up to which journeys have been advanced.",
    (
        Column("moment_id", "string", key=True),
        Column("as_of_date", "date", key=True),
        Column("version", "int", "of the definition", required=True),
        Column("name", "string", required=True),
        Column("goal", "string", "what it is measured by, and within how many days", required=True),
        Column("active", "bigint", "persons on the journey after the date", required=True),
        Column("entered", "bigint", "since the date before", required=True),
        Column("ended", "bigint", "since the date before", required=True),
        Column("sent", "bigint", "steps, on the date", required=True),
        Column("left_out", "bigint", "steps that were due since the date before", required=True),
        Column(
            "settled_on",
            "date",
            "the date; the one before it where its last day still went on, to be looked at again. NULL: the date",
        ),
    ),
)
TABLES = (JOURNEY, JOURNEY_STEP, MOMENT)
