"""Keyed numpy draws: equal keys give equal numbers, whatever else is in the batch."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clvspark.simulate.draws import counter_uniforms

KEYS = np.arange(20_000, dtype=np.uint64)
FIRST = np.zeros(1, dtype=np.uint64)


@given(st.integers(0, 2**31), st.integers(1, 19_999))
def test_a_draw_does_not_depend_on_its_batch(seed: int, cut: int) -> None:
    whole = counter_uniforms(seed, "rate", KEYS, FIRST)
    parts = [counter_uniforms(seed, "rate", part, FIRST) for part in (KEYS[:cut], KEYS[cut:])]
    assert np.array_equal(whole, np.concatenate(parts))


def test_draws_are_uniform_inside_the_open_interval() -> None:
    u = counter_uniforms(7, "rate", KEYS, FIRST)
    assert u.min() > 0.0
    assert u.max() < 1.0
    counts, _ = np.histogram(u, bins=20, range=(0.0, 1.0))
    chi_square = ((counts - 1_000.0) ** 2 / 1_000.0).sum()
    assert chi_square < 43.8  # 99.9 % point of chi-square with 19 degrees of freedom


def test_purpose_counter_and_seed_each_give_other_draws() -> None:
    base = counter_uniforms(7, "rate", KEYS, FIRST)
    for other in (
        counter_uniforms(8, "rate", KEYS, FIRST),
        counter_uniforms(7, "lapse rate", KEYS, FIRST),
        counter_uniforms(7, "rate", KEYS, FIRST + np.uint64(1)),
    ):
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.03
