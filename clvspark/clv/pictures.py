"""All plots of the champion, as Vega-Lite documents beside it in the registry."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.clv.baselines import PURCHASES, VALUE
from clvspark.clv.competition import Competition
from clvspark.clv.config import ClvConfig
from clvspark.clv.curves import average_by_repeats, count_daily, grid_alive, track_purchases
from clvspark.clv.fit import DAYS_PER_UNIT
from clvspark.clv.folds import Fold
from clvspark.clv.plots import plot_alive, plot_by_repeats, plot_deciles, plot_tracking


def draw_champion(
    found: Competition,
    champion: str,
    cases: DataFrame,
    days: DataFrame,
    orders: DataFrame,
    *,
    fold: Fold,
    config: ClvConfig,
    as_of: date,
) -> dict[str, dict[str, Any]]:
    """Vega-Lite by file name: how the champion of the newest fold did, what it takes customers for.

    In: rows of `join_windows`, history.person_day, history.order. Counts and means alone are in them, of no one
    customer.
    """
    model = found.newest[champion]
    daily = count_daily(days, orders, origin=fold.origin, until=as_of)
    tracked = track_purchases(model, daily, until=as_of)
    known = cases.where(F.col("lag_days") == fold.lag_days)
    averages = average_by_repeats(known, found.newest, holdout_days=config.holdout_days)
    weeks = max(int((fold.origin - daily["day"].min()).days / DAYS_PER_UNIT), 1)
    charts = {
        "by_repeats": plot_by_repeats(averages),
        "cumulative": plot_tracking(tracked, fold.origin, cumulative=True),
        "incremental": plot_tracking(tracked, fold.origin, cumulative=False),
        "p_alive": plot_alive(grid_alive(model, weeks=weeks)),
    }
    for outcome in (PURCHASES, VALUE):
        deciles = found.deciles.get((champion, fold.origin, outcome))
        if deciles:
            charts[f"deciles_{outcome}"] = plot_deciles(pd.DataFrame(deciles), outcome)
    return {f"{name}.vl.json": chart.to_dict() for name, chart in charts.items()}
