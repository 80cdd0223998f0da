"""What is left out of Splink's SQL changes no result."""

from __future__ import annotations

import random

import duckdb
import pyarrow as pa
import pytest

from clvspark.identity.model.sql import _compute_once

ALPHABET = "0123456789abé漢"


def edit(chance: random.Random, text: str) -> str:
    """One letter put in, taken out, changed, or exchanged with the next; or a text of its own."""
    place = chance.randrange(len(text))
    letter = chance.choice(ALPHABET)
    return chance.choice(
        [
            text[:place] + letter + text[place:],
            text[:place] + text[place + 1 :],
            text[:place] + letter + text[place + 1 :],
            text[:place] + text[place : place + 2][::-1] + text[place + 2 :],
            text[::-1],
        ]
    )


@pytest.mark.parametrize("seed", range(3))
def test_who_differs_at_both_ends_is_more_than_one_edit_away(seed: int) -> None:
    chance = random.Random(seed)
    rows = []
    for _ in range(20_000):
        left = "".join(chance.choice(ALPHABET) for _ in range(chance.randrange(1, 20)))
        right = left
        for _ in range(chance.randrange(3)):
            right = edit(chance, right) if right else right
        rows.append((left, right))
    lefts, rights = zip(*rows, strict=True)
    asked = 'damerau_levenshtein("x_l", "x_r") <= 1'
    quick, _ = _compute_once(f"SELECT {asked}")
    assert quick != f"SELECT {asked}"
    with duckdb.connect() as connection:
        connection.register("pair", pa.table({"x_l": lefts, "x_r": rights}))
        exact = connection.execute(f"SELECT {asked} FROM pair").fetchall()
        assert connection.execute(f"{quick} FROM pair").fetchall() == exact
    near = sum(row[0] for row in exact)
    assert 1_000 < near < 19_000
