"""Given names that may be one person's: how many people a set of names tells of at least, as an expression of Spark."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

# Every name is held against the smaller ones: beyond so many, which no one person has, they are only counted.
_COMPARED = 200
# In shorter names one letter makes another one: Mary and Mark, Jane and June; two that are exchanged, Amy and May.
_LETTERS_OF_A_SLIP = 6
_LETTERS_OF_AN_EXCHANGE = 4


def count_unlike_names(names: Column) -> Column:
    """Number of names that no other of them stands for: of those that are alike the smallest one counts.

    In: array of ``struct<name, forms>``, each name once, as cleaned: the first word of a given name, and all that it
    may be short for. Bob and Robert, Jhon and John are alike; J is any name that begins so; John and Jane are two. The
    order of the array does not matter.
    """
    ordered = F.array_sort(names)
    compared = F.slice(ordered, 1, _COMPARED)
    unlike = F.filter(
        compared, lambda one: ~F.exists(compared, lambda other: _stands_for(other, one))
    )
    return F.size(unlike) + F.greatest(F.size(ordered) - _COMPARED, F.lit(0))


def _stands_for(other: Column, one: Column) -> Column:
    is_whole, name = F.length(other["name"]) > 1, one["name"]
    begins_so = (F.length(name) == 1) & other["name"].startswith(name)
    return is_whole & (begins_so | ((other["name"] < name) & _are_alike(other, one)))


def _are_alike(one: Column, other: Column) -> Column:
    left, right = one["name"], other["name"]
    shorter = F.least(F.length(left), F.length(right))
    slip = (shorter >= _LETTERS_OF_A_SLIP) & (F.levenshtein(left, right) <= 1)
    exchange = (shorter >= _LETTERS_OF_AN_EXCHANGE) & (_letters(left) == _letters(right))
    return F.arrays_overlap(one["forms"], other["forms"]) | slip | exchange


def _letters(name: Column) -> Column:
    return F.array_sort(F.split(name, ""))
