"""The campaign calendar and the small tables of names."""

from datetime import date
from itertools import pairwise

from clvspark.simulate.nicknames import ACCENTS_FROM, ACCENTS_TO, NICKNAMES
from clvspark.simulate.settings import WINDOW_END, campaign_calendar
from clvspark.simulate.words import surnames, towns


def test_campaign_windows_do_not_overlap_and_end_after_the_as_of_date() -> None:
    calendar = campaign_calendar()
    assert all(a.ends_on < b.starts_on for a, b in pairwise(calendar))
    assert [c.starts_on for c in calendar if c.starts_on > date(2026, 4, 1)] == [
        date(2026, 4, 8),
        date(2026, 5, 8),
        date(2026, 6, 8),
    ]
    assert calendar[-1].starts_on < WINDOW_END


def test_every_accent_has_a_plain_letter() -> None:
    assert len(ACCENTS_FROM) == len(ACCENTS_TO)
    assert ACCENTS_TO.isascii()


def test_nicknames_differ_from_their_names() -> None:
    assert len(NICKNAMES) >= 80
    assert all(form != name for name, forms in NICKNAMES.items() for form in forms)


def test_words_hold_no_separator() -> None:
    assert not any("|" in word for word in [*surnames(), *towns()])
    assert all(len(town.split(";")) == 3 for town in towns())


def test_common_surnames_are_more_frequent() -> None:
    words = surnames()
    assert words.count("Smith") > 5 * words.count("Savage") > 0
