"""Random numbers that depend on (seed, purpose, key) only, never on how rows are partitioned.

Two generators with the same contract: `Draws` builds Spark expressions on xxhash64;
`counter_uniforms` is a counter-based generator (SplitMix64) for numpy batches.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F

Uint64 = NDArray[np.uint64]
Float64 = NDArray[np.float64]

_ID_BITS = 40
_ID_MULTIPLIERS = (2_654_435, 3_266_489)  # odd, below 2**22: products stay below 2**62


@dataclass(frozen=True)
class Draws:
    """Keyed random expressions of one seed; equal keys and purposes give equal draws."""

    seed: int

    def hash(self, purpose: str, *keys: Column) -> Column:
        """Return a 64-bit hash of the seed, the purpose and the keys."""
        return F.xxhash64(F.lit(self.seed).cast("long"), F.lit(purpose), *keys)

    def uniform(self, purpose: str, *keys: Column) -> Column:
        """Return a number in [0, 1) with 53 random bits."""
        return F.shiftrightunsigned(self.hash(purpose, *keys), 11) * F.lit(2.0**-53)

    def chance(self, probability: float | Column, purpose: str, *keys: Column) -> Column:
        """Return true with the given probability."""
        return self.uniform(purpose, *keys) < probability

    def integer(self, count: int | Column, purpose: str, *keys: Column) -> Column:
        """Return an integer in [0, count)."""
        return F.floor(self.uniform(purpose, *keys) * count).cast("int")

    def choose(self, words: Sequence[str], purpose: str, *keys: Column) -> Column:
        """Return one of the words; repeat a word to give it more weight."""
        return F.element_at(word_array(words), self.integer(len(words), purpose, *keys) + 1)

    def hex_id(self, purpose: str, *keys: Column) -> Column:
        """Return 16 lower-case hexadecimal digits."""
        return F.lower(F.lpad(F.hex(self.hash(f"{purpose} id", *keys)), 16, "0"))


def word_array(words: Sequence[str]) -> Column:
    """Return the words as one array literal.

    Splitting one string literal is folded by the optimiser; thousands of literals would be slow
    to build. The words must not contain '|'.
    """
    return F.split(F.lit("|".join(words)), r"\|")


def weighted_words(words: Sequence[str], weights: Sequence[float], size: int) -> list[str]:
    """Repeat each word in proportion to its weight, at least once; about `size` words in all."""
    total = float(sum(weights))
    return [
        word
        for word, weight in zip(words, weights, strict=True)
        for _ in range(max(1, round(size * weight / total)))
    ]


def scramble(key: Column, bits: int = _ID_BITS) -> Column:
    """Map keys below 2**bits one to one onto the same range, so that ids hide their order."""
    mask = F.lit((1 << bits) - 1).cast("long")
    value = key.cast("long")
    for multiplier in _ID_MULTIPLIERS:
        value = (value * F.lit(multiplier).cast("long")).bitwiseAND(mask)
        value = value.bitwiseXOR(F.shiftrightunsigned(value, bits // 2))
    return value


def record_id(prefix: str, key: Column) -> Column:
    """Return a unique id of the key: the prefix and 13 digits."""
    return F.concat(F.lit(prefix), F.lpad(scramble(key).cast("string"), 13, "0"))


def counter_uniforms(seed: int, purpose: str, key: Uint64, counter: Uint64) -> Float64:
    """Return numbers in (0, 1) from SplitMix64 finalisers over (seed, purpose, key, counter).

    Source: Steele, Lea, Flood (2014), Fast Splittable Pseudorandom Number Generators, fig. 13.
    """
    stream = np.full(1, (zlib.crc32(purpose.encode()) << 32) ^ (seed & 0xFFFFFFFF), dtype=np.uint64)
    state = _mix64(_mix64(_mix64(stream) ^ key.astype(np.uint64)) ^ counter.astype(np.uint64))
    return ((state >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def _mix64(value: Uint64) -> Uint64:
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
