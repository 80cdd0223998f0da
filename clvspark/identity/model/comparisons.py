"""Settings become Splink's comparisons and settings: one comparison for each attribute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import SettingsCreator, block_on

from clvspark.identity.settings import Attribute, IdentitySettings, Kind

Columns = dict[Kind, str]
# Compared together where the records have both: people of one household share a surname and a home, so the two
# are far from independent, and counted apart they would outweigh a different given name.
_HOUSEHOLD: tuple[Kind, ...] = ("surname", "postcode", "street")


def splink_settings(settings: IdentitySettings) -> SettingsCreator:
    """Settings of a Splink model that deduplicates standardised records."""
    columns: Columns = {}
    for attribute in settings.compared:
        columns.setdefault(attribute.kind, attribute.column)
    types = settings.columns
    joint = []
    alone = settings.compared
    if set(_HOUSEHOLD) <= columns.keys():
        together = [columns[kind] for kind in _HOUSEHOLD]
        joint = [_household(columns)]
        alone = [a for a in alone if a.column not in together]
    return SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="unique_id",
        comparisons=[*(_COMPARISONS[a.kind](a, columns) for a in alone), *joint],
        blocking_rules_to_generate_predictions=[
            block_on(*rule, arrays_to_explode=[n for n in rule if types[n].startswith("array")])
            for rule in settings.blocking_rules
        ],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )


def _custom(attribute: Attribute, *levels: Any) -> cl.CustomComparison:
    return cl.CustomComparison(
        output_column_name=attribute.column,
        comparison_levels=[cll.NullLevel(attribute.column), *levels, cll.ElseLevel()],
    )


def _exact(attribute: Attribute, column: str | None = None) -> Any:
    """Equal values of the attribute, or of a column derived from it, adjusted for how common the value is."""
    name = column or attribute.column
    level = cll.ExactMatchLevel(name)
    return level.configure(tf_adjustment_column=name) if attribute.term_frequency else level


def _swapped(columns: Columns) -> list[Any]:
    """Given name and surname exchanged, where there are both."""
    given, surname = columns.get("given_name"), columns.get("surname")
    if not (given and surname):
        return []
    swapped = cll.ColumnsReversedLevel(given, surname, symmetrical=True)
    return [_say("given name and surname swapped", swapped)]


def _given_name(attribute: Attribute, columns: Columns) -> cl.CustomComparison:
    name = attribute.column
    initial = f"length({name}_l) = 1 OR length({name}_r) = 1"
    same_initial = f"{name}_initial_l = {name}_initial_r AND ({initial})"
    return _custom(
        attribute,
        _exact(attribute),
        *_swapped(columns),
        _say("forms of one name", cll.ArrayIntersectLevel(f"{name}_forms", min_intersection=1)),
        cll.JaroWinklerLevel(name, 0.92),
        cll.CustomLevel(same_initial, label_for_charts="same initial"),
        cll.JaroWinklerLevel(name, 0.8),
    )


def _surname(attribute: Attribute, columns: Columns) -> cl.CustomComparison:
    name = attribute.column
    return _custom(
        attribute,
        _exact(attribute),
        *_swapped(columns),
        cll.JaroWinklerLevel(name, 0.92),
        cll.JaroWinklerLevel(name, 0.8),
    )


def _full_name(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    name, words = attribute.column, f"{attribute.column}_words"
    return _custom(
        attribute,
        _exact(attribute),
        cll.CustomLevel(f"{words}_l = {words}_r", label_for_charts="same words"),
        cll.JaroWinklerLevel(name, 0.92),
        cll.ArrayIntersectLevel(words, min_intersection=2),
        cll.ArrayIntersectLevel(words, min_intersection=1),
    )


def _birth_date(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    name = attribute.column
    return _custom(
        attribute,
        _exact(attribute),
        cll.DamerauLevenshteinLevel(name, 1),
        _exact(attribute, f"{name}_year"),
        cll.DamerauLevenshteinLevel(name, 2),
    )


def _email(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    name = attribute.column
    return _custom(
        attribute,
        _exact(attribute),
        cll.ExactMatchLevel(f"{name}_local"),
        cll.JaroWinklerLevel(name, 0.92),
    )


def _code(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    return _custom(attribute, _exact(attribute), cll.DamerauLevenshteinLevel(attribute.column, 1))


def _household(columns: Columns) -> cl.CustomComparison:
    """Surname and home as one comparison."""
    surname, postcode = columns["surname"], columns["postcode"]
    named = cll.Or(cll.JaroWinklerLevel(surname, 0.92), *_swapped(columns))
    close = cll.DamerauLevenshteinLevel(postcode, 1)
    home = cll.And(close, cll.JaroWinklerLevel(columns["street"], 0.92))
    unknown = cll.NullLevel(postcode)
    alike = cll.Or(*_swapped(columns), cll.JaroWinklerLevel(surname, 0.88))
    # Common surnames weigh less, rare ones more.
    same = cll.ExactMatchLevel(surname).configure(tf_adjustment_column=surname)
    # Splink would write out every condition: labels longer than a chart has room for, with equal beginnings.
    return cl.CustomComparison(
        output_column_name="household",
        comparison_levels=[
            cll.And(cll.NullLevel(surname), unknown).configure(is_null_level=True),
            _say("same home, similar surname", cll.And(home, named)),
            _say("similar postcode and surname", cll.And(close, named)),
            _say("same home, another surname", home),
            _say("similar postcode, another surname", close),
            _say(
                "same surname, a postcode is missing",
                cll.And(cll.ExactMatchLevel(surname), unknown).configure(
                    tf_adjustment_column=surname
                ),
            ),
            _say("similar surname, a postcode is missing", cll.And(alike, unknown)),
            _say("same surname, another postcode", same),
            _say("similar surname, another postcode", alike),
            cll.ElseLevel(),
        ],
    )


def _say(label: str, level: Any) -> Any:
    """The level under a label that people read in charts and waterfalls."""
    return level.configure(label_for_charts=label)


def _postcode(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    name = attribute.column
    return _custom(
        attribute,
        _exact(attribute),
        cll.DamerauLevenshteinLevel(name, 1),
        _exact(attribute, f"{name}_area"),
    )


def _street(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    return _custom(attribute, _exact(attribute), cll.JaroWinklerLevel(attribute.column, 0.92))


def _address(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    words = f"{attribute.column}_words"
    return _custom(
        attribute,
        _exact(attribute),
        cll.JaroWinklerLevel(attribute.column, 0.92),
        cll.ArrayIntersectLevel(words, min_intersection=3),
        cll.ArrayIntersectLevel(words, min_intersection=2),
    )


def _text(attribute: Attribute, _: Columns) -> cl.CustomComparison:
    return _custom(
        attribute,
        _exact(attribute),
        cll.JaroWinklerLevel(attribute.column, 0.92),
        cll.ArrayIntersectLevel(f"{attribute.column}_words", min_intersection=1),
    )


_COMPARISONS: dict[Kind, Callable[[Attribute, Columns], cl.CustomComparison]] = {
    "given_name": _given_name,
    "surname": _surname,
    "full_name": _full_name,
    "birth_date": _birth_date,
    "email": _email,
    "phone": _code,
    "postcode": _postcode,
    "street": _street,
    "address": _address,
    "identifier": _code,
    "text": _text,
}
