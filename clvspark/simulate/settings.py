"""What the generator assumes: the window, the purchase process, the campaigns, the error rates."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any, Final

WINDOW_START: Final = date(2025, 1, 1)
WINDOW_END: Final = date(2026, 7, 1)  # exclusive: the last day with purchases is 2026-06-30
CAMPAIGN_DAYS: Final = 28
TARGET_SHARE: Final = 0.5  # of the contactable persons take part in one campaign's experiment
TREATED_SHARE: Final = 0.8  # of those are contacted, the others are the control group
EXTRA_COLUMN: Final = "till_operator"  # a column that nobody announced
EXTRA_COLUMN_MONTH: Final = "2025-09"  # of this month's till drop


@dataclass(frozen=True)
class PurchaseProcess:
    """Pareto/NBD purchases and Gamma-Gamma spend, time in weeks, money in currency units.

    While alive a person buys at rate lambda ~ Gamma(r, alpha), and lapses at rate
    mu ~ Gamma(s, beta) (Schmittlein, Morrison, Colombo 1987). A basket's value is
    Gamma(p, nu) with nu ~ Gamma(q, gamma) (Fader, Hardie 2013, eq. 1). The defaults are the
    published estimates for CDNOW.
    """

    r: float = 0.553277
    alpha: float = 10.577684
    s: float = 0.606240
    beta: float = 11.668728
    p: float = 6.249574
    q: float = 3.744225
    gamma: float = 15.443517


@dataclass(frozen=True)
class Campaign:
    """One e-mail campaign and the lift it has on the purchase rate of those contacted.

    `lift` multiplies the rate by 1 + lift from `starts_on` for `CAMPAIGN_DAYS` days; it acts in
    the generated population only, since real purchases cannot be changed.
    """

    campaign_id: str
    name: str
    starts_on: date
    offer: str
    cost_per_contact: str
    lift: float

    @property
    def ends_on(self) -> date:
        """Return the last day of the campaign's window."""
        return self.starts_on + timedelta(days=CAMPAIGN_DAYS - 1)


_OFFERS = (
    ("10% off your next order", "0.12", 0.30),
    ("Free delivery", "0.10", 0.15),
    ("Newsletter, no offer", "0.04", 0.0),
    ("Double points", "0.15", 0.50),
)


def campaign_calendar() -> tuple[Campaign, ...]:
    """Return one campaign a month from March 2025 to June 2026; their windows do not overlap."""
    months = [(2025 + m // 12, m % 12 + 1) for m in range(2, 18)]
    return tuple(
        Campaign(f"CMP-{y}-{m:02d}", f"{offer} {y}-{m:02d}", date(y, m, 8), offer, cost, lift)
        for i, (y, m) in enumerate(months)
        for offer, cost, lift in [_OFFERS[i % len(_OFFERS)]]
    )


@dataclass(frozen=True)
class PopulationSettings:
    """The whole set of assumptions, written to the truth."""

    process: PurchaseProcess = field(default_factory=PurchaseProcess)
    campaigns: tuple[Campaign, ...] = field(default_factory=campaign_calendar)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, dates as ISO text."""
        campaigns = [asdict(c) | {"starts_on": c.starts_on.isoformat()} for c in self.campaigns]
        return {"process": asdict(self.process), "campaigns": campaigns}
