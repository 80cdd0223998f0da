"""What rankings of offers earn in simulated markets whose truth is known, and what they lose against the best choice.

python -m bench.decisions [--seeds N] [--days N] [--customers N]

Every ranking meets the same customers on the same days. Regret is the true expected margin of the best choice less that
of what was chosen, added up; it is exact, as the market is known, and luck is not in it. Prints a table, and writes
bench/results/decisions.json and the curves of cumulative regret as docs/images/decisions.svg.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert
from scipy import stats

from bench.results import ROOT, write_result
from clvspark.audiences.decisions.config import Learning, Ranking
from clvspark.audiences.decisions.simulator import Course, draw_market, play

# By name: the ranking, and what the learning one learns.
POLICIES: dict[str, tuple[Ranking, Learning]] = {
    "learning, margin": ("learning", Learning(reward="margin")),
    "learning, conversion": ("learning", Learning(reward="conversion")),
    "learning, contexts apart": ("learning", Learning(pooling_trials=0)),
    "classic P x C x V x L": ("classic", Learning()),
    "fixed": ("fixed", Learning()),
    "random": ("random", Learning()),
}
LEARNING = "learning, margin"
_COLOURS = ["#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#1B1F24"]


def main() -> None:
    """Play all policies on all seeds; print, write and draw what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--customers", type=int, default=300)
    given = parser.parse_args()
    start = time.monotonic()
    courses = {
        name: [
            play(draw_market(seed), *policy, seed=seed, days=given.days, customers=given.customers)
            for seed in range(given.seeds)
        ]
        for name, policy in POLICIES.items()
    }
    seconds = time.monotonic() - start
    rows = [describe(name, courses) for name in POLICIES]
    print(f"{given.seeds} markets, {given.days} days, {given.customers} decisions a day")
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:,.0f}".format))
    result = {**vars(given), "seconds": round(seconds, 1), "policies": rows}
    print(f"written to {write_result('decisions', result)}")
    picture = ROOT / "docs" / "images" / "decisions.svg"
    picture.write_text(vl_convert.vegalite_to_svg(draw(courses).to_json()), encoding="utf-8")


def describe(name: str, courses: dict[str, list[Course]]) -> dict[str, Any]:
    """Means over the seeds; what the learning ranking is ahead by, with its 95 % interval, and in how many of them."""
    margin = np.array([course.margin[-1] for course in courses[name]])
    regret = np.array([course.regret[-1] for course in courses[name]])
    ahead = np.array([course.margin[-1] for course in courses[LEARNING]]) - margin
    half = stats.t.ppf(0.975, len(ahead) - 1) * ahead.std(ddof=1) / len(ahead) ** 0.5
    return {
        "ranking": name,
        "margin": round(float(margin.mean()), 2),
        "regret": round(float(regret.mean()), 2),
        "learning_ahead": round(float(ahead.mean()), 2),
        "ahead_low": round(float(ahead.mean() - half), 2),
        "ahead_high": round(float(ahead.mean() + half), 2),
        "seeds_ahead": int(np.sum(ahead > 0)),
    }


def draw(courses: dict[str, list[Course]]) -> alt.Chart:
    """Mean cumulative regret by day."""
    curves = {name: np.mean([c.regret for c in found], axis=0) for name, found in courses.items()}
    rows = pd.DataFrame(curves).rename_axis("day").reset_index()
    rows = rows.melt(id_vars=["day"], var_name="ranking", value_name="regret")
    colour = alt.Scale(domain=list(POLICIES), range=_COLOURS)
    return (
        alt.Chart(rows)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("day:Q", title="Day"),
            y=alt.Y("regret:Q", title="Cumulative regret, mean of the seeds"),
            color=alt.Color("ranking:N", title=None, scale=colour),
        )
        .properties(width=460, height=280, title="What was lost against the best choice")
    )


if __name__ == "__main__":
    main()
