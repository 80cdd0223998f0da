"""How identity data goes wrong when it is typed, heard or copied: pure column expressions."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from clvspark.simulate.draws import Draws, word_array
from clvspark.simulate.nicknames import NICKNAMES

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def misspell(
    text: Column, probability: float | Column, purpose: str, key: Column, draws: Draws
) -> Column:
    """Swap two neighbours, drop one character or replace one, never the first."""
    position = draws.integer(F.greatest(F.length(text) - 2, F.lit(1)), f"{purpose} position", key)
    before = F.substring(text, F.lit(1), position + 1)
    here = F.substring(text, position + 2, F.lit(1))
    following = F.substring(text, position + 3, F.lit(1))
    rest = F.substring(text, position + 4, F.lit(200))
    letter = F.element_at(
        word_array(list(_LETTERS)), draws.integer(len(_LETTERS), f"{purpose} letter", key) + 1
    )
    kind = draws.integer(3, f"{purpose} kind", key)
    wrong = (
        F.when(kind == 0, F.concat(before, following, here, rest))
        .when(kind == 1, F.concat(before, following, rest))
        .otherwise(F.concat(before, letter, following, rest))
    )
    return F.when(draws.chance(probability, f"{purpose} happens", key), wrong).otherwise(text)


def misdial(number: Column, probability: float, key: Column, draws: Draws) -> Column:
    """Replace one of the last six digits."""
    position = draws.integer(6, "misdial position", key) + 6
    digit = draws.integer(10, "misdial digit", key).cast("string")
    wrong = F.concat(
        F.substring(number, F.lit(1), position - 1),
        digit,
        F.substring(number, position + 1, F.lit(20)),
    )
    return F.when(draws.chance(probability, "misdial happens", key), wrong).otherwise(number)


def write_phone(number: Column, key: Column, draws: Draws) -> Column:
    """Write a national number (11 digits) in one of the ways people use."""
    area, local = F.substring(number, 1, 5), F.substring(number, 6, 6)
    international = F.substring(number, 2, 10)
    style = draws.uniform("phone style", key)
    return (
        F.when(style < 0.35, number)
        .when(style < 0.6, F.concat_ws(" ", area, local))
        .when(style < 0.75, F.concat(F.lit("+44"), international))
        .when(style < 0.85, F.concat(F.lit("+44 "), F.substring(number, 2, 4), F.lit(" "), local))
        .when(style < 0.9, F.concat(F.lit("0044"), international))
        .when(style < 0.95, F.concat(F.lit("("), area, F.lit(") "), local))
        .otherwise(F.concat_ws("-", area, F.substring(number, 6, 3), F.substring(number, 9, 3)))
    )


def nicknames_of(given: Column) -> Column:
    """Return the array of a given name's familiar forms, null if it has none."""
    table = ",".join(f"{name}:{'/'.join(forms)}" for name, forms in NICKNAMES.items())
    return F.split(F.str_to_map(F.lit(table), F.lit(","), F.lit(":"))[given], "/")


def familiar(given: Column, forms: Column, share: Column, key: Column, draws: Draws) -> Column:
    """Replace a given name by one of its `forms`, where it has any, in `share` of the cases."""
    chosen = F.get(forms, draws.integer(F.size(forms), "nickname form", key))
    uses = forms.isNotNull() & draws.chance(share, "nickname", key)
    return F.when(uses, chosen).otherwise(given)


def misdate(day: Column, probability: float, key: Column, draws: Draws) -> Column:
    """Exchange day and month where possible, otherwise miss the year by one."""
    exchanged = F.make_date(F.year(day), F.least(F.dayofmonth(day), F.lit(12)), F.month(day))
    wrong = F.when(F.dayofmonth(day) <= 12, exchanged).otherwise(F.add_months(day, -12))
    return F.when(draws.chance(probability, "misdate", key), wrong).otherwise(day)


def recase(text: Column, upper: float, lower: Column, key: Column, draws: Draws) -> Column:
    """Write all in capitals or all in small letters, by one decision per record."""
    u = draws.uniform("letter case", key)
    return F.when(u < upper, F.upper(text)).when(u < upper + lower, F.lower(text)).otherwise(text)
