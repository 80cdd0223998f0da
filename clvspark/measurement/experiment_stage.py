"""One date's experiments: read what they need, compare the groups, return the rows of measurement.*."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clvspark.activation.tables import ASSIGNMENT
from clvspark.audiences.tables import (
    DECILE,
    MEMBERSHIP_EVENT,
    members_of_today,
    members_on,
)
from clvspark.clv.tables import CUSTOMER_VALUE
from clvspark.history.tables import INTERACTION, ORDER, PERSON_DAY, SESSION
from clvspark.identity.tables import ALIAS, PERSON_LINK
from clvspark.lakehouse import Lakehouse, Run
from clvspark.lakehouse.side_by_side import all_of, keep_all
from clvspark.lakehouse.table import Table
from clvspark.measurement.config import MeasurementConfig
from clvspark.measurement.cuped import SLOPES, Slope, adjust_outcomes, find_slopes, sum_products
from clvspark.measurement.effects import list_effects
from clvspark.measurement.experiments import (
    CUPED,
    PLAIN,
    compare_groups,
    comparison_schema,
    incremental_values,
    judge_experiments,
    list_mismatches,
    open_experiments,
)
from clvspark.measurement.outcomes import (
    gather_outcomes,
    list_outcomes,
    list_visits,
    tabulate_outcomes,
)
from clvspark.measurement.people import (
    SEGMENTS,
    describe_persons,
    first_assigned,
    join_descriptions,
)
from clvspark.measurement.plan import HoldoutPlan, Valuation
from clvspark.measurement.power import list_planned, power_rows, sum_history
from clvspark.measurement.segments import (
    SEGMENT_KEYS,
    count_segments,
    judge_segments,
    split_outcomes,
)
from clvspark.measurement.tables import (
    EFFECT,
    EXPERIMENT,
    EXPERIMENT_SEGMENT,
    INCREMENTAL_VALUE,
    TARGETING,
)
from clvspark.measurement.targeting import CURVE_SCHEMA, draw_curves, tabulate_scores

Rows = list[dict[str, Any]]
Found = dict[Table, Rows]
_NONE: Rows = []
_KEYS = ("audience_id", "outcome", "method")


class Experiments:
    """One date's experiments; of the persons, only counts and results reach the driver."""

    def __init__(
        self,
        lake: Lakehouse,
        config: MeasurementConfig,
        as_of: date,
        plan: HoldoutPlan,
        valuation: Valuation | None,
    ) -> None:
        self.lake, self.config, self.as_of = lake, config, as_of
        self.plan, self.valuation = plan, valuation
        people = first_assigned(lake.read(ASSIGNMENT), lake.read(PERSON_LINK), as_of=as_of)
        self.people = people.localCheckpoint()
        self.days = lake.read(PERSON_DAY)
        self.visits = list_visits(
            lake.read(ORDER), lake.read_or_empty(SESSION), lake.read_or_empty(INTERACTION)
        )

    def judge(self, run: Run, days_observed: int) -> Found:
        """Rows of all tables that compare the groups."""
        config, as_of = self.config, self.as_of
        sizes = self.people.groupBy("audience_id", "split_group")
        counted = _collect(sizes.agg(F.count(F.lit(1)).alias("persons")))
        values = self._value_at_end() if days_observed >= config.window_days else None
        opened = open_experiments(
            counted,
            config,
            self.plan,
            as_of=as_of,
            days_observed=days_observed,
            is_valued=values is not None,
        )
        for audience in list_mismatches(opened):
            run.warn(
                f"{audience}: the groups are of other sizes than planned, so no difference of theirs can be trusted. "
                f"Next step: see who lost consent, address or person between dealing and {as_of}, and whether "
                "'activation.holdout.percent' was changed."
            )
        measured = sorted({row["audience_id"] for row in opened if row["status"] == "measured"})
        experiments, segments, targeting = opened, _NONE, _NONE
        if measured:
            run.step("comparing the groups")
            judged = self._gather(measured, values)
            (experiments, segments), targeting = all_of(
                lambda: self._compare(judged, opened), lambda: self._target(judged)
            )
        return {
            EXPERIMENT: experiments,
            INCREMENTAL_VALUE: incremental_values(experiments),
            EFFECT: list_effects(experiments, config),
            EXPERIMENT_SEGMENT: segments,
            TARGETING: targeting,
        }

    def foresee(self) -> Rows:
        """Rows of measurement.power."""
        members = members_on(self.lake.read_or_empty(MEMBERSHIP_EVENT), self.as_of)
        today = members_of_today(members, self.lake.read_or_empty(ALIAS))
        days = self.config.window_days
        before = gather_outcomes(
            list_planned(self.people, today),
            self.days,
            self.visits,
            None,
            start=self.as_of - timedelta(days=days),
            window_days=days,
        )
        return power_rows(_collect(sum_history(before)), self.config, self.plan, as_of=self.as_of)

    def _value_at_end(self) -> DataFrame | None:
        if self.valuation is None:
            return None
        end = self.as_of + timedelta(days=self.config.window_days)
        return self.valuation.value_on(self.lake, self.people, self.as_of, end)

    def _gather(self, measured: list[str], values: DataFrame | None) -> DataFrame:
        """Everyone assigned for these audiences, with what they did and what was known of them before."""
        aliases = self.lake.read_or_empty(ALIAS)
        known = describe_persons(
            self.lake.read_or_empty(CUSTOMER_VALUE),
            self.lake.read_or_empty(DECILE),
            aliases,
            as_of=self.as_of,
        )
        judged = gather_outcomes(
            join_descriptions(self.people.where(F.col("audience_id").isin(*measured)), known),
            self.days,
            self.visits,
            values,
            start=self.as_of,
            window_days=self.config.window_days,
        )
        return keep_all(judged)[0]

    def _compare(self, judged: DataFrame, opened: Rows) -> tuple[Rows, Rows]:
        """Rows of measurement.experiment and measurement.experiment_segment."""
        outcomes = list_outcomes(judged, *SEGMENTS)
        slopes = find_slopes(_collect(sum_products(outcomes)))
        adjusted = adjust_outcomes(outcomes, _slope_rows(self.lake, slopes))
        both = outcomes.withColumn("method", F.lit(PLAIN)).unionByName(
            adjusted.withColumn("method", F.lit(CUPED))
        )
        tabulated = tabulate_outcomes(both, _KEYS).groupBy(*_KEYS)
        split = split_outcomes(outcomes)
        counts = count_segments(split).localCheckpoint()
        enough = counts.where(
            F.least("treatment_persons", "holdout_persons") >= self.config.min_persons
        )
        large = split.join(F.broadcast(enough.select(*SEGMENT_KEYS)), on=list(SEGMENT_KEYS))
        of_segments = tabulate_outcomes(large, SEGMENT_KEYS).groupBy(*SEGMENT_KEYS)
        compared, counted, cut = all_of(
            lambda: _collect(tabulated.applyInPandas(compare_groups, comparison_schema(*_KEYS))),
            lambda: _collect(counts),
            lambda: _collect(
                of_segments.applyInPandas(compare_groups, comparison_schema(*SEGMENT_KEYS))
            ),
        )
        segments = judge_segments(
            counted, cut, as_of=self.as_of, min_persons=self.config.min_persons
        )
        return judge_experiments(opened, compared, slopes), segments

    def _target(self, judged: DataFrame) -> Rows:
        """Rows of measurement.targeting."""
        config = self.config
        draw = draw_curves(
            {name: float(cost) for name, cost in config.costs_per_contact.items()},
            otherwise=float(config.cost_per_contact),
            min_persons=config.min_persons,
        )
        scores = tabulate_scores(judged, list(config.scores)).groupBy("audience_id", "score")
        rows = _collect(scores.applyInPandas(draw, CURVE_SCHEMA))
        return [{**row, "as_of_date": self.as_of} for row in rows]


def _slope_rows(lake: Lakehouse, slopes: dict[tuple[str, str], Slope]) -> DataFrame:
    rows = [(*key, slope.theta, slope.mean_before) for key, slope in slopes.items()]
    return lake.spark.createDataFrame(rows, SLOPES)


def _collect(few: DataFrame) -> Rows:
    """Rows of a frame whose size does not grow with the persons."""
    return [row.asDict() for row in few.collect()]
