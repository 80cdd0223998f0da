"""Contracts of the tables of decisions: what is believed, and what was decided and why."""

from clvspark.lakehouse.table import Column, Table

_MONEY = "lakehouse currency"
_PERSON = Column("person_id", "string", required=True, references="identity.person")
_OFFER = "id of the offer, or none"

OFFER_POSTERIOR = Table(
    "audiences.offer_posterior",
    "What is believed of an offer in a context on a date: its prior and all outcomes decided on before the date.",
    (
        Column("as_of_date", "date", "first day whose decisions do not count", key=True),
        Column("context", "string", "as in audiences.decision; *: every context without a row", key=True),
        Column("offer_id", "string", _OFFER, key=True),
        Column("trials", "bigint", "outcomes of this very context", required=True, check="trials >= 0"),
        Column("successes", "bigint", "with a purchase", required=True, check="successes >= 0"),
        Column("margin_sum", "decimal(18,2)", required=True, unit=_MONEY),
        Column("margin_square_sum", "decimal(38,4)", required=True, unit="its square"),
        Column("mean", "double", "of the margin of a contact: mu", required=True, unit=_MONEY),
        Column("weight", "double", "trials the mean rests on, with prior and other contexts: kappa", required=True),
        Column("shape", "double", "alpha of the inverse gamma distribution", required=True, check="shape > 0"),
        Column("rate", "double", "beta of the inverse gamma distribution", required=True, check="rate > 0"),
        Column("success_alpha", "double", "of the beta distribution", required=True, check="success_alpha > 0"),
        Column("success_beta", "double", "of the beta distribution", required=True, check="success_beta > 0"),
        Column("net_value", "double", "expected margin of a contact less its costs", required=True, unit=_MONEY),
        Column("posterior_id", "string", "digest of all sums and settings of the date", required=True),
    ),
    checks={"successes_among_trials": "successes <= trials"},
)  # fmt: skip
DECISION = Table(
    "audiences.decision",
    "What a person was to be offered on a date, why, and how probable that choice was.",
    (
        Column("decision_id", "string", "digest of person, date and decision point", key=True),
        _PERSON,
        Column("as_of_date", "date", required=True),
        Column("decision_point", "string", required=True),
        Column("context", "string", "e.g. clv_decile=1|lifecycle_stage=core", required=True),
        Column("offer_id", "string", _OFFER, required=True),
        Column("channel", "string", "on which to offer; NULL where nothing is offered"),
        Column("ranking", "string", required=True, allowed=("learning", "classic", "random", "fixed")),
        Column(
            "score",
            "double",
            "by which the offer was ranked; of the ranking learning the drawn margin of the contact, net of costs, "
            "less what is expected without an offer; NULL of a fallback",
        ),
        Column(
            "expected_incremental_margin",
            "double",
            "of the contact, net of costs, against doing nothing, by what was believed on the date",
            required=True,
            unit=_MONEY,
        ),
        Column(
            "propensity",
            "double",
            "probability of this offer given what the person could be offered",
            required=True,
            check="propensity > 0 AND propensity <= 1",
        ),
        Column("posterior_id", "string", required=True),
        Column(
            "reasons",
            "array<struct<offer_id:string,reason:string>>",
            "each offer of the decision point that was not made, and why",
            required=True,
        ),
        Column("is_fallback", "boolean", "nothing that is ranked could be offered", required=True),
        Column(
            "acted_on",
            "date",
            "as_of_date, or the day before where that still went on, as in the stream: the first whose outcomes may "
            "follow from it; NULL: as_of_date",
        ),
    ),
    checks={"a_contact_has_a_channel": "(offer_id = 'none') = (channel IS NULL)"},
    cluster_by=("as_of_date", "person_id"),
)  # fmt: skip
TABLES = (OFFER_POSTERIOR, DECISION)
EVERY_CONTEXT = "*"
"""Context that stands for those nothing is known of."""
